// The commands of the binary: exit codes, what they print, what they refuse.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Webhook } from 'svix';

import { Postgres } from './postgres.mjs';
import {
  ADMIN_TOKEN,
  Service,
  WEBHOOK_SECRET,
  freshDatabase,
  migrate,
  rollcall,
  userEvent,
} from './service.mjs';
import { until } from './simulator.mjs';

let postgres, database, url, folder;
before(async () => {
  postgres = await Postgres.start();
  database = await postgres.create();
  url = postgres.url(database);
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-cli-'));
});
after(() => {
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('usage errors are 2, help and version 0', () => {
  assert.equal(rollcall([]).code, 2);
  assert.equal(rollcall(['nonsense']).code, 2);
  assert.equal(rollcall(['jobs', 'show']).code, 2);
  assert.equal(rollcall(['--help']).code, 0);
  assert.match(rollcall(['--version']).stdout, /^rollcall \d+\.\d+\.\d+ \(/);
  for (const command of ['dev', 'serve', 'migrate', 'jobs', 'verify', 'doctor', 'sim', 'config']) {
    assert.ok(rollcall(['--help']).stdout.includes(command), command);
    assert.equal(rollcall([command, '--help']).code, 0, command);
  }
});

test('a word that is no command is named', () => {
  for (const [words, said] of [
    [['nonsense'], /no such command: `nonsense`\. /],
    [['migrat'], /no such command: `migrat`, did you mean `migrate`\?/],
    [['jobs', 'lst'], /no such command: `lst`, did you mean `list`\?/],
    [['jobs'], /subcommand is required/],
    [['--nonsense'], /required|not expected/],
  ]) {
    const { code, stderr } = rollcall(words);
    assert.equal(code, 2);
    assert.match(stderr, said);
  }
});

test('an empty word, as of a variable without a value, widens nothing', () => {
  for (const words of [
    ['jobs', 'cancel', '--reason', '', '--dry-run'],
    ['jobs', 'cancel', '', '--status', 'PENDING', '--dry-run'],
    ['users', 'erase', '', '--yes'],
    ['audit-log', '--target', ''],
    ['sync', '--user', ''],
    ['doctor', '--self-test', ''],
    ['--config', '', 'config', 'print'],
  ]) {
    const { code, stderr } = rollcall(words);
    assert.equal(code, 2, words.join(' '));
    assert.match(stderr, /must not be empty/);
  }
});

test('jobs on a database without the schema says what to do', async () => {
  const empty = postgres.url(await postgres.create());
  for (const words of [['stats'], ['list'], ['show', '00000000-0000-7000-8000-000000000000']]) {
    const { code, stderr } = rollcall(['jobs', ...words], { DATABASE_URL: empty });
    assert.equal(code, 1);
    assert.match(stderr, /run: rollcall migrate/);
  }
});

test('serve names what is missing, with 78', () => {
  const base = {
    DATABASE_URL: url,
    CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    CLERK_SECRET_KEY: 'sk_test_x',
  };
  const refuse = (change, word) => {
    const { code, stderr } = rollcall(['serve'], { ...base, ...change });
    assert.equal(code, 78, stderr);
    assert.ok(stderr.includes(word), stderr);
    assert.ok(!stderr.includes(WEBHOOK_SECRET.slice(6)), 'no secret in the message');
  };
  refuse({ DATABASE_URL: '' }, 'DATABASE_URL');
  refuse({ CLERK_WEBHOOK_SECRET: '' }, 'CLERK_WEBHOOK_SECRET');
  refuse({ CLERK_SECRET_KEY: '' }, 'ROLLCALL_MODE=webhook');
  refuse({ CLERK_WEBHOOK_SECRET: 'whsec_' }, 'webhook_secret');
  refuse(
    { CLERK_WEBHOOK_SECRET: `whsec_${Buffer.alloc(23).toString('base64')}` },
    'webhook_secret',
  );
  refuse({ CLERK_API_URL: 'http://api.clerk.com' }, 'api_url');
  refuse({ ROLLCALL_MODE: 'sideways' }, 'serve.mode');
  refuse({ ROLLCALL_JOBS_LEASE: '16s' }, 'jobs.lease');
  refuse({ ROLLCALL_SERVE_ROLES: 'ingest cook' }, 'serve.roles');
  refuse({ ROLLCALL_JOBS_LEESE: '5s' }, 'is it ROLLCALL_JOBS_LEASE?');
  const file = path.join(folder, 'bad.toml');
  writeFileSync(file, '[serve]\nlissten = "127.0.0.1:1"\n');
  refuse({ ROLLCALL_CONFIG: file }, `${file}:2: serve.lissten`);
});

test('config print shows values, sources and no secret', () => {
  const { code, stdout } = rollcall(['config', 'print', '--json'], {
    DATABASE_URL: url,
    CLERK_SECRET_KEY: 'sk_test_abcdefghijkl',
    ROLLCALL_LISTEN: '127.0.0.1:9',
  });
  assert.equal(code, 0);
  const settings = JSON.parse(stdout);
  assert.deepEqual(settings['serve.listen'], {
    value: '127.0.0.1:9',
    source: 'environment ROLLCALL_LISTEN',
  });
  assert.equal(settings['jobs.batch'].source, 'default');
  assert.ok(!stdout.includes('abcdefghijkl'));
});

test('migrate shows, applies, repeats; status follows', async () => {
  const dry = rollcall(['migrate', '--dry-run'], { DATABASE_URL: url });
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /0001_job_queue/);
  assert.equal(
    (await postgres.query(database, "SELECT to_regclass('public.job_queue') t"))[0].t,
    null,
  );
  assert.equal(rollcall(['migrate', 'status'], { DATABASE_URL: url }).code, 1);
  const done = rollcall(['migrate'], { DATABASE_URL: url });
  assert.equal(done.code, 0, done.stderr);
  // The same, but for the SQL, in the other tense.
  const told = dry.stdout.split('\n').filter((line) => /^(would |note: )/.test(line));
  assert.deepEqual(
    done.stdout.trim().split('\n'),
    told.map((line) => line.replace('would apply', 'applied').replace('would do', 'done')),
  );
  assert.equal(rollcall(['migrate', 'status'], { DATABASE_URL: url }).code, 0);
  assert.match(migrate(url), /up to date/);
  assert.equal(rollcall(['migrate'], { DATABASE_URL: 'postgresql:///x?host=/nowhere' }).code, 69);
});

test('jobs are listed, shown, retried and cancelled', async () => {
  const env = { DATABASE_URL: url };
  const json = (...args) => {
    const done = rollcall(['jobs', ...args, '--json'], env);
    assert.equal(done.code, 0, done.stderr);
    return JSON.parse(done.stdout);
  };
  await postgres.query(
    database,
    `INSERT INTO job_queue (job_type, payload, status, error)
     VALUES ('USER_CREATED', '{}', 'FAILED', 'no clerk_id')`,
  );
  const [job] = json('list', '--status', 'FAILED').jobs;
  assert.deepEqual(
    [job.job_type, job.status, job.error],
    ['USER_CREATED', 'FAILED', 'no clerk_id'],
  );
  assert.equal(json('show', job.id).id, job.id);
  assert.equal(rollcall(['jobs', 'retry', job.id], env).code, 0);
  assert.equal(json('show', job.id).status, 'PENDING');
  assert.equal(rollcall(['jobs', 'retry', job.id], env).code, 1);
  assert.equal(rollcall(['jobs', 'cancel', job.id], env).code, 0);
  assert.equal(json('show', job.id).status, 'CANCELLED');
  const nonsense = rollcall(['jobs', 'list', '--status', 'nonsense'], env);
  assert.equal(nonsense.code, 2);
  assert.match(nonsense.stderr, /--status: nonsense not in .*PENDING.*CANCELLED/);
  assert.equal(rollcall(['jobs', 'list', '--after', 'nonsense'], env).code, 2);
  assert.equal(json('stats').jobs.find((one) => one.status === 'CANCELLED').count, 1);
  for (const id of ['00000000-0000-0000-0000-000000000000', 'nonsense']) {
    assert.equal(rollcall(['jobs', 'show', id], env).code, 1);
    assert.equal(rollcall(['jobs', 'retry', id], env).code, 1);
    assert.equal(rollcall(['jobs', 'cancel', id], env).code, 1);
  }
});

test('verify webhook tells the reason first', () => {
  const body = '{"a":1}';
  const at = new Date(1_700_000_000_000);
  const signature = new Webhook(WEBHOOK_SECRET).sign('msg_1', at, body);
  const file = path.join(folder, 'body.json');
  writeFileSync(file, body);
  const verify = (change, now = '1700000000') => {
    const given = {
      secret: WEBHOOK_SECRET,
      id: 'msg_1',
      timestamp: '1700000000',
      signature,
      ...change,
    };
    const flags = Object.entries(given).flatMap(([key, value]) => [`--${key}`, value]);
    const { code, stdout } = rollcall(['verify', 'webhook', ...flags, '--now', now, file]);
    return [code, stdout.split(/[:\s]/)[0]];
  };
  assert.deepEqual(verify({}), [0, 'ok']);
  assert.deepEqual(verify({}, '1700000300'), [0, 'ok']);
  assert.deepEqual(verify({}, '1700000301'), [1, 'stale_timestamp']);
  assert.deepEqual(verify({}, '1699999699'), [1, 'future_timestamp']);
  assert.deepEqual(verify({ id: '' }), [1, 'missing_header']);
  assert.deepEqual(verify({ timestamp: '1700000000x' }), [1, 'bad_timestamp']);
  assert.deepEqual(verify({ id: 'msg_2' }), [1, 'no_matching_signature']);
  assert.deepEqual(verify({ secret: 'whsec_' }), [1, 'bad_secret']);
  for (const unreadable of [path.join(folder, 'none'), folder]) {
    const { code, stderr } = rollcall([
      'verify',
      'webhook',
      '--secret',
      WEBHOOK_SECRET,
      unreadable,
    ]);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`cannot read ${unreadable}`), stderr);
  }
  assert.deepEqual(
    verify({ secret: `whsec_${Buffer.alloc(24, 1).toString('base64')} ${WEBHOOK_SECRET}` }),
    [0, 'ok'],
  );
});

