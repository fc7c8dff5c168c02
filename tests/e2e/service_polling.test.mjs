// The service as it polls: by schedule without webhooks, by the cron route, one user by the admin
// route; what is seen of it; and how it stops.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, CRON_SECRET, WEBHOOK_SECRET, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const cron = { authorization: `Bearer ${CRON_SECRET}` };
const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function polled(users, work, env = {}, flags = []) {
  const world = await Polled.start(postgres, users, ...flags);
  Object.assign(world.env, env);
  try {
    await work(world);
  } finally {
    await world.stop();
  }
}

const status = async (service) => (await service.get('/statusz', service.adminPort, admin)).json;
const runs = (world, where) =>
  world.query(`SELECT * FROM rollcall.sync_runs WHERE ${where} ORDER BY id`);

// A number of the metrics page.
async function metric(service, name) {
  const line = (await service.metrics()).split('\n').find((one) => one.startsWith(`${name} `));
  assert.ok(line, `no metric ${name}`);
  return Number(line.slice(name.length));
}

test('polling needs no webhook secret and no webhook', () =>
  polled(
    120,
    async (world) => {
      const service = await world.serve();
      await until(
        async () => (await runs(world, "status = 'completed'")).length >= 2,
        'two passes by schedule',
        30_000,
      );
      const [first, second] = await runs(world, 'true');
      assert.deepEqual([first.trigger, first.mode], ['start', 'full']);
      assert.deepEqual([second.trigger, second.mode], ['schedule', 'incremental']);
      await world.equal();

      for (const path of ['/webhooks/clerk', '/api/webhooks/clerk']) {
        const event = userEvent('user.created', 'user_a', 1);
        assert.equal((await service.deliver(event, { path })).status, 404);
      }
      const jobs = await world.query("SELECT 1 FROM job_queue WHERE job_type LIKE 'USER%'");
      assert.equal(jobs.length, 0);

      const [{ clerk_id: id }] = await world.table();
      await world.change('PATCH', `/users/${id}`, { first_name: 'Polled' });
      await until(
        async () => (await world.table()).some((user) => user.name?.startsWith('Polled')),
        'the change to come by schedule',
      );

      const seen = await status(service);
      assert.equal(seen.mode, 'polling');
      assert.ok(seen.sync.has_duty && seen.sync.lag_seconds < 60);
      assert.match(seen.sync.clerk_instance, /^ins_/);
      assert.deepEqual(
        [seen.sync.failures_in_a_row, seen.sync.held_deletes, seen.sync.held_run],
        [0, 0, null],
      );
      assert.deepEqual(seen.sync.drift, { missing: 120, stale: 0, extra: 0 });
      assert.equal(seen.sync.next.mode, 'incremental');
      assert.ok(Date.parse(seen.sync.next.due_at) > 0);
      assert.ok(seen.sync.runs.length >= 3 && seen.sync.runs.length <= 5);
      assert.equal(await metric(service, 'rollcall_leader{role="sync"}'), 1);
      assert.equal(await metric(service, 'rollcall_sync_drift_users{kind="missing"}'), 120);
      assert.ok(
        (await metric(
          service,
          'rollcall_sync_runs_total{result="completed",trigger="schedule"}',
        )) >= 2,
      );
      assert.ok(await metric(service, 'rollcall_sync_last_success_timestamp_seconds'));
      assert.equal(await service.stop(), 0);
    },
    { ROLLCALL_SYNC_INTERVAL: '1s' },
  ));

test('what each mode cannot do without', () =>
  polled(1, async (world) => {
    const refused = (env) => {
      const { code, stderr } = world.run(['serve'], env);
      assert.equal(code, 78, stderr);
      return stderr;
    };
    assert.match(
      refused({ ROLLCALL_MODE: 'polling', CLERK_SECRET_KEY: '' }),
      /clerk.secret_key.*CLERK_SECRET_KEY/,
    );
    assert.match(
      refused({ ROLLCALL_MODE: 'hybrid' }),
      /CLERK_WEBHOOK_SECRET.*ROLLCALL_MODE=polling/,
    );
  }));

