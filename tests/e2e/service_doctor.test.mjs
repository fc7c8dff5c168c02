// What `rollcall doctor` says of a deployment that is well, and of each of the usual mistakes: a
// line with advice, never only that something is wrong.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, WEBHOOK_SECRET, migrate, rollcall } from './service.mjs';
import { SECRET_KEY, Simulator } from './simulator.mjs';

let postgres, url, env;
before(async () => {
  postgres = await Postgres.start();
  url = postgres.url(await postgres.create());
  env = { DATABASE_URL: url, CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET, ROLLCALL_MODE: 'webhook' };
  migrate(url);
});
after(() => postgres?.remove());

// The finding of one check, with the exit code; every line that is not ok has advice.
function finding(name, change) {
  const { code, stdout, stderr } = rollcall(['doctor', '--json'], { ...env, ...change });
  const { checks } = JSON.parse(stdout);
  for (const check of checks) {
    if (check.verdict !== 'ok') assert.ok(check.advice, `${check.check}: no advice`);
  }
  const found = checks.findLast((check) => check.check === name);
  assert.ok(found, `${name}: ${stdout}${stderr}`);
  return { code, ...found };
}

test('a deployment that is well', async () => {
  const sim = await Simulator.start();
  try {
    for (const check of [
      'config',
      'webhook_secret',
      'database',
      'clock',
      'schema',
      'users_table',
      'users_table_changes',
      'exposure',
      'callers',
      'policies',
      'public_tables',
      'public_functions',
      'clerk',
      'clerk_key',
      'clerk_clock',
      'clerk_instance',
      'database_role',
      'replication',
      'queue_age',
      'circuits',
    ]) {
      const { code, verdict, message } = finding(check, {
        CLERK_SECRET_KEY: SECRET_KEY,
        CLERK_API_URL: sim.url,
      });
      assert.deepEqual([check, verdict, code], [check, 'ok', 0], message);
    }
  } finally {
    await sim.stop();
  }
});

test('a variable that looks like a setting and is none, and what Kubernetes writes', async () => {
  const strange = {
    ROLLCALL_ROLES: 'canary',
    ROLLCALL_SERVICE_HOST: '10.0.0.1',
    ROLLCALL_SERVICE_PORT: '80',
    ROLLCALL_PORT: 'tcp://10.0.0.1:80',
    ROLLCALL_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
    ROLLCALL_PORT_8080_TCP_ADDR: '10.0.0.1',
  };
  const { code, verdict, message, advice } = finding('environment', strange);
  assert.deepEqual([code, verdict], [0, 'warn']);
  assert.equal(message, 'ROLLCALL_ROLES is no setting and changes nothing');
  assert.equal(advice, 'is ROLLCALL_SERVE_ROLES meant?');
  const service = await Service.start(url, strange);
  assert.equal(await service.stop(), 0);
  const told = service.log.split('\n').filter((line) => /environment_not_understood/.test(line));
  assert.equal(told.length, 1, service.log);
  const { level, name, likely } = JSON.parse(told[0]);
  assert.deepEqual([level, name, likely], ['warn', 'ROLLCALL_ROLES', 'ROLLCALL_SERVE_ROLES']);
  assert.ok(!service.log.includes('canary'));
});

