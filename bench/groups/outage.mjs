// Supabase Auth goes away for ten minutes while events come: what that does to the rows' latency,
// how often it is asked for meanwhile, and how long the mirror takes to be complete afterwards.
import { Changes } from '../lib/changes.mjs';
import { visible } from '../lib/load.mjs';
import * as paths from '../lib/paths.mjs';
import { Service, pause } from '../lib/process.mjs';
import { medians } from '../lib/report.mjs';
import { freshDatabase, startRollcall } from '../lib/rollcall.mjs';
import { median, plain, ratio } from '../lib/stats.mjs';
import { TcpProxy } from '../../tests/e2e/tcp_proxy.mjs';

const database = 'rollcall_outage';
const users = 2000; // who change …
const changesPerSecond = 20; // … one after the other
const run = 20; // events of new users, of which a run measures the latency
const apartMs = 500;
const quietSecondsMax = 150;
const recoverySeconds = 300; // before it is given up

// `rollcall sim`: Supabase Auth's address and a key for it.
async function startAuth() {
  const service = new Service('auth', paths.rollcall, ['sim']);
  let seen = '';
  service.stdout.on('data', (chunk) => {
    seen += chunk;
  });
  const of = (name) => new RegExp(`^${name}=(.*)$`, 'm').exec(seen)?.[1];
  await service.ready(() => of('SUPABASE_SERVICE_ROLE_KEY'));
  service.url = of('SUPABASE_URL');
  service.key = of('SUPABASE_SERVICE_ROLE_KEY');
  return service;
}

async function latencies({ cluster, say }, service, seconds, what) {
  const end = Date.now() + seconds * 1000;
  const runs = [];
  while (Date.now() < end) {
    const url = cluster.url(database);
    const { visible: row } = await visible({
      ...{ port: service.port, database: url, count: run, pauseMs: apartMs },
    });
    runs.push(row);
  }
  const middle = (part) => median(runs.map((one) => one[part])).toFixed(1);
  say(`${what}: p50 ${middle('p50_ms')} ms, p99 ${middle('p99_ms')} ms in ${runs.length} runs`);
  return runs;
}

function waiting(cluster) {
  return cluster.value(
    database,
    `SELECT count(*) FROM public.job_queue
     WHERE status IN ('PENDING', 'PROCESSING') AND job_type = 'MIRROR_USER'`,
  );
}

async function complete(cluster) {
  const begun = Date.now();
  for (;;) {
    const left = Number(await waiting(cluster));
    const seconds = (Date.now() - begun) / 1000;
    if (left === 0) return seconds;
    if (seconds > recoverySeconds) throw new Error(`${left} copies are missing after ${seconds} s`);
    await pause(100);
  }
}

export async function outage(context) {
  const { cluster, outageSeconds, say } = context;
  await freshDatabase(cluster, database);
  const auth = await startAuth();
  const proxy = await TcpProxy.start(Number(new URL(auth.url).port));
  const more = { SUPABASE_URL: proxy.url, SUPABASE_SERVICE_ROLE_KEY: auth.key };
  const service = await startRollcall(cluster, database, { name: 'rollcall-outage', more });

  const quietSeconds = Math.min(outageSeconds, quietSecondsMax);
  const changes = new Changes(service.port, users, changesPerSecond).start();
  const quiet = await latencies(context, service, quietSeconds, 'before');
  proxy.close();
  const asked = proxy.asked;
  const away = await latencies(context, service, outageSeconds, 'while it is away');
  const requests = proxy.asked - asked;
  const missing = Number(await waiting(cluster));
  proxy.close(false);
  const caughtUp = await complete(cluster);
  say(`${requests} requests; ${missing} copies were missing, the last came after ${caughtUp} s`);
  await changes.stop();
  await service.stop();
  await auth.stop();
  proxy.stop();

  const over = (name, title, goal, part) => {
    const [without, withit] = [quiet, away].map((runs) => median(runs.map((one) => one[part])));
    return {
      ...{ name, title, noise: goal - 1, goal: { op: '<=', value: goal } },
      ...ratio([withit], [without]),
      detail: medians(withit, without, ' ms'),
    };
  };
  const least = (name, title, unit, goal, value) => ({
    ...{ name, title, unit, noise: 0.5, goal: { op: '<=', value: goal } },
    ...plain([value]),
  });
  // What opened the circuit, four probes on the way to the longest wait, then one in ten seconds.
  const requestsMax = 5 + 8 + 4 + Math.ceil(outageSeconds / 10);
  return {
    figures: [
      over('outage_p50', 'event → row, Supabase Auth away ÷ there, p50', 1.2, 'p50_ms'),
      over('outage_p99', 'event → row, Supabase Auth away ÷ there, p99', 1.5, 'p99_ms'),
      least('outage_requests', 'requests to it while it is away', '', requestsMax, requests),
      least('outage_recovery', 'mirror complete after it is back', 's', 60, caughtUp),
    ],
    notes: { quiet, away, requests, missing, caughtUp },
  };
}
