// What processes go through: they are told to end under load, read a bad file, run where the clock
// is wrong, and with a key that is not theirs.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Balancer } from './balancer.mjs';
import { Polled } from './polling.mjs';
import { Postgres, wrongClock } from './postgres.mjs';
import { Service, freshDatabase, patient } from './service.mjs';
import { until } from './simulator.mjs';
import { Traffic } from './traffic.mjs';

const LEASE_SECONDS = 15;

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// fault 41
test('each of two behind a balancer is replaced five times, and nobody notices', async () => {
  const database = await freshDatabase(postgres);
  const start = () =>
    Service.start(postgres.url(database), { ...patient, ROLLCALL_SERVE_SHUTDOWN_DELAY: '3s' });
  const services = [await start(), await start()];
  const balancer = await Balancer.start();
  try {
    for (const service of services) balancer.add(service);
    const all = () => services.every((service) => balancer.takes(service));
    await until(all, 'both to get requests');
    const traffic = new Traffic(balancer.port, 300, 'drain').start();
    for (let round = 0; round < 5; round += 1) {
      for (const service of services) {
        const before_ = traffic.sent;
        await until(() => traffic.sent >= before_ + 100, 'load');
        service.child.kill('SIGTERM');
        const told = Date.now();
        const [code, signal] = await service.closed;
        assert.deepEqual([code, signal], [0, null], service.log);
        // Its shutdown delay and its drain timeout.
        assert.ok(Date.now() - told < 28_000, `${Date.now() - told} ms`);
        service.launch();
        await service.ready();
        await until(all, 'both to get requests');
      }
    }
    const answers = await traffic.stop();
    assert.deepEqual(answers, { 202: traffic.sent }, balancer.failures.join(' '));
    await until(
      async () => {
        const [{ n }] = await postgres.query(
          database,
          'SELECT count(*)::int n FROM users WHERE clerk_id = ANY($1)',
          [traffic.accepted],
        );
        return n === traffic.sent;
      },
      'a row of every delivery',
    );
    // Nothing of the dead is left, and nothing was tried twice for their sake.
    const [left] = await postgres.query(
      database,
      `SELECT count(*) FILTER (WHERE status <> 'COMPLETED')::int open, max(attempts) attempts
       FROM job_queue`,
    );
    assert.deepEqual(left, { open: 0, attempts: 1 });
  } finally {
    await balancer.stop();
    for (const service of services) await service.stop('SIGKILL');
  }
});

// fault 22
test('a worker whose own clock is far off works off what another took', async () => {
  // An hour, unless the machine was started a shorter time ago.
  const wrong = Math.floor(Math.min(3600, os.uptime() / 2));
  assert.ok(wrong > 4 * LEASE_SECONDS, 'leases are short beside it');
  const database = await freshDatabase(postgres);
  const url = postgres.url(database);
  const door = await Service.start(url, { ...patient, ROLLCALL_SERVE_ROLES: 'ingest' });
  const workers = [];
  try {
    for (const offset of [`-${wrong}s`, `+${wrong}s`]) {
      const worker = await Service.start(url, {
        ...wrongClock(offset),
        ROLLCALL_SERVE_ROLES: 'worker scheduler',
        ROLLCALL_JOBS_POLL_INTERVAL: '100ms',
      });
      workers.push(worker);
      const traffic = new Traffic(door.port, 50, `clock${workers.length}x`).start();
      await until(() => traffic.sent >= 100, 'some load');
      assert.deepEqual(await traffic.stop(), { 202: traffic.sent });
      await until(
        async () =>
          (await postgres.query(database, "SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'"))
            .length === 0,
        'all of it to be worked off',
      );
      const at = new Date(JSON.parse(worker.log.split('\n')[0]).ts) - Date.now();
      assert.ok(Math.abs(at) > wrong * 500, 'its clock is wrong indeed');
    }
    // Both at once: neither takes from the other what it holds.
    const traffic = new Traffic(door.port, 50, 'clocks').start();
    await until(() => traffic.sent >= 100, 'some load');
    assert.deepEqual(await traffic.stop(), { 202: traffic.sent });
    await until(
      async () =>
        (await postgres.query(database, "SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'"))
          .length === 0,
      'all of it to be worked off',
    );
    const [{ most }] = await postgres.query(database, 'SELECT max(attempts) most FROM job_queue');
    assert.equal(most, 1);
    for (const service of [door, ...workers]) assert.equal(await service.stop(), 0, service.log);
  } finally {
    for (const service of [door, ...workers]) await service.stop('SIGKILL');
  }
});

