// Accepting: 64 connections that each send the next signed event when the last one was answered.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePair, freePorts } from '../lib/cluster.mjs';
import { oneEvent, secret, send } from '../lib/load.mjs';
import * as paths from '../lib/paths.mjs';
import { startPeer } from '../lib/peer.mjs';
import { runToEnd } from '../lib/process.mjs';
import { medians } from '../lib/report.mjs';
import { freshDatabase, startRollcall } from '../lib/rollcall.mjs';
import { inTurn, median, plain, ratio } from '../lib/stats.mjs';

const ours = 'rollcall_intake';
const classic = 'classic_intake';
const perSecondMax = { rollcall: 40000, batched: 16000, handwritten: 8000 };

// What was accepted is there; what was refused may be, when its commit came too late for an answer.
async function checkRows(cluster, database, ...outcomes) {
  const rows = Number(await cluster.value(database, 'SELECT count(*) FROM job_queue'));
  const sum = (part) => outcomes.reduce((total, outcome) => total + outcome[part], 0);
  if (rows < sum('accepted') || rows > sum('sent')) {
    throw new Error(`${database}: ${sum('accepted')} events were accepted, ${rows} jobs are there`);
  }
}

async function measureRollcall({ cluster, seconds }) {
  await freshDatabase(cluster, ours);
  const service = await startRollcall(cluster, ours, { name: 'rollcall-intake', roles: 'ingest' });
  const warm = await send({ ports: [service.port], seconds: 1, count: 4000 });
  await cluster.settle();
  const before = {
    service: service.cpuSeconds(),
    backend: await cluster.backendSeconds(ours),
    server: cluster.serverSeconds(),
  };
  const outcome = await send({
    ports: [service.port],
    seconds,
    count: seconds * perSecondMax.rollcall,
  });
  const micros = (now, then) => ((now - then) * 1e6) / outcome.accepted;
  outcome.cpu_us = {
    service: micros(service.cpuSeconds(), before.service),
    backend: micros(await cluster.backendSeconds(ours), before.backend),
    server: micros(cluster.serverSeconds(), before.server),
  };
  await checkRows(cluster, ours, warm, outcome);
  await service.stop();
  return outcome;
}

async function measurePeer({ cluster, seconds }, ports, perSecond) {
  await cluster.rows(classic, 'TRUNCATE job_queue');
  await cluster.settle();
  const outcome = await send({ ports, seconds, count: seconds * perSecond });
  await checkRows(cluster, classic, outcome);
  return outcome;
}

// Transactions a second of pgbench's own count, one row and one commit each.
async function pgbench({ cluster }, clients, seconds, payload) {
  await cluster.rows(classic, 'TRUNCATE job_queue');
  await cluster.settle();
  const output = await runToEnd(
    join(cluster.bin, 'pgbench'),
    [
      ...['-n', '-M', 'prepared', '-c', clients, '-j', Math.min(clients, 2), '-T', seconds],
      ...['-D', `payload=${payload}`, '-f', join(paths.bench, 'sql/insert_job.sql')],
      cluster.url(classic),
    ].map(String),
  );
  return Number(/^tps = ([\d.]+)/m.exec(output)[1]);
}

async function bestClients(context, payload) {
  const rates = {};
  for (const clients of [8, 16, 32, 64]) {
    rates[clients] = await pgbench(context, clients, 2, payload);
  }
  const best = Object.keys(rates).reduce((a, b) => (rates[a] >= rates[b] ? a : b));
  return { clients: Number(best), rates };
}

function figures(rollcall, batched, handwritten, single) {
  const rate = (runs) => runs.map((run) => run.accepted_per_second);
  const p99 = (runs) => runs.map((run) => run.p99_ms);
  const over = (name, title, goal, denominators) => ({
    name,
    title,
    goal: { op: '>=', value: goal },
    ...ratio(rate(rollcall), denominators),
    detail: medians(median(rate(rollcall)), median(denominators)),
  });
  const cpu = (name, title, goal, part) => ({
    name,
    title,
    unit: 'µs',
    goal: { op: '<=', value: goal },
    ...plain(rollcall.map((run) => run.cpu_us[part])),
  });
  return [
    over('accepted_vs_batched', 'accepted/s ÷ batched Node receiver', 2.5, rate(batched)),
    over('accepted_vs_handwritten', 'accepted/s ÷ hand-written Node handler', 5, rate(handwritten)),
    over('accepted_vs_pgbench', 'accepted/s ÷ pgbench, one row a commit', 1.3, single),
    {
      name: 'p99_vs_batched',
      title: 'p99 at 64 connections ÷ batched Node receiver',
      goal: { op: '<=', value: 0.35 },
      noise: 0.4,
      ...ratio(p99(rollcall), p99(batched)),
      detail: medians(median(p99(rollcall)), median(p99(batched)), ' ms'),
    },
    cpu('cpu_service', 'CPU per accepted event: service', 40, 'service'),
    cpu('cpu_backend', 'CPU per accepted event: PostgreSQL backends', 45, 'backend'),
  ];
}

export async function intake(context) {
  const { cluster, rounds, seconds, say } = context;
  await cluster.create(classic);
  await cluster.file(classic, 'classic.sql');
  const payload = await oneEvent();
  const [port] = await freePorts(1);
  const pair = await freePair();
  const env = { DATABASE_URL: cluster.url(classic), WEBHOOK_SECRET: secret };
  const services = [
    await startPeer('handwritten', { ...env, PORT: String(port) }),
    await startPeer('batched', { ...env, PORT: String(pair) }),
  ];
  const batchedPorts = [pair, pair + 1];
  await measurePeer({ cluster, seconds: 2 }, [port], perSecondMax.handwritten);
  await measurePeer({ cluster, seconds: 2 }, batchedPorts, perSecondMax.batched);
  const single = await bestClients(context, payload);
  say(`pgbench is fastest with ${single.clients} clients`);

  const runs = await inTurn(
    rounds,
    {
      rollcall: () => measureRollcall(context),
      batched: () => measurePeer(context, batchedPorts, perSecondMax.batched),
      handwritten: () => measurePeer(context, [port], perSecondMax.handwritten),
      pgbench: () => pgbench(context, single.clients, seconds, payload),
    },
    (name, round, result) =>
      say(
        typeof result === 'number'
          ? `round ${round + 1} ${name}: ${result.toFixed(0)} commits/s`
          : `round ${round + 1} ${name}: ${result.accepted_per_second} accepted/s, ` +
              `p99 ${result.p99_ms} ms`,
      ),
  );
  await Promise.all(services.map((service) => service.stop()));
  writeFileSync(join(paths.out, 'intake.json'), JSON.stringify(runs, null, 2));
  return {
    figures: figures(runs.rollcall, runs.batched, runs.handwritten, runs.pgbench),
    notes: { runs, pgbench_clients: single },
  };
}