test('webhook mode runs no schedule, hybrid does and takes webhooks', () =>
  polled(20, async (world) => {
    const quiet = await world.serve({
      ROLLCALL_MODE: 'webhook',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    });
    assert.equal((await status(quiet)).sync.next, null);
    const hybrid = await world.serve({
      ROLLCALL_MODE: 'hybrid',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    });
    await until(
      async () => (await runs(world, "status = 'completed'")).length === 1,
      'the first pass',
    );
    await world.equal();
    const [{ instance }] = await runs(world, 'true');
    assert.equal(instance, (await status(hybrid)).instance);
    const event = userEvent('user.created', 'user_hybrid', Date.now());
    assert.equal((await hybrid.deliver(event)).status, 202);
    assert.equal(await quiet.stop(), 0);
    assert.equal(await hybrid.stop(), 0);
  }));

test('the cron route: key, modes, answers', () =>
  polled(
    150,
    async (world) => {
      const service = await world.serve();
      const path = '/api/cron/clerk-sync';
      for (const headers of [{}, { authorization: 'Bearer nonsense' }]) {
        const answer = await service.get(path, service.port, headers);
        assert.equal(answer.status, 401);
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
      }
      assert.equal((await service.get(`${path}?mode=half`, service.port, cron)).status, 400);

      const first = await service.get(`${path}?mode=full`, service.port, cron);
      assert.equal(first.status, 200, first.text);
      assert.deepEqual(Object.keys(first.json), [
        ...['mode', 'status', 'seen', 'created', 'updated', 'unchanged', 'deleted', 'restored'],
        ...['held_deletes', 'pages', 'requests', 'duration_seconds', 'error'],
      ]);
      assert.deepEqual(
        [first.json.mode, first.json.status, first.json.created, first.json.error],
        ['full', 'completed', 150, null],
      );
      const next = await service.request('POST', path, { headers: cron });
      assert.deepEqual([next.status, next.json.mode], [200, 'incremental']);
      await world.equal();

      await world.sim.faults({ api_slow: true, slow_seconds: 0.3 });
      const slow = service.get(`${path}?mode=full`, service.port, cron);
      await until(async () => (await runs(world, "status = 'running'")).length > 0, 'a run');
      const busy = await service.get(path, service.port, cron);
      assert.deepEqual([busy.status, busy.json.error], [409, 'another run is under way']);
      assert.equal((await slow).status, 200);

      await world.sim.faults({ api_slow: 0, api_401: true });
      const failed = await service.get(path, service.port, cron);
      assert.equal(failed.status, 502);
      assert.equal(failed.json.status, 'failed');
      assert.ok(failed.json.error);
      assert.equal((await status(service)).sync.failures_in_a_row, 1);
      assert.equal(
        await metric(service, 'rollcall_sync_runs_total{result="failed",trigger="cron"}'),
        1,
      );
      const keyless = await world.serve({ CRON_SECRET: '' });
      assert.equal((await keyless.get(path, keyless.port, cron)).status, 404);
    },
    { ROLLCALL_SERVE_ROLES: 'worker' },
  ));

test('ten callers of the cron route at once begin one pass', () =>
  polled(
    30,
    async (world) => {
      const one = await world.serve();
      const two = await world.serve();
      await world.sim.faults({ api_slow: true, slow_seconds: 0.2 });
      const calls = Array.from({ length: 10 }, (_, i) => {
        const service = i % 2 === 0 ? one : two;
        return service.get('/api/cron/clerk-sync?mode=full', service.port, cron);
      });
      const answers = (await Promise.all(calls)).map((answer) => answer.status);
      assert.deepEqual(answers.toSorted(), [200, ...Array(9).fill(409)]);
      assert.equal((await runs(world, 'true')).length, 1);
    },
    { ROLLCALL_SERVE_ROLES: 'worker' },
  ));

test('one user by the admin route', () =>
  polled(
    5,
    async (world) => {
      const service = await world.serve();
      const refresh = (id, headers = admin) =>
        service.request('POST', `/api/v1/users/${id}/sync`, { port: service.adminPort, headers });
      const [{ clerk_id: id }] = await world.truth();
      assert.equal((await refresh(id, {})).status, 401);
      const all = await Promise.all([refresh(id), refresh(id), refresh(id)]);
      for (const answer of all) {
        assert.equal(answer.status, 200, answer.text);
        assert.deepEqual([answer.json.mode, answer.json.created], ['user', 1]);
      }
      const once = await runs(world, "mode = 'user'");
      assert.deepEqual(
        once.map((run) => [run.trigger, run.clerk_id, run.status]),
        [['admin', id, 'completed']],
      );
      assert.equal(
        await metric(service, 'rollcall_sync_runs_total{result="completed",trigger="admin"}'),
        1,
      );
      assert.equal((await refresh('x'.repeat(300))).status, 400);

      await world.change('DELETE', `/users/${(await world.truth())[1].clerk_id}`);
      await refresh((await world.truth())[1].clerk_id);
      await world.change('DELETE', `/users/${id}`);
      const gone = await refresh(id);
      assert.deepEqual([gone.status, gone.json.deleted], [200, 1]);
      assert.ok(!(await world.table()).some((user) => user.clerk_id === id));
    },
    { ROLLCALL_SERVE_ROLES: 'worker' },
  ));

