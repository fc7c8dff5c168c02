// Working off: a queue of waiting user jobs, each of its own user, from the first job to the last.
import { join } from 'node:path';
import { burn, fill, rateFromRows } from '../lib/burn.mjs';
import { clerkId, events } from '../lib/load.mjs';
import * as paths from '../lib/paths.mjs';
import { migratePeer, startPeer } from '../lib/peer.mjs';
import { runToEnd } from '../lib/process.mjs';
import { medians } from '../lib/report.mjs';
import { freshDatabase, rowsVisible } from '../lib/rollcall.mjs';
import { inTurn, median, ratio } from '../lib/stats.mjs';

const empty = 'rollcall_empty';
const full = 'rollcall_full';
const mirrored = 'rollcall_mirrored';
const graphile = 'graphile';
const classic = 'classic_fused';
const batch = 128; // rows of sql/fused.sql
const fusedClients = 4;

async function measureEmpty({ cluster, jobs }) {
  await freshDatabase(cluster, empty);
  const users = await fill(cluster, empty, jobs);
  await cluster.settle();
  return burn(cluster, empty, users);
}

// With the outbox of the mirror, whose jobs nobody works off.
async function measureMirrored({ cluster, jobs }) {
  await freshDatabase(cluster, mirrored);
  await cluster.rows(mirrored, `UPDATE rollcall.mirror_state SET wanted_until = 'infinity'`);
  const users = await fill(cluster, mirrored, jobs);
  await cluster.settle();
  const rate = await burn(cluster, mirrored, users);
  const armed = Number(
    await cluster.value(
      mirrored,
      `SELECT count(*) FROM public.job_queue WHERE job_type = 'MIRROR_USER'`,
    ),
  );
  if (armed !== users.count) throw new Error(`${armed} of ${users.count} users are in the outbox`);
  return rate;
}

// Rows as the worker leaves them, copied until there are `finished` of them; then the statistics
// and the visibility map that autovacuum would have made by then.
async function prepareFull({ cluster, jobs, finished }) {
  await freshDatabase(cluster, full);
  await burn(cluster, full, await fill(cluster, full, jobs));
  const columns = await cluster.rows(
    full,
    `SELECT a.attname AS name,
            EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indisunique
                    AND a.attnum = ANY (i.indkey) AND a.atttypid = 'text'::regtype) AS unique_text
     FROM pg_attribute AS a
     WHERE attrelid = 'public.job_queue'::regclass AND attnum > 0 AND NOT attisdropped
       AND attgenerated = '' AND attidentity = '' AND attname <> 'id'`,
  );
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const values = columns
    .map(({ name, unique_text: unique }) => (unique ? `"${name}" || '-' || copy` : `"${name}"`))
    .join(', ');
  const copies = Math.ceil(finished / jobs) - 1;
  for (let copy = 1; copy <= copies; copy += 1) {
    await cluster.rows(
      full,
      `INSERT INTO public.job_queue (${names})
       SELECT ${values} FROM (SELECT ${copy} AS copy, * FROM public.job_queue
                              WHERE status = 'COMPLETED' LIMIT ${jobs}) AS done`,
    );
  }
  await cluster.rows(full, 'VACUUM ANALYZE public.job_queue');
  await cluster.settle();
  return Number(
    await cluster.value(full, `SELECT count(*) FROM public.job_queue WHERE status = 'COMPLETED'`),
  );
}

// Users and ledger as empty as on the other side, so that only the queue differs.
async function measureFull({ cluster, jobs }) {
  await cluster.rows(full, 'TRUNCATE public.users, rollcall.ledger');
  const users = await fill(cluster, full, jobs);
  await cluster.settle();
  return burn(cluster, full, users);
}

async function loadEvents(cluster, database, jobs) {
  await cluster.rows(database, 'CREATE TABLE events (body jsonb)');
  await runToEnd(
    join(cluster.bin, 'psql'),
    ['-q', '-v', 'ON_ERROR_STOP=1', '-c', 'COPY events FROM STDIN', cluster.url(database)],
    { input: events(jobs) },
  );
}

