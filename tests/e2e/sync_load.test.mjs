// A complete pass that has to write every row and a burst of queued changes of every user at once:
// who signs up meanwhile is not made to wait until they are through.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { CRON_SECRET, WEBHOOK_SECRET } from './service.mjs';
import { until } from './simulator.mjs';

const users = 10_000;
const changesOfEach = 6;
const newcomers = 15;

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function backlog(polled) {
  const [{ jobs }] = await polled.query(
    "SELECT count(*)::int jobs FROM job_queue WHERE status = 'PENDING' AND priority = 1",
  );
  return jobs;
}

// fault 32
test('who signs up during a resync and a burst is there before their end', async (t) => {
  const polled = await Polled.start(postgres, users);
  try {
    const service = await polled.serve({
      ROLLCALL_MODE: 'hybrid',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ROLLCALL_SYNC_INTERVAL: '1h',
    });
    await until(async () => (await polled.living()) === users, 'the first pass', 60_000);
    await polled.sim.control('PATCH', '/endpoint', {
      url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
    });
    await polled.query("UPDATE users SET name = 'Stale'");
    await polled.query(
      `INSERT INTO job_queue (job_type, payload, priority)
       SELECT 'USER_UPDATED', jsonb_build_object('clerk_id', u.clerk_id, 'name', 'Burst ' || n,
           'email', u.email, 'user_role', 'user'), 1
       FROM users u, generate_series(1, $1) n`,
      [changesOfEach],
    );
    const pass = service.get('/api/cron/clerk-sync?mode=full', service.port, {
      authorization: `Bearer ${CRON_SECRET}`,
    });
    const waits = [];
    for (let number = 0; number < newcomers; number += 1) {
      const asked = performance.now();
      const { user } = await polled.change('POST', '/users', {
        email_address: [`newcomer${number}@example.com`],
      });
      await until(
        async () =>
          (await polled.query('SELECT 1 FROM users WHERE clerk_id = $1', [user.id])).length > 0,
        'the newcomer',
        30_000,
      );
      waits.push(performance.now() - asked);
      if ((await backlog(polled)) === 0) break;
    }
    waits.sort((a, b) => a - b);
    t.diagnostic(
      `${waits.length} newcomers, within ${waits[waits.length >> 1].toFixed(0)} ms, ` +
        `the slowest ${waits.at(-1).toFixed(0)} ms`,
    );
    assert.equal(waits.length, newcomers, 'all of them before the burst was worked off');
    const { status, text } = await pass;
    assert.ok(status === 200 || /Clerk listed/.test(text), `${status} ${text}`);
    await until(async () => (await backlog(polled)) === 0, 'an empty queue', 60_000);
    assert.equal(polled.sync('--full').code, 0);
    await polled.equal();
  } finally {
    await polled.stop();
  }
});
