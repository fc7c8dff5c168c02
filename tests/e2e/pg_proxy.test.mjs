// The proxy before PostgreSQL does what the tests that use it take for granted; and what a failing
// test leaves behind keeps nobody waiting.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { PgProxy } from './pg_proxy.mjs';
import { Postgres } from './postgres.mjs';
import { until } from './simulator.mjs';

let postgres;
let proxy;
before(async () => {
  postgres = await Postgres.start();
  proxy = await PgProxy.start(postgres);
  await postgres.query('postgres', 'CREATE TABLE kept (what text)');
});
after(async () => {
  await proxy?.stop();
  postgres?.remove();
});

async function connect() {
  const client = new pg.Client({ connectionString: proxy.url('postgres') });
  client.on('error', () => {});
  await client.connect();
  return client;
}

const kept = async (what) =>
  (await postgres.query('postgres', 'SELECT 1 FROM kept WHERE what = $1', [what])).length;

test('a commit is carried out and its answer lost, once', async () => {
  const client = await connect();
  proxy.loseAnswer();
  await client.query('BEGIN');
  await client.query("INSERT INTO kept VALUES ('committed')");
  await assert.rejects(client.query('COMMIT'));
  assert.equal(await kept('committed'), 1);
  assert.equal(proxy.lost, 1);
  const next = await connect();
  await next.query("BEGIN; INSERT INTO kept VALUES ('answered'); COMMIT");
  assert.equal(await kept('answered'), 1);
  await next.end();
});

test('a connection is cut inside a transaction', async () => {
  const client = await connect();
  proxy.loseAnswer(/^INSERT/);
  await client.query('BEGIN');
  await assert.rejects(client.query("INSERT INTO kept VALUES ('undone')"));
  await until(async () => proxy.forwarding === 0, 'the end of the connection');
  assert.equal(await kept('undone'), 0);
});

test('cut, refused and frozen', async () => {
  const client = await connect();
  proxy.freeze();
  let answered = false;
  const answer = client.query('SELECT 1 AS one').finally(() => (answered = true));
  await postgres.query('postgres', 'SELECT 1');
  assert.equal(answered, false);
  proxy.freeze(false);
  assert.deepEqual((await answer).rows, [{ one: 1 }]);
  proxy.cut();
  await assert.rejects(client.query('SELECT 1'));
  proxy.refuse();
  await assert.rejects(connect());
  proxy.refuse(false);
  await (await connect()).end();
});

test('what a failing test leaves behind does not keep its file alive', async () => {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const left = `
    import { PgProxy } from './pg_proxy.mjs';
    import { Postgres } from './postgres.mjs';
    import { Service, migrate } from './service.mjs';
    import { Receiver, Simulator } from './simulator.mjs';
    const postgres = await Postgres.start();
    const proxy = await PgProxy.start(postgres);
    await Receiver.start();
    const sim = await Simulator.start();
    const database = await postgres.create();
    migrate(postgres.url(database));
    const service = await Service.start(proxy.url(database));
    console.log(sim.child.pid, service.child.pid);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], {
    cwd: here,
    encoding: 'utf8',
    input: left,
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  const gone = (pid) => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  };
  await until(
    () => stdout.trim().split(' ').map(Number).every(gone),
    'the end of what was started',
  );
});