async function prepareClassic({ cluster, jobs }) {
  await cluster.create(classic);
  await cluster.file(classic, 'classic.sql');
  await cluster.file(classic, 'partial_index.sql');
  await loadEvents(cluster, classic, jobs);
}

const everybody = (count) => ({ first: clerkId(0), last: clerkId(9999999999), count });

async function measureFused({ cluster, jobs }) {
  await cluster.rows(classic, 'TRUNCATE job_queue, users');
  await cluster.rows(
    classic,
    `INSERT INTO job_queue (job_type, payload, priority)
     SELECT 'USER_CREATED', body, 2 FROM events`,
  );
  await cluster.rows(classic, 'ANALYZE job_queue');
  await cluster.settle();
  const each = Math.ceil(jobs / batch / fusedClients) + 2;
  await runToEnd(
    join(cluster.bin, 'pgbench'),
    [
      ...['-n', '-M', 'prepared', '-c', fusedClients, '-j', 2, '-t', each],
      ...['-f', join(paths.bench, 'sql/fused.sql'), cluster.url(classic)],
    ].map(String),
  );
  return rateFromRows(cluster, classic, everybody(jobs));
}

async function prepareGraphile({ cluster, jobs }) {
  await cluster.create(graphile);
  await cluster.file(graphile, 'classic.sql');
  await migratePeer('graphile', { DATABASE_URL: cluster.url(graphile) });
  await loadEvents(cluster, graphile, jobs);
}

async function measureGraphile({ cluster, jobs }) {
  await cluster.rows(graphile, 'TRUNCATE users, graphile_worker._private_jobs');
  await cluster.rows(
    graphile,
    `SELECT count(*) FROM (
       SELECT graphile_worker.add_jobs(array_agg(
                json_populate_record(NULL::graphile_worker.job_spec,
                  json_build_object('identifier', 'apply_user', 'payload', body))))
       FROM (SELECT body, row_number() OVER () / 500 AS part FROM events) AS parts GROUP BY part
     ) AS added`,
  );
  await cluster.rows(graphile, 'ANALYZE graphile_worker._private_jobs');
  await cluster.settle();
  const users = everybody(jobs);
  const worker = await startPeer('graphile', { DATABASE_URL: cluster.url(graphile) });
  await rowsVisible(cluster, graphile, users.first, users.last, users.count);
  await worker.stop();
  return rateFromRows(cluster, graphile, users);
}

export async function jobs(context) {
  const { rounds, say } = context;
  await prepareClassic(context);
  await prepareGraphile(context);
  const finished = await prepareFull(context);
  say(`${finished} finished rows in the full queue`);
  const runs = await inTurn(
    rounds,
    {
      rollcall: () => measureEmpty(context),
      full: () => measureFull(context),
      mirrored: () => measureMirrored(context),
      graphile: () => measureGraphile(context),
      fused: () => measureFused(context),
    },
    (name, round, result) => say(`round ${round + 1} ${name}: ${result.toFixed(0)} jobs/s`),
  );
  const over = (name, title, goal, numerators, denominators) => ({
    name,
    title,
    goal: { op: '>=', value: goal },
    ...ratio(numerators, denominators),
    detail: medians(median(numerators), median(denominators)),
  });
  return {
    figures: [
      over('jobs_vs_graphile', 'user jobs/s ÷ graphile-worker', 3, runs.rollcall, runs.graphile),
      over(
        'jobs_vs_fused',
        'user jobs/s ÷ one fused statement by hand',
        0.8,
        runs.rollcall,
        runs.fused,
      ),
      over(
        'jobs_full_vs_empty',
        `user jobs/s, ${finished.toLocaleString('en-US')} finished rows ÷ none`,
        0.9,
        runs.full,
        runs.rollcall,
      ),
      over(
        'jobs_mirror_vs_plain',
        'user jobs/s, the outbox of the mirror on ÷ off',
        0.6,
        runs.mirrored,
        runs.rollcall,
      ),
    ],
    notes: { runs, finished },
  };
}
