// One run measures every figure that docs/benchmarks.md explains: `groups` below, in this order.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { flood } from './groups/flood.mjs';
import { gate } from './groups/gate.mjs';
import { held } from './groups/held.mjs';
import { intake } from './groups/intake.mjs';
import { jobs } from './groups/jobs.mjs';
import { outage } from './groups/outage.mjs';
import { polling } from './groups/polling.mjs';
import { visible } from './groups/visible.mjs';
import { whole } from './groups/whole.mjs';
import { Cluster } from './lib/cluster.mjs';
import * as paths from './lib/paths.mjs';
import { installPeers } from './lib/peer.mjs';
import { judge, keep, table, writeResults } from './lib/report.mjs';
import { prepareTemplate } from './lib/rollcall.mjs';

const groups = { intake, flood, whole, jobs, visible, held, polling, outage, gate };
const help = `./dev bench [--only GROUP]… [--quick] [--check] [--keep] [--no-build]

Measures rollcall next to its peers on this machine; about 45 minutes.

  --only GROUP   ${Object.keys(groups).join(', ')}; may be repeated
  --quick        shorter runs, a tenth of the time: a first look, not a measurement
  --check        exit 1 when a figure is worse than the kept one by more than noise
  --keep         keep this run's figures in bench/kept.json to compare the next ones with
  --rounds N     runs of each side, taken in turn (3)
  --no-build     measure what is built

The table goes to the terminal, everything measured to build/bench/results.json.
`;

const sizes = {
  full: {
    ...{ seconds: 5, jobs: 60000, finished: 1000000, heldSeconds: 300, lone: 300 },
    ...{ users: 1000000, outageSeconds: 600 },
  },
  quick: {
    ...{ seconds: 2, jobs: 15000, finished: 100000, heldSeconds: 20, lone: 60 },
    ...{ users: 100000, outageSeconds: 40 },
  },
};

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = values.only.filter((name) => !(name in groups));
  if (unknown.length > 0) {
    throw new Error(`--only ${unknown[0]}: one of ${Object.keys(groups).join(', ')}`);
  }
  return { ...values, rounds: Number(values.rounds) };
}

async function machineFacts(cluster) {
  return {
    cores: cpus().length,
    cpu: cpus()[0].model,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    load_average: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
    postgresql: await cluster.value('postgres', 'SHOW server_version'),
    node: process.version,
  };
}

async function main() {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(help);
    return;
  }
  const started = Date.now();
  const say = (line) => {
    const at = ((Date.now() - started) / 1000).toFixed(0).padStart(5);
    process.stdout.write(`${at}s  ${line}\n`);
  };
  mkdirSync(paths.out, { recursive: true });
  rmSync(paths.logs, { recursive: true, force: true });
  say('installing the peers');
  await installPeers();
  say('starting PostgreSQL');
  const cluster = await Cluster.start();
  const machine = await machineFacts(cluster);
  say(
    Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  );
  await prepareTemplate(cluster);

  const context = {
    cluster,
    say,
    rounds: options.rounds,
    ...sizes[options.quick ? 'quick' : 'full'],
  };
  const figures = [];
  const notes = {};
  for (const [name, group] of Object.entries(groups)) {
    if (options.only.length === 0 || options.only.includes(name)) {
      say(`-- ${name}`);
      const result = await group({ ...context, say: (line) => say(`${name}: ${line}`) });
      figures.push(...result.figures);
      notes[name] = result.notes;
    }
  }
  await cluster.stop();

  judge(figures, options);
  writeResults(machine, { ...options, ...sizes[options.quick ? 'quick' : 'full'] }, figures, notes);
  process.stdout.write(`\n${table(figures)}\n\n`);
  say(`everything measured is in ${paths.results}`);
  if (options.keep) {
    keep(machine, figures);
    say(`kept in ${paths.kept}`);
  }
  const worse = figures.filter((figure) => figure.worse);
  if (options.check && worse.length > 0) {
    say(`worse than kept: ${worse.map((figure) => figure.name).join(', ')}`);
    process.exitCode = 1;
  }
}

try {
  await main();
  process.exit();
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exit(error.code?.startsWith?.('ERR_PARSE_ARGS') ? 2 : 1);
}
