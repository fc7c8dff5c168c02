// Twenty fixed seeds converge: the same ones each time, so that what breaks here was broken by the
// change at hand. Fresh ones: ./dev test --soak MINUTES.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { Crew } from './crew.mjs';

const PARALLEL = 4;

const crew = new Crew(PARALLEL);
after(() => crew.stop());

describe('the table and the mirror end up as Clerk is', { concurrency: PARALLEL }, () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    it(`seed ${seed}`, async () => {
      const { findings, place } = await crew.run(seed);
      const again = `node tests/convergence/run.mjs --seed ${seed}; evidence in ${place}`;
      assert.deepEqual(findings, [], again);
    });
  }
});
