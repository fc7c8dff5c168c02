// The database's clock decides when passes are due, which lease has lapsed and what was learned
// first. It jumps an hour either way, while services poll and one of them dies.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { until } from './simulator.mjs';

const hour = 3600;

let postgres;
before(async () => {
  postgres = await Postgres.start({ clock: true });
});
after(() => postgres?.remove());

// A change, a new user and a deletion in Clerk reach the table by schedule.
async function follows(polled, name) {
  // Who leads may not have filled the table yet.
  await until(async () => (await polled.table()).length >= 2, 'two users to be there');
  const [changed, gone] = (await polled.table()).map((row) => row.clerk_id);
  await polled.change('PATCH', `/users/${changed}`, { first_name: name, last_name: '' });
  await polled.change('DELETE', `/users/${gone}`);
  const { user: born } = await polled.change('POST', '/users', {
    email_address: [`${name}@example.com`],
  });
  await until(
    async () => {
      const rows = new Map((await polled.table()).map((row) => [row.clerk_id, row]));
      return rows.get(changed)?.name === name && rows.has(born.id) && !rows.has(gone);
    },
    `what happened ${name} to reach the table`,
  );
}

for (const [name, jump] of [
  ['back', -hour],
  ['ahead', hour],
]) {
  // fault 22
  test(`the clock jumps an hour ${name}`, async () => {
    postgres.set_clock(0);
    const polled = await Polled.start(postgres, 20);
    try {
      const often = { ROLLCALL_SYNC_INTERVAL: '1s', ROLLCALL_SYNC_FULL_INTERVAL: '2s' };
      const leader = await polled.serve(often);
      const leads = async (one) =>
        /rollcall_leader\{role="sync"\} 1/.test(await one.metrics().catch(() => ''));
      await until(() => leads(leader), 'one that has the duty');
      const heir = await polled.serve(often);
      await follows(polled, 'before');

      postgres.set_clock(jump);
      await follows(polled, 'after');
      assert.deepEqual([await leads(leader), await leads(heir)], [true, false]);

      // What a dead one holds is not held for an hour either.
      postgres.set_clock(0);
      await follows(polled, 'again');
      await leader.kill();
      postgres.set_clock(jump);
      await follows(polled, 'inherited');
      assert.ok(await leads(heir));

      assert.equal(await heir.stop(), 0);
      await polled.equal();
      const bad = await polled.query(
        "SELECT status, error FROM rollcall.sync_runs WHERE status IN ('incomplete', 'failed')",
      );
      assert.ok(bad.length <= 1, JSON.stringify(bad)); // that of the one that was killed
    } finally {
      await polled.stop();
    }
  });
}
