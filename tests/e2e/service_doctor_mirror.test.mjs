// What `rollcall doctor` says of the mirror, of the database beyond rollcall's own tables, and of
// the machine that it runs on.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { WEBHOOK_SECRET, migrate, rollcall } from './service.mjs';
import { binary, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

let postgres, database, env, folder;
before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-doctor-'));
  postgres = await Postgres.start();
  database = await postgres.create();
  const url = postgres.url(database);
  env = { DATABASE_URL: url, CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET, ROLLCALL_MODE: 'webhook' };
  migrate(url);
});
after(() => {
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function findings({ code, stdout, stderr }) {
  const { checks } = JSON.parse(stdout || '{"checks":[]}');
  for (const check of checks) {
    if (check.verdict !== 'ok') assert.ok(check.advice, `${check.check}: no advice`);
  }
  return (name) => {
    const found = checks.find((check) => check.check === name);
    assert.ok(found, `${name}: ${stdout}${stderr}`);
    return { code, ...found };
  };
}
const finding = (name, change) =>
  findings(rollcall(['doctor', '--json'], { ...env, ...change }))(name);

test('the mirror: half of its settings, each kind of key, one that is refused', async () => {
  const auth = await Auth.start();
  const bare = await Auth.start('--supabase-bare');
  try {
    const half = finding('supabase', { SUPABASE_URL: auth.url });
    assert.deepEqual([half.code, half.verdict], [0, 'warn']);
    assert.match(half.message, /only SUPABASE_URL is set: there is no mirror/);
    assert.match(half.advice, /SUPABASE_SERVICE_ROLE_KEY/);
    const key = finding('supabase', { SUPABASE_SERVICE_ROLE_KEY: auth.key });
    assert.match(key.message, /only SUPABASE_SERVICE_ROLE_KEY is set/);

    for (const [name, there, kind] of [
      ['a JWT', auth.environment, /the service_role key .* is good/],
      [
        'a secret key',
        { ...auth.environment, SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_rollcall_simulator' },
        /the secret key .* is good/,
      ],
      ['no gateway', bare.environment, /the service_role key .* is good/],
    ]) {
      const well = findings(rollcall(['doctor', '--json'], { ...env, ...there }));
      assert.equal(well('supabase').verdict, 'ok', name);
      assert.match(well('supabase').message, kind);
      assert.equal(well('supabase_clock').verdict, 'ok');
      assert.equal(well('mirror').verdict, 'ok');
    }
    const refused = finding('supabase', {
      ...auth.environment,
      SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_rollcall_other',
    });
    assert.deepEqual([refused.code, refused.verdict], [1, 'fail']);
    assert.match(refused.message, /with a secret key/);
    assert.match(refused.advice, /of the same project as SUPABASE_URL/);
    const gateless = finding('supabase', {
      ...bare.environment,
      ROLLCALL_SUPABASE_AUTH_PATH: 'none',
      SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_rollcall_simulator',
    });
    assert.equal(gateless.verdict, 'fail');
    assert.match(gateless.message, /without a gateway takes the service_role JWT only/);

    const live = finding('secrets', {
      ...auth.environment,
      CLERK_SECRET_KEY: 'sk_live_x',
      CLERK_API_URL: 'http://127.0.0.1:1',
    });
    assert.equal(live.verdict, 'warn');
    assert.match(live.message, /a live key of Clerk's beside a Supabase on this machine/);
  } finally {
    await auth.stop();
    await bare.stop();
  }
  const away = finding('supabase', auth.environment);
  assert.deepEqual([away.code, away.verdict], [1, 'fail']);
  assert.match(away.advice, /SUPABASE_URL, and the network/);
});

test('the mirror: what waits for too long, and what was given up', async () => {
  const auth = await Auth.start();
  const own = await postgres.create();
  const there = { ...auth.environment, DATABASE_URL: postgres.url(own) };
  try {
    migrate(there.DATABASE_URL);
    await postgres.query(
      own,
      "INSERT INTO job_queue (job_type, status) VALUES ('MIRROR_USER', 'FAILED')",
    );
    const dead = finding('mirror', there);
    assert.deepEqual([dead.code, dead.verdict], [0, 'warn']);
    assert.match(dead.message, /^0 wait, 1 were given up/);
    await postgres.query(
      own,
      `INSERT INTO job_queue (job_type, created_at, run_at)
       VALUES ('MIRROR_USER', now() - interval '20 min', now() + interval '1 min')`,
    );
    assert.match(finding('mirror', there).message, /behind by 20 minutes: 1 wait/);
    assert.equal(finding('queue_age', there).verdict, 'ok');

    const off = finding('mirror', { DATABASE_URL: there.DATABASE_URL });
    assert.deepEqual([off.code, off.verdict], [0, 'warn']);
    assert.match(off.message, /there is none by these settings, but 1 users wait for it/);
    assert.match(off.advice, /SUPABASE_SERVICE_ROLE_KEY there before/);

    const never = finding('mirror_compared', there);
    assert.equal(never.verdict, 'warn');
    assert.match(never.message, /never compared/);
    const compared = (values) =>
      postgres.query(own, `UPDATE rollcall.mirror_state SET compared_at = now(), ${values}`);
    await compared("compared_by = 'pages', missing = 2, held = 0");
    assert.match(finding('mirror_compared', there).message, /: 2 were not as their row$/);
    await compared('held = 40');
    await compared("failed_at = now(), failure = 'Auth is away'");
    assert.match(finding('mirror_compared', there).message, /came to no end: Auth is away$/);
    const held = finding('mirror_held', there);
    assert.equal(held.verdict, 'warn');
    assert.match(held.message, /^40 copies of nobody living/);
    await compared('removals_allowed = 40');
    assert.equal(finding('mirror_held', there).verdict, 'ok');
  } finally {
    await auth.stop();
  }
});

test('an old queue, and circuits that are open', async () => {
  const own = await postgres.create();
  const there = { DATABASE_URL: postgres.url(own) };
  migrate(there.DATABASE_URL);
  await postgres.query(
    own,
    `INSERT INTO job_queue (job_type, created_at, run_at)
     SELECT 'REFRESH_USER', at, at FROM (SELECT now() - interval '10 min') t (at);
     INSERT INTO rollcall.open_circuits
     VALUES ('one', 'clerk', now() - interval '1 min', now()),
            ('gone', 'supabase_auth', now() - interval '1 day', now() - interval '1 day')`,
  );
  const found = findings(rollcall(['doctor', '--json'], { ...env, ...there }));
  assert.match(found('queue_age').message, /queue effects has been due for 10 minutes; 1 wait/);
  assert.equal(found('circuits').verdict, 'warn');
  assert.match(found('circuits').message, /^1 instances leave clerk alone/);
});

test('a database role that may not, or sees nothing, or has other transactions', async () => {
  const own = await postgres.create();
  const url = postgres.url(own);
  migrate(url);
  await postgres.query(
    own,
    `CREATE ROLE doctor_reader LOGIN;
     GRANT ALL ON SCHEMA public, rollcall TO doctor_reader`,
  );
  const there = { DATABASE_URL: url.replace('user=postgres', 'user=doctor_reader') };
  const refused = finding('database_role', there);
  assert.deepEqual([refused.code, refused.verdict], [1, 'fail']);
  assert.match(refused.message, /^doctor_reader may not read and write /);
  await postgres.query(
    own,
    'GRANT ALL ON ALL TABLES IN SCHEMA public, rollcall TO doctor_reader',
  );
  const hidden = finding('database_role', there);
  assert.equal(hidden.verdict, 'fail');
  assert.match(hidden.message, /^row level security hides /);
  assert.match(hidden.advice, /BYPASSRLS/);
  await postgres.query(
    own,
    `ALTER DATABASE "${own}" SET default_transaction_isolation = 'serializable'`,
  );
  const serializable = finding('database_role', { DATABASE_URL: url });
  assert.equal(serializable.verdict, 'warn');
  assert.match(serializable.message, /serializable by default/);
});

test('a standby that every commit waits for is not there', async () => {
  // The sessions of this database wait for none, so that the test can go on.
  await postgres.query(database, `ALTER DATABASE "${database}" SET synchronous_commit = 'local'`);
  const set = async (command) => {
    await postgres.query(database, command);
    await postgres.query(database, 'SELECT pg_reload_conf()');
  };
  await set("ALTER SYSTEM SET synchronous_standby_names = 'nowhere'");
  try {
    const warned = await until(() => {
      const found = finding('replication');
      return found.verdict === 'warn' ? found : undefined;
    }, 'the setting to be in force');
    assert.match(warned.message, /no standby is connected/);
    assert.match(warned.advice, /every commit waits/);
  } finally {
    await set('ALTER SYSTEM RESET synchronous_standby_names');
  }
});

test('the spool: its directory, what is in it, and the room for it', () => {
  const dir = path.join(folder, 'spool');
  const look = (check, change = {}) => finding(check, { ROLLCALL_SPOOL_DIR: dir, ...change });
  assert.match(look('spool').message, /will be made, 0 KiB in it$/);
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(path.join(dir, 'one.log'), Buffer.alloc(3000));
  assert.match(look('spool').message, /can be written, 2 KiB in it$/);
  assert.equal(look('spool_space', { ROLLCALL_SPOOL_BYTES_MAX: '16MiB' }).verdict, 'ok');
  const vast = look('spool_space', { ROLLCALL_SPOOL_BYTES_MAX: '1000000000MiB' });
  assert.deepEqual([vast.code, vast.verdict], [0, 'warn']);
  assert.match(vast.advice, /spool.bytes_max smaller/);
  writeFileSync(path.join(dir, 'two.log.damaged'), 'x');
  assert.match(look('spool').message, /^1 files of .* are damaged$/);
  const nowhere = look('spool', { ROLLCALL_SPOOL_DIR: '/nowhere/at/all' });
  assert.deepEqual([nowhere.code, nowhere.verdict], [78, 'fail']);
  assert.match(nowhere.message, /cannot be made: No such file/);
});

test('files with secrets that everybody may read', () => {
  const secret = path.join(folder, 'webhook_secret');
  writeFileSync(secret, WEBHOOK_SECRET);
  const { CLERK_WEBHOOK_SECRET: _, ...rest } = env;
  const look = (change) =>
    findings(rollcall(['doctor', '--json'], { ...rest, ...change }))('files');
  const config = path.join(folder, 'rollcall.toml');
  writeFileSync(config, `[clerk]\nwebhook_secret = ["${WEBHOOK_SECRET}"]\n`);
  for (const [file, change] of [
    [secret, { CLERK_WEBHOOK_SECRET_FILE: secret }],
    [config, { ROLLCALL_CONFIG: config }],
  ]) {
    chmodSync(file, 0o644);
    const open = look(change);
    assert.deepEqual([open.code, open.verdict], [0, 'warn']);
    assert.ok(open.message.includes(`${file} (clerk.webhook_secret)`), open.message);
    chmodSync(file, 0o640);
    assert.equal(look(change).verdict, 'ok');
  }
});

test('fewer files than connections may come', () => {
  const look = (limit) => {
    const command = `ulimit -Sn ${limit}; exec "$0" doctor --json`;
    const done = spawnSync('bash', ['-c', command, binary()], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { PATH: process.env.PATH, ...env },
    });
    return findings({ ...done, code: done.status })('limits');
  };
  const few = look(256);
  assert.deepEqual([few.code, few.verdict], [0, 'warn']);
  const [, wanted] = /^this process may have 256 files open; (\d+) connections/.exec(few.message);
  assert.match(few.advice, /LimitNOFILE/);
  const hard = Number(spawnSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout);
  assert.equal(look(hard).verdict, hard >= Number(wanted) ? 'ok' : 'warn');
});
