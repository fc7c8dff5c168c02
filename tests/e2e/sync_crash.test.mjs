// Passes that are cut short wherever it happens, one after the other: killed, interrupted, or the
// database restarted hard, while users come, change and go. The first that comes to its end makes
// the table equal to Clerk. A failure prints its seed; ROLLCALL_SEED=n repeats one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { chooser } from './chooser.mjs';
import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';

const seeds = process.env.ROLLCALL_SEED
  ? [Number(process.env.ROLLCALL_SEED)]
  : [1, Math.floor(Math.random() * 1e9)];
const rounds = 6;
const unguarded = {
  ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000000',
  ROLLCALL_SYNC_WORKERS: '3',
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// All created in the same millisecond, and more than a page has.
async function crowd(polled, users) {
  const created_at = new Date(Date.now() - 86_400_000).toISOString();
  for (let i = 0; i < users; i += 1) {
    const { ok, user } = await polled.change('POST', '/users', {
      email_address: [`crowd${i}@example.com`],
      created_at,
    });
    assert.ok(ok, JSON.stringify(user));
  }
}

async function changeSome(polled, random, people, round) {
  for (let i = 0; i < 12; i += 1) {
    const id = random.pick(people);
    const roll = random.below(3);
    if (roll === 0) {
      await polled.change('PATCH', `/users/${id}`, { first_name: `Round${round}x${i}` });
    } else if (roll === 1) {
      await polled.change('DELETE', `/users/${id}`);
      people.splice(people.indexOf(id), 1);
    } else {
      const email_address = [`r${round}x${i}@example.com`];
      people.push((await polled.change('POST', '/users', { email_address })).user.id);
    }
  }
}

// However it ends, it has not failed over what it read.
async function cutShort(polled, random, seed) {
  const run = polled.begin(['sync', '--full', '--json'], unguarded);
  await pause(100 + random.below(900));
  const how = random.pick(['SIGKILL', 'SIGKILL', 'SIGINT', 'restart']);
  if (how === 'restart') {
    postgres.down('immediate');
    postgres.up();
  } else {
    run.child.kill(how);
  }
  const { code, signal, stdout, stderr } = await run.ended;
  const said = `seed ${seed}: ${how} ${code} ${stdout}${stderr}`;
  const expected = { SIGKILL: ['SIGKILL'], SIGINT: [0, 1], restart: [0, 1, 69] }[how];
  assert.ok(expected.includes(signal ?? code), said);
  // A database that is back in time takes down that the pass was not whole.
  if (code === 1) assert.equal(JSON.parse(stdout).status, 'incomplete', said);
  // As when the fifteen seconds have passed that a dead one holds it.
  await polled.query("UPDATE rollcall.leases SET until = '-infinity'");
}

for (const seed of seeds) {
  test(`seed ${seed}: passes are cut short, and one comes to its end`, async () => {
    const random = chooser(seed);
    const polled = await Polled.start(postgres, 1800, '--seed', String(seed));
    try {
      await crowd(polled, 700);
      await polled.sim.faults({ api_slow: true, slow_seconds: 0.1 });
      const people = (await polled.truth()).map((user) => user.clerk_id);
      for (let round = 0; round < rounds; round += 1) {
        await cutShort(polled, random, seed);
        await changeSome(polled, random, people, round);
      }
      await polled.sim.control('PUT', '/faults', {});
      const last = polled.full(unguarded);
      assert.equal(last.seen, people.length, `seed ${seed}: ${JSON.stringify(last)}`);
      await polled.equal(`seed ${seed}`);
      const again = polled.full(unguarded);
      assert.equal(again.unchanged, again.seen, `seed ${seed}: ${JSON.stringify(again)}`);
    } finally {
      await polled.stop();
    }
  });
}
