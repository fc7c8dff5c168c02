// Webhooks and passes about the same users at the same time, driven from a seed: events come twice,
// late and in the wrong order, and what Clerk answers is out of date when it arrives. When both are
// through the table equals Clerk, and no further pass is needed for that. A failure prints its
// seed; ROLLCALL_SEED=n repeats one, ROLLCALL_PASSES=n lets it run longer.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { chooser } from './chooser.mjs';
import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { CRON_SECRET, WEBHOOK_SECRET } from './service.mjs';
import { until } from './simulator.mjs';

const seeds = process.env.ROLLCALL_SEED
  ? [Number(process.env.ROLLCALL_SEED)]
  : [1, 2, Math.floor(Math.random() * 1e9)];
const passes = Number(process.env.ROLLCALL_PASSES ?? 6);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// Clerk at the end of a long way: an answer is up to `late_max` milliseconds old when it arrives.
async function farAway(url, random, late_max = 150) {
  const server = http.createServer(async (request, response) => {
    const answer = await fetch(`${url}${request.url}`, { headers: request.headers });
    const body = await answer.text();
    await pause(random.below(late_max));
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function act(polled, random, people, step) {
  // A few of them are in the thick of it.
  const id = random.below(2) === 0 ? people[random.below(5)] : random.pick(people);
  const roll = random.below(100);
  if (roll < 25) {
    const { ok, user } = await polled.change('POST', '/users', {
      email_address: [`p${step}@example.com`],
      first_name: `First${step}`,
    });
    if (ok) people.push(user.id);
  } else if (roll < 65) {
    await polled.change('PATCH', `/users/${id}`, { first_name: `Changed${step}` });
  } else if (roll < 75) {
    await polled.change('PATCH', `/users/${id}/metadata`, {
      public_metadata: { role: random.pick(['admin', 'user', null]) },
    });
  } else if (roll < 85) {
    await polled.change('POST', `/users/${id}/${random.pick(['ban', 'unban', 'lock', 'unlock'])}`);
  } else {
    const { ok } = await polled.change('DELETE', `/users/${id}`);
    if (ok) people.splice(people.indexOf(id), 1);
  }
}

// One complete pass, begun as soon as none of the schedule is under way.
async function pass(service) {
  for (;;) {
    const answer = await service.request('GET', '/api/cron/clerk-sync?mode=full', {
      headers: { authorization: `Bearer ${CRON_SECRET}` },
      timeout: 600_000,
    });
    if (answer.status !== 409) return answer;
    await pause(20);
  }
}

// Every message delivered, every job worked off.
async function quiet(polled) {
  await until(
    async () => (await polled.sim.control('GET', '')).messages.pending === 0,
    'every message delivered',
    60_000,
  );
  await until(
    async () =>
      (await polled.query("SELECT 1 FROM job_queue WHERE status IN ('PENDING','PROCESSING')"))
        .length === 0,
    'an empty queue',
    60_000,
  );
}

for (const seed of seeds) {
  test(`seed ${seed}: webhooks and passes race on the same users`, async () => {
    const random = chooser(seed);
    const polled = await Polled.start(postgres, 150, '--seed', String(seed), '--speed', '200');
    const clerk = await farAway(polled.sim.url, chooser(seed + 1));
    try {
      const service = await polled.serve({
        ROLLCALL_MODE: 'hybrid',
        CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
        CLERK_API_URL: clerk.url,
        ROLLCALL_SYNC_INTERVAL: '1s',
        ROLLCALL_SYNC_WORKERS: '3',
        ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000000',
      });
      await polled.sim.faults({
        duplicate: 0.2,
        reorder: 0.2,
        delay: 0.3,
        same_millisecond: 0.1,
        delay_seconds: 1,
        reorder_seconds: 1,
      });
      await polled.sim.control('PATCH', '/endpoint', {
        url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
      });
      const people = (await polled.truth()).map((user) => user.clerk_id);
      let step = 0;
      for (let number = 0; number < passes; number += 1) {
        let over = false;
        const run = pass(service).finally(() => (over = true));
        while (!over) {
          await act(polled, random, people, (step += 1));
          await pause(random.below(5));
        }
        const { status, text } = await run;
        // Honest ends: the list moved too much to count, or whoever holds an address that another
        // has now is gone at the first look, and the second is still to come. Others are none.
        const honest = /Clerk listed|not taken by the users table.*it is asked once more/;
        assert.ok(status === 200 || honest.test(text), `seed ${seed}: ${status} ${text}`);
        const marked = await polled.query(
          `SELECT clerk_id FROM rollcall.ledger
           WHERE deleted_at IS NOT NULL AND clerk_id = ANY($1)`,
          [people],
        );
        assert.deepEqual(marked, [], `seed ${seed}: nobody alive is marked deleted`);
      }
      await quiet(polled);
      assert.equal(await service.stop(), 0);
      assert.deepEqual(await polled.table(), await polled.truth(), `seed ${seed}`);
      const failed = await polled.query("SELECT error FROM job_queue WHERE status = 'FAILED'");
      assert.deepEqual(failed, [], `seed ${seed}: no dead letters`);
      const last = polled.full();
      assert.equal(last.unchanged, last.seen, `seed ${seed}: ${JSON.stringify(last)}`);
      assert.equal(last.deleted, 0, `seed ${seed}`);
    } finally {
      await polled.stop();
      clerk.stop();
    }
  });
}