test('a database that is not there, the wrong one, or without a schema', async () => {
  const missing = finding('database', { DATABASE_URL: postgres.url('nonsense') });
  assert.equal(missing.code, 1);
  assert.match(missing.message, /database "nonsense" does not exist/);
  assert.match(missing.advice, /DATABASE_URL/);
  const away = finding('database', { DATABASE_URL: 'postgresql:///x?host=/nowhere' });
  assert.equal(away.code, 1);
  assert.match(away.message, /\/nowhere/);
  const empty = await postgres.create();
  const wrong = finding('schema', { DATABASE_URL: postgres.url(empty) });
  assert.equal(wrong.code, 1);
  assert.match(wrong.advice, /rollcall migrate; if it has been run, DATABASE_URL is not that/);
  const seen = finding('database', { DATABASE_URL: postgres.url(empty) });
  assert.ok(seen.message.includes(`database ${empty}`), seen.message);
  const { code, stdout } = rollcall(['doctor', '--json'], { ...env, DATABASE_URL: 'mysql://x' });
  assert.equal(code, 78);
  assert.match(JSON.parse(stdout).checks[0].message, /database.url: .*postgresql:\/\//);
});

test('a schema that is behind', async () => {
  const behind = await postgres.create();
  migrate(postgres.url(behind));
  await postgres.query(
    behind,
    'DELETE FROM rollcall.schema_steps WHERE name = (SELECT max(name) FROM rollcall.schema_steps)',
  );
  const { code, message, advice } = finding('schema', { DATABASE_URL: postgres.url(behind) });
  assert.equal(code, 1);
  assert.match(message, /^\d+ of \d+ steps are applied$/);
  assert.equal(advice, 'run: rollcall migrate');
});

test('keys that are missing, or of another kind, or unknown to Clerk', async () => {
  const none = finding('clerk_key', { ROLLCALL_MODE: 'hybrid' });
  assert.deepEqual([none.code, none.verdict], [1, 'fail']);
  assert.match(none.advice, /CLERK_SECRET_KEY, or ROLLCALL_MODE=webhook/);
  const secretless = finding('webhook_secret', { CLERK_WEBHOOK_SECRET: '' });
  assert.equal(secretless.code, 1);
  assert.match(secretless.advice, /CLERK_WEBHOOK_SECRET/);
  for (const [change, words] of [
    [{ CLERK_SECRET_KEY: 'pk_test_abc' }, /CLERK_SECRET_KEY.*this is a publishable key/],
    [{ CLERK_SECRET_KEY: WEBHOOK_SECRET }, /CLERK_SECRET_KEY.*this is a webhook secret/],
    [{ CLERK_WEBHOOK_SECRET: 'sk_test_abc' }, /CLERK_WEBHOOK_SECRET.*this is a secret key/],
  ]) {
    const { code, stdout, stderr } = rollcall(['doctor'], { ...env, ...change });
    assert.equal(code, 78, stdout);
    assert.match(stderr, words);
    assert.ok(!stderr.includes('abc') && !stderr.includes(WEBHOOK_SECRET.slice(6)), stderr);
    const { message, advice } = finding('config', change);
    assert.match(message, words);
    assert.match(advice, /configuration.md/);
  }
  const sim = await Simulator.start();
  try {
    const stranger = { CLERK_SECRET_KEY: 'sk_test_other', CLERK_API_URL: sim.url };
    const { code, advice } = finding('clerk', stranger);
    assert.equal(code, 1);
    assert.match(advice, /check CLERK_SECRET_KEY/);
  } finally {
    await sim.stop();
  }
  const away = finding('clerk', {
    CLERK_SECRET_KEY: SECRET_KEY,
    CLERK_API_URL: 'http://127.0.0.1:1',
  });
  assert.equal(away.code, 1);
  assert.match(away.advice, /CLERK_API_URL/);
});

test('a users table without a column that the settings name', async () => {
  const adopted = await postgres.create();
  const there = { ...env, DATABASE_URL: postgres.url(adopted) };
  await postgres.query(
    adopted,
    `CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text UNIQUE, name text,
       user_role text)`,
  );
  const words = /has no column role: is it user_role\? Set users.role_column/;
  const refused = rollcall(['migrate'], there);
  assert.equal(refused.code, 78);
  assert.match(refused.stderr, words);
  const [{ t }] = await postgres.query(adopted, "SELECT to_regclass('public.job_queue') t");
  assert.equal(t, null, 'nothing is changed before all is known to be well');
  migrate(there.DATABASE_URL, { ROLLCALL_USERS_ROLE_COLUMN: 'user_role' });
  const { code, message } = finding('users_table', there);
  assert.equal(code, 78);
  assert.match(message, words);
  const served = rollcall(['serve'], {
    ...there,
    ROLLCALL_LISTEN: '127.0.0.1:0',
    ROLLCALL_ADMIN_LISTEN: '127.0.0.1:0',
  });
  assert.equal(served.code, 78, served.stderr);
  assert.match(served.stderr, words);
});

test('a users table that has been opened by hand', async () => {
  const opened = await postgres.create();
  migrate(postgres.url(opened));
  await postgres.query(opened, 'GRANT UPDATE (role) ON users TO authenticated');
  const { code, message, advice } = finding('users_table', { DATABASE_URL: postgres.url(opened) });
  assert.equal(code, 1);
  assert.match(message, /privileges of authenticated/);
  assert.equal(advice, 'run: rollcall migrate');
  migrate(postgres.url(opened));
  assert.equal(finding('users_table', { DATABASE_URL: postgres.url(opened) }).verdict, 'ok');
});

test('jobs of the application that nobody works on', async () => {
  const shared = await postgres.create();
  migrate(postgres.url(shared));
  await postgres.query(
    shared,
    "INSERT INTO job_queue (job_type) VALUES ('SEND_EMAIL'), ('SEND_EMAIL'), ('REFRESH_USR')",
  );
  const { verdict, message } = finding('foreign_jobs', { DATABASE_URL: postgres.url(shared) });
  assert.equal(verdict, 'warn');
  assert.match(message, /^3 jobs of types .* REFRESH_USR, SEND_EMAIL$/);
});

test('polling: whose instance it is, passes that fail, deletions that wait', async () => {
  const sim = await Simulator.start('--users', '3');
  const database = await postgres.create();
  const there = {
    DATABASE_URL: postgres.url(database),
    ROLLCALL_MODE: 'polling',
    CLERK_WEBHOOK_SECRET: '',
    CLERK_SECRET_KEY: SECRET_KEY,
    CLERK_API_URL: sim.url,
  };
  try {
    migrate(there.DATABASE_URL);
    const before = finding('sync', there);
    assert.deepEqual([before.code, before.verdict], [0, 'warn']);
    assert.match(before.message, /no complete pass/);
    assert.equal(rollcall(['sync', '--full'], { ...there }).code, 0);
    assert.equal(finding('sync', there).verdict, 'ok');
    assert.match(finding('clerk_instance', there).message, /is filled from ins_/);

    await sim.faults({ api_401: true });
    assert.notEqual(rollcall(['sync'], { ...there }).code, 0);
    await sim.faults({ api_401: false });
    const failing = finding('sync', there);
    assert.match(failing.message, /the last 1 passes did not complete/);
    assert.match(failing.advice, /--history/);

    await postgres.query(
      database,
      `INSERT INTO rollcall.held_deletes (run_id, clerk_id)
       SELECT max(id), 'user_held' FROM rollcall.sync_runs`,
    );
    assert.match(finding('held_deletes', there).advice, /--approve-deletes \d+/);
    await postgres.query(
      database,
      `INSERT INTO rollcall.absences (clerk_id, held_at)
       SELECT min(clerk_id), now() FROM rollcall.ledger`,
    );
    assert.match(finding('held_by_id', there).advice, /sync --full/);
    await postgres.query(database, "UPDATE rollcall.sync_state SET instance_id = 'ins_staging'");
    const other = finding('clerk_instance', there);
    assert.deepEqual([other.code, other.verdict], [1, 'fail']);
    assert.match(other.message, /is of ins_\w+, this database is filled from ins_staging/);
  } finally {
    await sim.stop();
  }
});

test('a users table that takes no change', async () => {
  const database = await postgres.create();
  const whole = postgres.url(database);
  migrate(whole);
  await postgres.query(
    database,
    `CREATE ROLE clerk_reader LOGIN BYPASSRLS;
     GRANT ALL ON SCHEMA public, rollcall, auth TO clerk_reader;
     GRANT ALL ON ALL TABLES IN SCHEMA public, rollcall TO clerk_reader;
     REVOKE UPDATE ON public.users FROM clerk_reader`,
  );
  const { code, verdict, message, advice } = finding('users_table_changes', {
    DATABASE_URL: whole.replace('user=postgres', 'user=clerk_reader'),
  });
  assert.deepEqual([code, verdict], [1, 'fail'], message);
  assert.match(message, /users/);
  assert.match(advice, /privilege/);
});

test('a Clerk that has enough, or trouble, is not a wrong address', async () => {
  const sim = await Simulator.start();
  const there = { CLERK_SECRET_KEY: SECRET_KEY, CLERK_API_URL: sim.url };
  try {
    await sim.faults({ api_429: true, retry_after_seconds: 1 });
    assert.match(finding('clerk', there).advice, /^the quota of this Clerk instance is used up/);
    await sim.faults({ api_429: false, api_5xx: true });
    assert.match(finding('clerk', there).advice, /^Clerk has trouble/);
  } finally {
    await sim.stop();
  }
  assert.match(finding('clerk', there).advice, /^check CLERK_API_URL, and the network/);
});

test('a spool that the service would refuse', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-doctor-'));
  try {
    const spool = (dir) => finding('spool', { ROLLCALL_SPOOL_DIR: dir });
    const fresh = path.join(folder, 'fresh');
    for (const dir of [fresh, `${fresh}/`]) {
      assert.match(spool(dir).message, /fresh will be made, 0 KiB in it$/);
    }
    assert.deepEqual(readdirSync(folder), []);
    const open = path.join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    for (const [dir, why] of [
      [open, /is open to others \(mode 777\)/],
      [file, /is no directory/],
      ['/proc/nope', /cannot be made/],
      [path.join(file, 'in'), /cannot be made/],
    ]) {
      const { code, verdict, message } = spool(dir);
      assert.deepEqual([code, verdict], [78, 'fail'], dir);
      assert.match(message, why);
      const started = rollcall(['serve'], { ...env, ROLLCALL_SPOOL_DIR: dir });
      assert.equal(started.code, 78, 'serve says the same');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