test('seen from outside: health, status, metrics, reload', async () => {
  const own = await freshDatabase(postgres);
  const file = path.join(folder, 'reload.toml');
  writeFileSync(file, '[log]\nlevel = "info"\n');
  const service = await Service.start(postgres.url(own), { ROLLCALL_CONFIG: file });
  try {
    for (const port of [service.port, service.adminPort]) {
      assert.equal((await service.get('/livez', port)).status, 200);
      assert.equal((await service.get('/readyz', port)).status, 200);
    }
    assert.match(
      (await service.get('/readyz?verbose', service.adminPort)).text,
      /\[\+\]database ok/,
    );
    assert.equal((await service.get('/statusz', service.adminPort)).status, 401);
    const status = await service.get('/statusz', service.adminPort, {
      authorization: `Bearer ${ADMIN_TOKEN}`,
    });
    assert.equal(status.json.ready, true);
    assert.deepEqual(
      status.json.queue.map((one) => [one.queue, one.ready, one.dead]),
      [
        ['users', 0, 0],
        ['effects', 0, 0],
        ['mirror', 0, 0],
      ],
    );
    assert.equal((await service.get('/metrics')).status, 404);
    await service.deliver(
      userEvent('user.created', 'user_seen', 1000, {
        email: 'canary-mail@example.com',
        first: 'CanaryName',
      }),
    );
    await until(
      async () =>
        /rollcall_jobs_completed_total\{[^}]*result="ok"[^}]*\} 1/.test(await service.metrics()),
      'the metric of a completed job',
    );
    // A delivery wakes who applies it, and not those who look for leased jobs.
    const claims = async () =>
      Number(
        /rollcall_claim_duration_seconds_count\{queue="effects"\} (\d+)/.exec(
          await service.metrics(),
        )[1],
      );
    const [before, begun] = [await claims(), Date.now()];
    for (let i = 0; i < 40; i += 1) {
      await service.deliver(userEvent('user.updated', 'user_seen', 2000 + i));
    }
    const made = (await claims()) - before;
    const polled = (Date.now() - begun) / 1000;
    assert.ok(made <= polled + 2, `${made} claims in ${polled} s`);
    for (const name of [
      'rollcall_build_info',
      'rollcall_start_time_seconds',
      'rollcall_event_loop_lag_seconds_bucket',
      'rollcall_queue_paused{queue="users"} 0',
      'rollcall_db_transactions_retried_total{sqlstate="40001"} 0',
      'process_start_time_seconds',
      'rollcall_webhook_lag_seconds_bucket',
      'rollcall_queue_oldest_ready_age_seconds',
      'rollcall_db_connections',
      'rollcall_http_requests_total',
      'process_resident_memory_bytes',
    ]) {
      assert.ok((await service.metrics()).includes(name), name);
    }
    writeFileSync(file, '[log]\nlevel = "loud"\n');
    service.child.kill('SIGHUP');
    await until(() => service.log.includes('config_reload_failed'), 'the refusal in the log');
    assert.match(await service.metrics(), /rollcall_config_last_reload_successful 0/);
    assert.ok(!service.log.includes('secret_file_open'), 'no secret, or nobody may read it');
    writeFileSync(file, '[log]\nlevel = "debug"\n[alerts]\nwebhook_url = "http://127.0.0.1:9/"\n');
    chmodSync(file, 0o644);
    service.child.kill('SIGHUP');
    await until(() => service.log.includes('config_reloaded'), 'the reload in the log');
    const [told] = /^.*"secret_file_open".*$/m.exec(service.log);
    assert.equal(JSON.parse(told).key, 'alerts.webhook_url');
    assert.equal(JSON.parse(told).file, file);
    for (const line of service.log.trim().split('\n')) JSON.parse(line);
    assert.ok(!/canary/i.test(service.log), 'no personal data in the log');
  } finally {
    assert.equal(await service.stop(), 0);
  }
});
