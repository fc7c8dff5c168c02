// Whatever Clerk's API answers, a pass never takes anybody alive for gone; not even without the
// guard, which is off here. The last test drives changes from a seed while passes run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { chooser } from './chooser.mjs';
import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';

const users = 1100; // three pages for each of two workers
const unguarded = {
  ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000000',
  ROLLCALL_SYNC_DELETE_GUARD_RATIO: '1',
  ROLLCALL_SYNC_WORKERS: '2',
  ROLLCALL_CLERK_TIMEOUT: '2s',
};

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// fault 23, 24, 25, 27
describe('nobody is deleted by', () => {
  let polled;
  before(async () => {
    polled = await Polled.start(postgres, users);
    polled.full(unguarded);
  });
  after(() => polled.stop());

  // `code`: what the pass under the fault exits with; several where chance decides.
  const faults = {
    'an empty list': { set: { api_empty_list: true }, codes: [1] },
    'an empty page among others': { set: { api_empty_list: 0.5 }, codes: [0, 1] },
    'pages cut in half': { set: { api_short_list: true }, codes: [1] },
    'one short page': { set: { api_short_list: 0.3 }, codes: [0, 1] },
    'a body that stops': { set: { api_truncated_body: true }, codes: [1, 69] },
    'some bodies that stop': { set: { api_truncated_body: 0.3 }, codes: [0, 1, 69] },
    'an error page with status 200': { set: { api_not_json: true }, codes: [1, 69] },
    'a wrong count': { set: { api_wrong_count: true }, codes: [1] },
    'an empty list and a count that fits it': {
      set: { api_empty_list: true, api_wrong_count: true },
      codes: [1],
    },
    '404 for users who are there': { set: { api_404: true }, codes: [0] },
    '404 for users whom the list leaves out': {
      set: { api_404: true, api_short_list: 0.5 },
      codes: [0, 1],
    },
    'too many requests': { set: { api_429: 4, retry_after_seconds: 1 }, codes: [0] },
    'server errors that pass': { set: { api_5xx: 3 }, codes: [0, 69] },
    'a slow Clerk': { set: { api_slow: true, slow_seconds: 0.3 }, codes: [0] },
    'answers that hang': { set: { api_hang: 1, hang_seconds: 5 }, codes: [0, 69] },
    'a key that is refused': { set: { api_401: true }, codes: [1] },
    'a key refused half way': { set: { api_401: 0.3 }, codes: [0, 1] },
  };

  for (const [name, { set, codes }] of Object.entries(faults)) {
    test(name, async () => {
      await polled.sim.faults(set);
      const done = polled.run(['sync', '--full', '--json'], unguarded);
      await polled.sim.control('PUT', '/faults', {});
      assert.ok(codes.includes(done.code), `${done.code}: ${done.stdout}${done.stderr}`);
      if (done.code !== 0) assert.ok(done.json.error, 'it says why');
      assert.equal(done.json.deleted, 0, done.stdout);
      assert.equal(await polled.living(), users);
    });
  }

  test('all of them; and a complete pass afterwards finds nothing to do', async () => {
    const done = polled.full(unguarded);
    assert.equal(done.unchanged, users);
    await polled.equal();
  });
});

const seeds = process.env.ROLLCALL_SEED
  ? [Number(process.env.ROLLCALL_SEED)]
  : [1, 2, Math.floor(Math.random() * 1e9)];

async function act(polled, random, { people, gone }, step) {
  const id = random.pick(people);
  const roll = random.below(100);
  if (roll < 30) {
    const { ok, user } = await polled.change('POST', '/users', {
      email_address: [`p${step}@example.com`],
      first_name: `First${step}`,
    });
    if (ok) people.push(user.id);
  } else if (roll < 70) {
    await polled.change('PATCH', `/users/${id}`, { first_name: `Changed${step}` });
  } else if (roll < 80) {
    await polled.change('POST', `/users/${id}/${random.pick(['ban', 'unban', 'lock', 'unlock'])}`);
  } else {
    const { ok } = await polled.change('DELETE', `/users/${id}`);
    if (ok) gone.push(...people.splice(people.indexOf(id), 1));
  }
}

for (const seed of seeds) {
  // fault 26
  test(`seed ${seed}: users come, change and go while passes run`, async () => {
    const polled = await Polled.start(postgres, users, '--seed', String(seed));
    try {
      const random = chooser(seed);
      await polled.sim.faults({ api_slow: 0.5, slow_seconds: 0.2 });
      const people = (await polled.truth()).map((user) => user.clerk_id);
      const gone = [];
      let step = 0;
      for (let pass = 0; pass < 4; pass += 1) {
        const goneBefore = [...gone];
        const run = polled.begin(['sync', '--full', '--json'], unguarded);
        let over = false;
        run.ended.then(() => (over = true));
        while (!over) {
          await act(polled, random, { people, gone }, (step += 1));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        const { code, stdout, stderr } = await run.ended;
        // Incomplete is an honest end while the list moves; anything else is none.
        assert.ok([0, 1].includes(code), `seed ${seed}: ${stdout}${stderr}`);
        const marked = await polled.query(
          `SELECT clerk_id FROM rollcall.ledger
           WHERE deleted_at IS NOT NULL AND clerk_id = ANY($1)`,
          [people],
        );
        assert.deepEqual(marked, [], `seed ${seed}: nobody alive is marked deleted`);
        if (code !== 0) continue;
        const survivors = await polled.query(
          'SELECT clerk_id FROM users WHERE deleted_at IS NULL AND clerk_id = ANY($1)',
          [goneBefore],
        );
        assert.deepEqual(survivors, [], `seed ${seed}: who was gone before the pass is deleted`);
      }
      await polled.sim.control('PUT', '/faults', {});
      polled.full(unguarded);
      await polled.equal(`seed ${seed}`);
    } finally {
      await polled.stop();
    }
  });
}
