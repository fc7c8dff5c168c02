// Converges seeds until they are done or the time is up; the last line says how many, and how fast.
// The exit code is 1 when one did not.
//
//   --seed N       this one
//   --seeds A..B   these
//   --minutes M    fresh ones for so long
//   --parallel P   so many at the same time (4)
//   --steps N      only the beginning of each plan, to find the step that matters
//   --keep         the evidence of those that converge, too
import { parseArgs } from 'node:util';

import { Crew } from './crew.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    parallel: { type: 'string', default: '4' },
    steps: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const began = Date.now();
const seconds = () => (Date.now() - began) / 1000;

function* wanted() {
  if (values.seed) {
    yield Number(values.seed);
  } else if (values.seeds) {
    const [first, last] = values.seeds.split('..').map(Number);
    for (let seed = first; seed <= last; seed += 1) yield seed;
  } else if (values.minutes) {
    const end = Number(values.minutes) * 60;
    while (seconds() < end) yield Math.floor(Math.random() * 2 ** 31);
  } else {
    throw new Error('which seeds? --seed N, --seeds A..B or --minutes M');
  }
}

const options = { keepAll: values.keep };
if (values.steps) options.steps = Number(values.steps);

const parallel = values.seed ? 1 : Number(values.parallel);
const crew = new Crew(parallel);
const failed = [];
let done = 0;
let busy = 0;

const inSeconds = (value) => `${value.toFixed(1)} s`;

function tell({ seed, findings, seconds: took, phases = {}, place }) {
  done += 1;
  busy += took;
  const parts = Object.entries(phases).map(([name, part]) => `${name} ${inSeconds(part)}`);
  const line = `seed ${seed} (${[inSeconds(took), ...parts].join(', ')})`;
  if (findings.length === 0) {
    console.log(`ok      ${line}`);
    return;
  }
  failed.push(seed);
  console.log(`not ok  ${line}: ${findings.length} findings`);
  for (const finding of findings.slice(0, 10)) console.log(`        ${finding}`);
  console.log(`        evidence: ${place}`);
  console.log(`        again: node tests/convergence/run.mjs --seed ${seed}`);
}

const seeds = wanted();
await Promise.all(
  Array.from({ length: parallel }, async () => {
    for (const seed of seeds) tell(await crew.run(seed, options));
  }),
);
await crew.stop();

const rate = (done / seconds()) * 60;
console.log(
  `${done} seeds, ${failed.length} failed${failed.length ? ` (${failed.join(' ')})` : ''}, ` +
    `${rate.toFixed(1)} a minute, ${(busy / Math.max(done, 1)).toFixed(1)} s each`,
);
process.exitCode = failed.length > 0 || done === 0 ? 1 : 0;
