// Polling: a complete pass into an empty table, and one that finds nothing to do, over users whose
// pages were made beforehand; beside it what PostgreSQL alone takes for the same rows.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startClerk } from '../lib/clerk.mjs';
import * as paths from '../lib/paths.mjs';
import { runMeasured, runToEnd } from '../lib/process.mjs';
import { medians } from '../lib/report.mjs';
import { environment, freshDatabase } from '../lib/rollcall.mjs';
import { inTurn, median, plain, ratio } from '../lib/stats.mjs';

const ours = 'rollcall_polling';
const theirs = 'copy_upsert';
const roundTripMs = 80;
const productionLimit = 1000; // requests in ten seconds, of a live key
const unlimited = 1_000_000;

async function written(cluster) {
  const row = (
    await cluster.rows(
      ours,
      `SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint AS rows
       FROM pg_stat_user_tables WHERE relname IN ('users', 'ledger')`,
    )
  )[0];
  return Number(row.rows);
}

// `rollcall sync --full` as a user would run it, at so many requests in ten seconds.
async function pass({ cluster }, clerk, limit) {
  await cluster.settle();
  const rows = await written(cluster);
  const wal = await cluster.value('postgres', 'SELECT pg_current_wal_insert_lsn()');
  const env = environment(cluster, ours, {
    ROLLCALL_MODE: 'hybrid',
    CLERK_SECRET_KEY: 'sk_test_of_the_benchmark',
    CLERK_API_URL: clerk.url,
    ROLLCALL_CLERK_RATE_LIMIT: String(limit),
    ROLLCALL_SYNC_RATE_SHARE: '1',
  });
  const run = await runMeasured(paths.rollcall, ['sync', '--full', '--json'], { env });
  if (run.code !== 0) {
    throw new Error(`sync ended with ${run.code}: ${run.output}${run.errors}`);
  }
  const summary = JSON.parse(run.output);
  return {
    summary,
    seconds: summary.duration_seconds,
    per_second: summary.seen / summary.duration_seconds,
    requests_per_second: summary.requests / summary.duration_seconds,
    memory: run.memory,
    cpu_seconds: run.cpu,
    rows_written: (await written(cluster)) - rows,
    wal_bytes: Number(
      await cluster.value(
        'postgres',
        'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)',
        [wal],
      ),
    ),
  };
}

async function firstPass(context, clerk, limit = unlimited) {
  await freshDatabase(context.cluster, ours);
  return pass(context, clerk, limit);
}

// The rows that rollcall ends up with, as a file for COPY.
async function writeRows({ cluster }) {
  const file = join(paths.out, 'users.copy');
  const psql = [join(cluster.bin, 'psql'), '-X', '-q', '-v', 'ON_ERROR_STOP=1'];
  await runToEnd(psql[0], [
    ...psql.slice(1),
    cluster.url(ours),
    '-c',
    `\\copy (SELECT clerk_id, email, name, role FROM public.users) TO '${file}'`,
  ]);
  return file;
}

// COPY into a temporary table, then one upsert into the users table as rollcall makes it.
async function copyAndUpsert({ cluster, users }, file) {
  await freshDatabase(cluster, theirs);
  const script = join(paths.out, 'upsert.psql');
  writeFileSync(
    script,
    `CREATE TEMPORARY TABLE incoming (clerk_id text, email text, name text, role text);
\\copy incoming FROM '${file}'
INSERT INTO public.users AS u (clerk_id, email, name, role, "updatedAt")
SELECT clerk_id, email, name, role::public."UserRole", now() FROM incoming
ON CONFLICT (clerk_id) DO UPDATE
SET email = excluded.email, name = excluded.name, role = excluded.role, "updatedAt" = now();
`,
  );
  const started = Date.now();
  const psql = join(cluster.bin, 'psql');
  await runToEnd(psql, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', cluster.url(theirs), '-f', script]);
  const seconds = (Date.now() - started) / 1000;
  const rows = Number(await cluster.value(theirs, 'SELECT count(*) FROM public.users'));
  if (rows !== users) {
    throw new Error(`COPY and upsert made ${rows} of ${users} rows`);
  }
  return { per_second: users / seconds };
}

function figures(runs, paced) {
  const of = (side, part) => runs[side].map((run) => run[part]);
  const rate = (side) => of(side, 'per_second');
  const plainly = (name, title, unit, goal, values) => ({
    name,
    title,
    unit,
    goal,
    ...plain(values),
  });
  const dictated = (paced.summary.requests * 10) / productionLimit;
  return [
    {
      name: 'first_pass_vs_copy',
      title: 'first pass, users/s ÷ COPY and upsert',
      goal: { op: '>=', value: 0.8 },
      ...ratio(rate('first'), rate('copy')),
      detail: medians(median(rate('first')), median(rate('copy'))),
    },
    plainly(
      'unchanged_pass',
      'unchanged pass',
      'users/s',
      { op: '>=', value: 100000 },
      rate('unchanged'),
    ),
    plainly(
      'unchanged_rows',
      'rows written by an unchanged pass',
      'rows',
      { op: '<=', value: 0 },
      of('unchanged', 'rows_written'),
    ),
    plainly('pass_memory', 'memory, most in a complete pass', 'MB', { op: '<=', value: 100 }, [
      ...of('first', 'memory'),
      ...of('unchanged', 'memory'),
    ]),
    plainly(
      'paced_pass',
      "first pass at Clerk's limit, 80 ms away ÷ what the limit dictates",
      '',
      { op: '<=', value: 1.5 },
      [paced.seconds / dictated],
    ),
  ];
}

function described(result) {
  const rate = `${result.per_second.toFixed(0)} users/s`;
  if (result.summary === undefined) {
    return rate;
  }
  return [
    rate,
    `${result.requests_per_second.toFixed(0)} requests/s`,
    `${result.rows_written} rows written`,
    `${(result.wal_bytes / 1e6).toFixed(1)} MB of WAL`,
    `${result.memory.toFixed(0)} MB resident`,
  ].join(', ');
}

export async function polling(context) {
  const { cluster, rounds, users, say } = context;
  let clerk = await startClerk(users);
  await firstPass(context, clerk);
  const file = await writeRows(context);
  const runs = await inTurn(
    rounds,
    {
      first: () => firstPass(context, clerk),
      unchanged: () => pass(context, clerk, unlimited),
      copy: () => copyAndUpsert(context, file),
    },
    (name, round, result) => say(`round ${round + 1} ${name}: ${described(result)}`),
  );
  await clerk.stop();
  clerk = await startClerk(users, roundTripMs);
  const paced = await firstPass(context, clerk, productionLimit);
  say(`at Clerk's limit: ${paced.seconds.toFixed(1)} s for ${paced.summary.requests} requests`);
  await clerk.stop();
  return { figures: figures(runs, paced), notes: { runs, paced } };
}