// fault 39
test('a reload of a bad file under load changes nothing, and fails no request', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-reload-'));
  const file = path.join(folder, 'rollcall.toml');
  writeFileSync(file, '[webhooks]\nbody_max = "2MiB"\n');
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database), {
    ...patient,
    ROLLCALL_CONFIG: file,
  });
  const traffic = new Traffic(service.port, 200, 'reload').start();
  try {
    const bad = ['[webhooks', '[webhooks]\nbody_max = 7\n', '[nonsense]\nkey = 1\n', '\u0000'];
    for (const text of bad) {
      const before_ = traffic.sent;
      await until(() => traffic.sent > before_ + 50, 'load');
      writeFileSync(file, text);
      service.log = '';
      service.child.kill('SIGHUP');
      await until(() => /"event":"config_reload_failed"/.test(service.log), `a word about ${text}`);
      assert.match(await service.metrics(), /rollcall_config_last_reload_successful 0/);
    }
    writeFileSync(file, '[webhooks]\nbody_max = "1MiB"\n');
    service.child.kill('SIGHUP');
    await until(
      async () => /rollcall_config_last_reload_successful 1/.test(await service.metrics()),
      'a good one to be taken',
    );
    assert.deepEqual(await traffic.stop(), { 202: traffic.sent });
    assert.equal(await service.stop(), 0);
  } finally {
    await traffic.stop();
    await service.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

// fault 45
test('a service with the key of another Clerk instance does not start', async () => {
  const polled = await Polled.start(postgres, 20);
  const staging = await Polled.start(postgres, 3, '--seed', '8');
  try {
    polled.full();
    const before_ = await polled.table();
    for (const mode of ['polling', 'webhook', 'hybrid']) {
      const mixed = await Service.start(
        polled.env.DATABASE_URL,
        { ...polled.env, CLERK_API_URL: staging.sim.url, ROLLCALL_MODE: mode },
        { waitUntilReady: false },
      );
      assert.deepEqual(await mixed.closed, [78, null], mixed.log);
      const said = mixed.log
        .split('\n')
        .filter((line) => line.includes('"event":"clerk_key_refused"'));
      assert.equal(said.length, 1, mixed.log);
      assert.match(JSON.parse(said[0]).message, /of Clerk instance ins_\w+, .* filled from ins_/);
      await mixed.stop();
    }
    const runs = await polled.query("SELECT 1 FROM rollcall.sync_runs WHERE trigger <> 'cli'");
    assert.deepEqual(runs, [], 'nothing was begun');
    assert.deepEqual(await polled.table(), before_);
  } finally {
    await staging.stop();
    await polled.stop();
  }
});

// fault 45
test('one whose Clerk did not say at its start changes nobody', async () => {
  const polled = await Polled.start(postgres, 20);
  const staging = await Polled.start(postgres, 3, '--seed', '8');
  try {
    polled.full();
    const before_ = await polled.table();
    const often = { ROLLCALL_SYNC_INTERVAL: '1s', ROLLCALL_SYNC_FULL_INTERVAL: '1s' };
    await staging.sim.faults({ api_5xx: 3 });
    const mixed = await polled.serve({ ...often, CLERK_API_URL: staging.sim.url });
    const refused = () =>
      polled.query("SELECT error FROM rollcall.sync_runs WHERE failure = 'other_instance'");
    await until(async () => (await refused()).length >= 2, 'passes by schedule');
    for (const { error } of await refused()) assert.match(error, /Clerk instance/);
    const others = await polled.query(
      `SELECT 1 FROM rollcall.sync_runs WHERE trigger <> 'cli' AND status = 'completed'`,
    );
    assert.deepEqual(others, []);
    assert.deepEqual(await polled.table(), before_);
    assert.match(await mixed.metrics(), /rollcall_leader\{role="sync"\} 1/);
    // Beside one with the right key, in whatever order they get their turns.
    const right = await polled.serve(often);
    const { user } = await polled.change('POST', '/users', { email_address: ['n@example.com'] });
    await mixed.kill();
    await until(
      async () =>
        (await polled.query('SELECT 1 FROM users WHERE clerk_id = $1', [user.id])).length > 0,
      'a pass of the one with the right key',
    );
    assert.equal(await right.stop(), 0);
    await polled.equal();
  } finally {
    await staging.stop();
    await polled.stop();
  }
});
