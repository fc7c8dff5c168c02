// The examples run as they are: what Vercel and GitHub would run, against rollcall's cron route.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const examples = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../examples');
const key = 'key-of-the-examples';

// The cron route as the contract has it.
let route;
let url;
let answer;
let asked;
before(async () => {
  route = http.createServer((request, response) => {
    asked.push(request.url);
    const right = request.headers.authorization === `Bearer ${key}`;
    const { status, body } = right ? answer : { status: 401, body: { error: 'Unauthorized' } };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise((resolve) => route.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${route.address().port}`;
});
after(() => route.close());
beforeEach(() => {
  asked = [];
  answer = { status: 200, body: { status: 'completed' } };
});

describe('vercel-cron', () => {
  let handler;
  before(async () => {
    process.env.ROLLCALL_URL = url;
    process.env.CRON_SECRET = key;
    handler = await import(path.join(examples, 'vercel-cron/api/cron/clerk-sync/[mode].mjs'));
  });
  const call = (cron, authorization = `Bearer ${key}`) =>
    handler.GET(new Request(`https://app.example.com${cron}`, { headers: { authorization } }));

  test('every path of vercel.json asks for its mode', async () => {
    const config = JSON.parse(readFileSync(path.join(examples, 'vercel-cron/vercel.json'), 'utf8'));
    for (const cron of config.crons) {
      const done = await call(cron.path);
      assert.equal(done.status, 200);
      assert.deepEqual(await done.json(), { status: 'completed' });
    }
    assert.deepEqual(asked, [
      '/api/cron/clerk-sync?mode=incremental',
      '/api/cron/clerk-sync?mode=full',
    ]);
  });

  test('a wrong key, or none set, reaches nothing', async () => {
    assert.equal((await call('/api/cron/clerk-sync/full', 'Bearer other')).status, 401);
    delete process.env.CRON_SECRET;
    assert.equal((await call('/api/cron/clerk-sync/full', 'Bearer undefined')).status, 401);
    process.env.CRON_SECRET = key;
    assert.equal((await call('/api/cron/clerk-sync/other')).status, 404);
    assert.deepEqual(asked, []);
  });

  test('one that runs already is well, one that failed is not', async () => {
    answer = { status: 409, body: { error: 'another run is under way' } };
    assert.equal((await call('/api/cron/clerk-sync/full')).status, 200);
    answer = { status: 502, body: { status: 'failed' } };
    assert.equal((await call('/api/cron/clerk-sync/full')).status, 502);
  });
});

describe('github-actions', () => {
  // The script of the only step, as YAML has it: what is indented below `run: |`.
  const workflow = readFileSync(path.join(examples, 'github-actions/clerk-sync.yml'), 'utf8');
  const script = workflow.split('run: |\n')[1].replace(/^ {10}/gm, '');

  async function run(env) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-examples-'));
    try {
      const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], {
        cwd: folder,
        env: { PATH: process.env.PATH, ROLLCALL_URL: url, CRON_SECRET: key, MODE: 'full', ...env },
      });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      const [code] = await once(child, 'close');
      return { code, output };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  test('asks for the mode and prints the summary', async () => {
    const done = await run({});
    assert.equal(done.code, 0, done.output);
    assert.deepEqual(JSON.parse(done.output), { status: 'completed' });
    assert.deepEqual(asked, ['/api/cron/clerk-sync?mode=full']);
  });

  test('fails when the pass failed or the key is wrong, not when one runs already', async () => {
    answer = { status: 502, body: { status: 'failed' } };
    assert.match((await run({})).output, /::error::rollcall answered 502/);
    assert.equal((await run({ CRON_SECRET: 'other' })).code, 1);
    answer = { status: 409, body: { error: 'another run is under way' } };
    assert.equal((await run({})).code, 0);
    assert.notEqual((await run({ ROLLCALL_URL: 'http://127.0.0.1:9' })).code, 0);
  });
});
