// One address floods the door while others, and itself, send deliveries that are signed: none of
// those is refused. How long they take beside the flood is printed; `./dev bench --only flood` is
// what measures it.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { start } from './child.mjs';
import { Postgres } from './postgres.mjs';
import { Service, WEBHOOK_SECRET, freshDatabase, patient, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const generator = process.env.BENCH_LOAD ?? join(root, 'build/release/bench/bench_load');

// Every address of 127.0.0.0/8 is this machine's.
const flooder = '127.0.0.2';
const senders = ['127.0.0.3', '127.0.0.4', flooder];
const signedPerSecond = 500;
const forgedPerSecond = 5000;
const seconds = 3;
const rounds = 3;

let postgres;
let folder;
before(async () => {
  assert.ok(existsSync(generator), `${generator}: cmake --build build/release --target bench_load`);
  folder = mkdtempSync(join(tmpdir(), 'rollcall-flood-'));
  writeFileSync(
    join(folder, 'event.json'),
    userEvent('user.created', 'user_flood_USERNUMBER', 1_760_000_000_000, {
      email: 'USERNUMBER@flood.example',
    }),
  );
  postgres = await Postgres.start();
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await postgres?.remove();
});

let users = 1;

async function send(service, scheme, rate, sources) {
  const count = seconds * rate;
  const first = users;
  users += count;
  const options = {
    events: join(folder, 'event.json'),
    scheme,
    secret: WEBHOOK_SECRET,
    port: service.port,
    first,
    count,
    connections: 32,
    rate,
    duration: 600,
    source: sources.join(','),
  };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = start(generator, ['send', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (out += chunk));
  const [code] = await child.closed;
  assert.equal(code, 0, out);
  return JSON.parse(out);
}

const signed = (service) => send(service, 'svix', signedPerSecond, senders);
const forged = (service) => send(service, 'forged', forgedPerSecond, [flooder]);

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const number = (text, line) => Number(text.match(new RegExp(`^${line} (.*)$`, 'm'))?.[1]);

test('a flood from one address takes nothing from signed deliveries', async (t) => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database), patient);
  await signed(service);
  const resident = async () => number(await service.metrics(), 'process_resident_memory_bytes');
  const before = await resident();
  const quiet = [];
  const flooded = [];
  const statuses = {};
  for (let round = 0; round < rounds; round += 1) {
    const alone = await signed(service);
    const [flood, beside] = await Promise.all([forged(service), signed(service)]);
    for (const outcome of [alone, beside]) {
      assert.deepEqual(Object.keys(outcome.statuses), ['202'], JSON.stringify(outcome.statuses));
      assert.equal(outcome.accepted, seconds * signedPerSecond);
      assert.equal(outcome.connections_lost, 0);
    }
    for (const [status, count] of Object.entries(flood.statuses)) {
      statuses[status] = (statuses[status] ?? 0) + count;
    }
    quiet.push(alone.p99_ms);
    flooded.push(beside.p99_ms);
    t.diagnostic(
      `p99 ${alone.p99_ms} ms quiet, ${beside.p99_ms} ms beside ` +
        `${Math.round(flood.sent / flood.elapsed_seconds)} forged a second`,
    );
  }
  const ratio = median(flooded.map((value, round) => value / quiet[round]));
  t.diagnostic(`p99 beside the flood is ${ratio.toFixed(1)} times the quiet one`);
  // What starves is seen on any machine. That it is three times at most is not held here: the ratio
  // is a figure of `./dev bench --only flood`.
  assert.ok(median(flooded) < Math.max(3 * median(quiet), 10_000), `${flooded} after ${quiet}`);

  // The flooder is told to slow down, and only the flooder.
  assert.deepEqual(Object.keys(statuses), ['401', '429'], JSON.stringify(statuses));
  assert.ok(statuses['429'] > statuses['401'] * 10, JSON.stringify(statuses));
  const metrics = await service.metrics();
  const limited = number(
    metrics,
    'rollcall_http_refused_total{listener="public",reason="address_limit"}',
  );
  assert.equal(limited, statuses['429']);
  const grown = (await resident()) - before;
  assert.ok(grown < 128 * 2 ** 20, `${grown} bytes more`);

  await until(
    async () => {
      const [{ count }] = await postgres.query(database, 'SELECT count(*) FROM public.users');
      return Number(count) === signedPerSecond * seconds * (2 * rounds + 1);
    },
    'every signed one to have its row',
    120_000,
  );
  assert.equal(await service.stop(), 0, service.log);
});
