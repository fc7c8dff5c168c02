// Clerk's API fails, hangs, breaks off, drips: the service leaves it alone and goes on with what it
// can do without, nobody is deleted, no attempt is burnt, and afterwards all is caught up with.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { userEvent } from './service.mjs';
import { WEBHOOK_SECRET, until } from './simulator.mjs';
import { TcpProxy } from './tcp_proxy.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

const users = 20;

for (const [name, sick, well] of [
  [
    'answers 500, 502 and 503',
    ({ sim }) => sim.faults({ api_5xx: true }),
    ({ sim }) => sim.faults({ api_5xx: false }),
  ],
  [
    'hangs',
    ({ sim }) => sim.faults({ api_hang: true }),
    ({ sim }) => sim.faults({ api_hang: false }),
  ],
  ['is not there', ({ proxy }) => proxy.close(), ({ proxy }) => proxy.close(false)],
  [
    'resets connections half way',
    ({ proxy }) => (proxy.answers = 'reset'),
    ({ proxy }) => (proxy.answers = 'whole'),
  ],
  [
    'drips a byte at a time',
    ({ proxy }) => (proxy.answers = 'drip'),
    ({ proxy }) => (proxy.answers = 'whole'),
  ],
]) {
  // fault 24
  test(`Clerk ${name}`, async () => {
    const polled = await Polled.start(postgres, users, '--quiet-users');
    const { sim } = polled;
    const proxy = await TcpProxy.start(Number(new URL(sim.url).port));
    try {
      polled.full();
      const service = await polled.serve({
        CLERK_API_URL: proxy.url,
        ROLLCALL_MODE: 'hybrid',
        CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
        ROLLCALL_CLERK_TIMEOUT: '500ms',
        ROLLCALL_SYNC_INTERVAL: '1s',
        ROLLCALL_SYNC_FULL_INTERVAL: '2s',
      });
      const ids = (await polled.truth()).map((user) => user.clerk_id);
      await sick({ sim, proxy });
      // What only asking Clerk can tell.
      await polled.query(
        `SELECT rollcall.enqueue('REFRESH_USER', jsonb_build_object('clerk_id', id))
         FROM unnest($1::text[]) AS id`,
        [ids],
      );
      const circuit = async () =>
        Number(/rollcall_circuit_state\{upstream="clerk"} (\d)/.exec(await service.metrics())[1]);
      await until(async () => (await circuit()) > 0, 'an open circuit');
      const answer = await service.deliver(userEvent('user.created', 'user_meanwhile', 1));
      assert.equal(answer.status, 202);
      await until(async () => (await polled.living()) === users + 1, 'a row all the same');
      assert.equal((await service.get('/readyz')).status, 200);
      const jobs = await polled.query(
        "SELECT status, attempts FROM job_queue WHERE job_type = 'REFRESH_USER'",
      );
      for (const { status, attempts } of jobs) {
        assert.notEqual(status, 'FAILED');
        assert.ok(attempts <= 1, `${attempts} attempts`);
      }

      await well({ sim, proxy });
      const [gone, ...others] = ids;
      await polled.change('DELETE', `/users/${gone}`);
      await polled.change('PATCH', `/users/${others[0]}`, { first_name: 'Afterwards' });
      await until(
        async () =>
          (await polled.query("SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'")).length === 0,
        'all that waited',
      );
      assert.equal(await service.stop(), 0, service.log);
      polled.full();
      await polled.equal();
    } finally {
      await polled.stop();
      proxy.stop();
    }
  });
}

// fault 23
test('Clerk is asked too much: it is left alone as told, and no attempt is burnt', async () => {
  const polled = await Polled.start(postgres, users, '--quiet-users');
  const { sim } = polled;
  try {
    polled.full();
    const service = await polled.serve({
      ROLLCALL_MODE: 'hybrid',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ROLLCALL_SYNC_INTERVAL: '1h',
      ROLLCALL_JOBS_MAX_ATTEMPTS: '2',
      ROLLCALL_JOBS_BACKOFF_BASE: '50ms',
    });
    const limited = async () => (await sim.control('GET', '')).faults_struck.api_429 ?? 0;
    const ids = (await polled.truth()).map((user) => user.clerk_id);
    await polled.change('PATCH', `/users/${ids[0]}`, { first_name: 'Afterwards' });
    await sim.faults({ api_429: true, retry_after_seconds: 1 });
    const begun = Date.now();
    await polled.query(
      `SELECT rollcall.enqueue('REFRESH_USER', jsonb_build_object('clerk_id', id))
       FROM unnest($1::text[]) AS id`,
      [ids],
    );
    await until(() => Date.now() > begun + 5_000, 'more waits than a job has attempts');
    const asked = await limited();
    const seconds = (Date.now() - begun) / 1000;
    // Each answer holds all of those who ask for a second; those under way are answered, too.
    const most = 16 * (seconds + 2);
    assert.ok(asked > 2 && asked <= most, `${asked} requests in ${seconds} s`);
    await sim.faults({ api_429: false });
    await until(
      async () =>
        (await polled.query("SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'")).length === 0,
      'all that waited',
    );
    const [{ most: attempts }] = await polled.query('SELECT max(attempts) most FROM job_queue');
    assert.equal(attempts, 1);
    assert.equal(await service.stop(), 0, service.log);
    await polled.equal();
  } finally {
    await polled.stop();
  }
});

// fault 25
test('a list that misses a third deletes nobody, and a person is told', async () => {
  const polled = await Polled.start(postgres, 60, '--quiet-users');
  const { sim } = polled;
  try {
    polled.full();
    const missing = (await polled.truth()).slice(0, 20).map((user) => user.clerk_id);
    for (const id of missing) await polled.change('DELETE', `/users/${id}`);
    const service = await polled.serve({
      ROLLCALL_SYNC_INTERVAL: '1s',
      ROLLCALL_SYNC_FULL_INTERVAL: '1s',
      ROLLCALL_ALERTS_WEBHOOK_URL: `${sim.url}/sim/alerts`,
      ROLLCALL_ALERTS_INTERVAL: '100ms',
    });
    const [alert] = await until(async () => {
      const { alerts } = await sim.control('GET', '/alerts');
      const told = alerts.filter(({ body }) => body.alert === 'DeletesHeld');
      return told.length > 0 && told.map(({ body }) => body);
    }, 'the alert');
    assert.equal(alert.status, 'firing');
    assert.match(alert.summary, /wait for a person: 20/);
    const passes = async () =>
      (await polled.query(
        "SELECT 1 FROM rollcall.sync_runs WHERE mode = 'full' AND held_deletes = 20",
      )).length;
    await until(async () => (await passes()) >= 2, 'another pass that holds them back');
    assert.equal(await polled.living(), 60);
    assert.match(await service.metrics(), /rollcall_sync_deletes_blocked_total [1-9]/);
    assert.equal(await service.stop(), 0, service.log);
  } finally {
    await polled.stop();
  }
});
