// The policy of examples/career-quiz: every endpoint has its rule, its comment and its line in the
// documentation, and what the example says of itself is so.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { rollcall } from './service.mjs';

const example = fileURLToPath(new URL('../../examples/career-quiz', import.meta.url));
const PROTECTED = `
  quiz/session/[sessionId] quiz/session/current quiz/session/save quiz/submit quiz/submit-complete
  quiz/followup/submit quiz/results/[sessionId] quiz/results/save-preferences
  careers/match careers/matches careers/matches/batch careers/favorites careers/search
  user/progress user/activity user/preferences user/sessions user/data
  subjects/favorites pdf/generate`.trim().split(/\s+/);
const HEADS = {
  protected: '// Protected endpoint: Requires valid JWT\n// Database client: user (row level',
  public: '// Public endpoint: No authentication required\n// Database client: user (row level',
  service: '// Service endpoint: Verified by its own signature or key, not by a JWT\n' +
    '// Database client: admin (service role',
};
const ENDPOINTS = new Map([
  ...PROTECTED.map((name) => [name, 'protected']),
  ['subjects/list', 'public'],
  ['webhooks/clerk', 'service'],
  ['cron/clerk-sync', 'service'],
]);

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-quiz-'));
  cpSync(example, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const file = (name) => path.join(folder, name);
const read = (name) => readFileSync(file(name), 'utf8');
const change = (name, from, to) => {
  const text = read(name);
  assert.ok(text.includes(from), `${name} has ${from}`);
  writeFileSync(file(name), text.replace(from, to));
};
const verify = (...words) => rollcall(['verify', 'policy', file('policy.toml'), ...words]);
const routes = () => verify('--routes', file('src/app'));

test('each endpoint has a rule, a route file and the comment that it should have', () => {
  assert.equal(ENDPOINTS.size, 23);
  const judged = routes();
  assert.deepEqual([judged.code, judged.stdout], [0, 'ok: 33 endpoints, each with its rule\n']);
  const { rules } = JSON.parse(verify('--docs', '--json').stdout);
  const accesses = new Map(rules.map((rule) => [rule.path, rule.access]));
  assert.equal(accesses.get('/quiz'), 'public');
  accesses.delete('/quiz');
  for (const [name, kind] of ENDPOINTS) {
    const route = `/api/${name.replace('[sessionId]', '{sessionId}')}`;
    assert.equal(accesses.get(route), kind === 'protected' ? 'protected' : 'public', route);
    accesses.delete(route);
    assert.ok(read(`src/app/api/${name}/route.ts`).startsWith(HEADS[kind]), name);
  }
  assert.deepEqual([...accesses.keys()].filter(Boolean), [], 'no other rule');
});

test('the cases hold, and the table is what the policy says', () => {
  const cases = verify('--cases', file('cases.txt'));
  assert.deepEqual([cases.code, cases.stdout], [0, 'ok: 40 cases hold\n']);
  const table = read('access.md').split('\n').filter((line) => line.startsWith('|')).join('\n');
  assert.equal(`${table}\n`, verify('--docs').stdout, 'access.md: make it anew, as README.md says');
});

test('what is changed in one place only is found', () => {
  change('policy.toml', 'path = "/api/user/data"', 'path = "/api/user/dates"');
  const moved = routes();
  assert.equal(moved.code, 1);
  assert.match(moved.stdout, /^endpoint_without_rule: api\/user\/data\/route.ts: GET /m);
  assert.match(moved.stdout, /^rule_without_endpoint: user-data: /m);
  assert.equal(verify('--cases', file('cases.txt')).code, 1);
  assert.ok(!read('access.md').includes('/api/user/dates'));
  assert.ok(verify('--docs').stdout.includes('/api/user/dates'), 'the table would differ');
  change('policy.toml', 'path = "/api/user/dates"', 'path = "/api/user/data"');

  const [said] = HEADS.protected.split('\n');
  const data = 'src/app/api/user/data/route.ts';
  change(data, said, '// Of a user');
  assert.match(routes().stdout, /^missing_comment: api\/user\/data\/route.ts: /);
  change(data, '// Of a user', '// Public endpoint: No authentication');
  assert.match(routes().stdout, /^other_comment: api\/user\/data\/route.ts: /);
  change(data, '// Public endpoint: No authentication', said);
  change('src/app/api/subjects/list/route.ts', 'user (row level', 'admin (row level');
  assert.match(routes().stdout, /^other_comment: api\/subjects\/list\/route.ts: /);
});

test('nothing is public but what says so', () => {
  const rule = 'path = "/api/user/data"\naccess = ';
  change('policy.toml', `${rule}"protected"`, `${rule}"public"`);
  const cases = verify('--cases', file('cases.txt'));
  assert.equal(cases.code, 1);
  assert.match(cases.stdout, /GET \/api\/user\/data is public by user-data, not protected/);
  assert.match(routes().stdout, /^other_comment: api\/user\/data\/route.ts: /);
});
