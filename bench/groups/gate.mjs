// The gate: tokens verified without memory next to OpenSSL's own figure; decisions with a warm
// cache next to an empty route of the same server and to Clerk's library; what it adds behind
// nginx.
import { join } from 'node:path';
import { issuer, party } from '../../tests/e2e/gate_stand.mjs';
import { Gate } from '../lib/gate.mjs';
import { get } from '../lib/load.mjs';
import * as paths from '../lib/paths.mjs';
import { runToEnd } from '../lib/process.mjs';
import { medians } from '../lib/report.mjs';
import { inTurn, median, plain, ratio } from '../lib/stats.mjs';

const users = 200;
const proxied = { rate: 500, connections: 16 };

// RSA-2048 verifications a second of CPU: "+F2:2:2048:<signatures>:<verifications>".
async function openssl(seconds) {
  const words = ['speed', '-mr', '-seconds', String(seconds), 'rsa2048'];
  const output = await runToEnd('openssl', words);
  return Number(/^\+F2:\d+:2048:[\d.]+:([\d.]+)$/m.exec(output)[1]);
}

async function verify(gate, seconds) {
  const output = await runToEnd(paths.gate, [
    ...['--keys', gate.keys, '--tokens', gate.tokens, '--issuer', issuer, '--party', party],
    ...['--algorithm', 'RS256', '--seconds', String(seconds)],
  ]);
  return JSON.parse(output).per_cpu_second;
}

// A second of the service's CPU, so that what the generator costs beside it counts on neither side.
async function requests(gate, heads, seconds) {
  const { port } = gate.service;
  await get({ port, heads, seconds: 0.5 });
  const before = gate.service.cpuSeconds();
  const outcome = await get({ port, heads, seconds });
  outcome.per_cpu_second = outcome.accepted / (gate.service.cpuSeconds() - before);
  return outcome;
}

async function authenticate(gate, seconds) {
  const env = { TOKENS: gate.tokens, PEM: gate.pem, PARTY: party, SECONDS: String(seconds) };
  const program = join(paths.peers, 'authenticate.mjs');
  return JSON.parse(await runToEnd(process.execPath, [program], { env }));
}

export async function gate(context) {
  const { rounds, seconds, say } = context;
  const stand = await Gate.start(context, users);
  const withGate = await stand.proxy({ gated: true });
  const without = await stand.proxy({ gated: false });
  const behind = ({ port }) => get({ port, heads: stand.request, seconds, ...proxied });
  await behind(withGate);
  await behind(without);
  const told = (result) => Math.round(result.per_cpu_second ?? result);
  const runs = await inTurn(
    rounds,
    {
      openssl: () => openssl(seconds),
      verify: () => verify(stand, seconds),
      empty: () => requests(stand, stand.empty, seconds),
      decide: () => requests(stand, stand.decide, seconds),
      authenticate: () => authenticate(stand, seconds),
      without: () => behind(without),
      behind: () => behind(withGate),
    },
    (name, round, result) =>
      say(
        `round ${round + 1} ${name}: ` +
          (name === 'without' || name === 'behind'
            ? `p50 ${result.p50_ms} ms, p99 ${result.p99_ms} ms`
            : `${told(result)} a second of CPU`),
      ),
  );
  for (const service of [withGate, without, stand]) await service.stop();

  const cpu = (side) => runs[side].map((run) => run.per_cpu_second);
  const wall = (side) => runs[side].map((run) => run.accepted_per_second);
  const over = (name, title, goal, numerators, denominators) => ({
    ...{ name, title, goal: { op: '>=', value: goal } },
    ...ratio(numerators, denominators),
    detail: medians(median(numerators), median(denominators)),
  });
  const added = runs.behind.map((run, round) => run.p99_ms - runs.without[round].p99_ms);
  return {
    figures: [
      over('gate_verify', 'tokens verified ÷ openssl speed', 0.9, runs.verify, runs.openssl),
      over('gate_decide', 'decisions/s ÷ an empty route', 0.8, wall('decide'), wall('empty')),
      over('gate_decide_cpu', 'the same, by the CPU', 0.8, cpu('decide'), cpu('empty')),
      over('gate_clerk', 'decisions ÷ authenticateRequest', 20, cpu('decide'), cpu('authenticate')),
      {
        ...{ name: 'gate_p99', title: 'p99 that the gate adds behind nginx', unit: 'ms' },
        ...{ noise: 1, goal: { op: '<=', value: 2 } },
        ...plain(added),
      },
    ],
    notes: { runs },
  };
}
