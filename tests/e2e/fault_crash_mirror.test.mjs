// The process dies around each request to Supabase Auth: afterwards the copies equal the table,
// even where the row has gone back to what was last known to be written.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { isRunning } from './child.mjs';
import { Stand } from './mirror_stand.mjs';
import { Postgres } from './postgres.mjs';
import { rollcall } from './service.mjs';
import { until } from './simulator.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

const renames = (stand, { ann }) =>
  stand.clerk('PATCH', `/users/${ann.id}`, { first_name: 'Anna' });
const renamesBack = (stand, { ann }) =>
  stand.clerk('PATCH', `/users/${ann.id}`, { first_name: 'Ann' });
const bans = (stand, { ann }) => stand.clerk('POST', `/users/${ann.id}/ban`);
const unbans = (stand, { ann }) => stand.clerk('POST', `/users/${ann.id}/unban`);
const deletes = (stand, { ann }) => stand.clerk('DELETE', `/users/${ann.id}`);
const comes = async (stand, people) => {
  people.eve = await stand.person('eve@example.com', { first_name: 'Eve' });
};
const goesAgain = (stand, { eve }) => stand.clerk('DELETE', `/users/${eve.id}`);

// Both rows have changed before either copy does.
async function swap(stand, { ann, ben }) {
  await stand.move(ann, 'between@example.com');
  await stand.move(ben, 'ann@example.com');
  await stand.move(await stand.clerk('GET', `/users/${ann.id}`), 'ben@example.com');
  await passed(stand);
}

// A complete pass, whoever makes one just now.
function passed(stand) {
  return until(
    () => rollcall(['sync', '--full'], stand.service.env).code === 0, 'a complete pass', 120_000);
}

for (const [place, happens, { meanwhile, stopped = false } = {}] of [
  ['mirror.after_row', renames],
  ['mirror.before_create', comes],
  ['mirror.after_create', comes],
  ['mirror.after_create', comes, { meanwhile: goesAgain }],
  ['mirror.after_update', renames],
  ['mirror.after_update', bans, { meanwhile: unbans }],
  ['mirror.before_written', renames, { meanwhile: renamesBack }],
  ['mirror.after_remove', deletes],
  ['mirror.after_move', swap, { stopped: true }],
]) {
  const story = [happens, meanwhile].filter(Boolean).map(({ name }) => name).join(', then ');
  test(`killed at ${place}: ${story}`, async () => {
    const stand = await Stand.start(postgres, [], {
      ROLLCALL_JOBS_LEASE: '2s',
      ROLLCALL_SUPABASE_TIMEOUT: '1s',
    });
    const { service } = stand;
    try {
      const people = {
        ann: await stand.person('ann@example.com', { first_name: 'Ann' }),
        ben: await stand.person('ben@example.com', { first_name: 'Ben' }),
      };
      for (const one of Object.values(people)) await stand.mirrored(one.id, () => true, 'a copy');
      await stand.quiet();
      assert.equal(await service.stop(), 0);

      if (stopped) await happens(stand, people);
      service.launch({ failpoint: `${place}:abort` });
      if (!stopped) {
        await service.ready();
        await happens(stand, people);
      }
      await until(() => !isRunning(service.child), `the process to come to ${place}`, 120_000);
      assert.equal(service.child.signalCode, 'SIGKILL', service.log);
      await meanwhile?.(stand, people);

      service.launch();
      await service.ready();
      await passed(stand);
      await stand.quiet();
      await stand.equal(place);
    } finally {
      await service.stop('SIGKILL');
      await stand.sim.stop();
    }
  });
}