test('a deletion of one user beyond the guard is seen wherever those of a pass are', () =>
  polled(
    3,
    async (world) => {
      world.full();
      const service = await world.serve();
      const [{ clerk_id: id }] = await world.truth();
      await world.change('DELETE', `/users/${id}`);
      await world.query(
        `INSERT INTO rollcall.absences (clerk_id, first_seen_at, concluded_at)
         SELECT 'user_gone_' || n, now(), now() FROM generate_series(1, 10) AS n`,
      );
      const held = await service.request('POST', `/api/v1/users/${id}/sync`, {
        port: service.adminPort,
        headers: admin,
      });
      assert.deepEqual([held.status, held.json.deleted, held.json.held_deletes], [200, 0, 1]);
      assert.equal((await status(service)).sync.held_by_id, 1);
      assert.equal(await metric(service, 'rollcall_sync_deletes_blocked_total'), 1);
      await until(
        async () => (await metric(service, 'rollcall_alerts_active{alert="DeletesHeld"}')) === 1,
        'the alert',
      );
      assert.equal(world.full().deleted, 1);
      assert.equal((await status(service)).sync.held_by_id, 0);
    },
    { ROLLCALL_SYNC_INTERVAL: '1h', ROLLCALL_ALERTS_INTERVAL: '200ms' },
  ));

test('SIGTERM in the middle of a pass: the next process goes on from there at once', () =>
  polled(
    4000,
    async (world) => {
      const one = await world.serve();
      await world.seenSoFar();
      const began = Date.now();
      assert.equal(await one.stop(), 0);
      assert.ok(Date.now() - began < 10_000, 'at once, and not when the pass has ended');
      const [cut] = await runs(world, 'true');
      assert.equal(cut.status, 'incomplete');
      assert.match(cut.error, /interrupted/);
      await world.sim.faults({ api_slow: 0 });
      await world.serve();
      await until(
        async () =>
          (await runs(world, `continues = ${cut.id} AND status = 'completed'`)).length === 1,
        'the pass that goes on',
        30_000,
      );
      await world.equal();
    },
    { ROLLCALL_SYNC_INTERVAL: '1h', ROLLCALL_SYNC_WORKERS: '1' },
    ['--fault', 'api_slow=always', '--fault', 'slow_seconds=1.2'],
  ));

test('a database that is restarted hard in the middle of a pass: the next goes on from there', () =>
  polled(
    3000,
    async (world) => {
      await world.serve();
      await world.seenSoFar();
      postgres.down('immediate');
      await delay(3_000); // a page comes meanwhile, after 1.2 s
      postgres.up();
      const [cut] = await runs(world, 'true');
      await world.sim.faults({ api_slow: 0 });
      await until(
        async () =>
          (await runs(world, `continues = ${cut.id} AND status = 'completed'`)).length === 1,
        'the pass that goes on',
        40_000,
      );
      const [{ status: ended }] = await runs(world, `id = ${cut.id}`);
      assert.ok(['failed', 'incomplete'].includes(ended), ended);
      await world.equal();
    },
    { ROLLCALL_SYNC_INTERVAL: '1s', ROLLCALL_SYNC_WORKERS: '1' },
    ['--fault', 'api_slow=always', '--fault', 'slow_seconds=1.2'],
  ));

test('SIGTERM does not wait for Clerk, which has said to come back later', () =>
  polled(50, async (world) => {
    await world.sim.faults({ api_429: true, retry_after_seconds: 90 });
    const service = await world.serve();
    await until(() => service.log.includes('clerk_says_wait'), 'the 429');
    const began = Date.now();
    assert.equal(await service.stop(), 0);
    assert.ok(Date.now() - began < 10_000, 'at once');
    const [cut] = await runs(world, 'true');
    assert.equal(cut.status, 'incomplete');
    assert.match(cut.error, /interrupted/);
  }));
