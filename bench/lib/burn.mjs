// Working off a queue of waiting user jobs that the real intake has filled.
import { clerkId, send } from './load.mjs';
import { rowsVisible, startRollcall } from './rollcall.mjs';

// `count` events accepted and none worked off; returns the range of their users.
export async function fill(cluster, database, count) {
  const service = await startRollcall(cluster, database, {
    name: 'rollcall-fill',
    roles: 'ingest',
  });
  const outcome = await send({ ports: [service.port], seconds: 300, count });
  await service.stop();
  const last = clerkId(outcome.first + count - 1);
  return { first: clerkId(outcome.first), last, count: outcome.accepted };
}

// Jobs a second between the first and the last transaction: users.created_at is the start of the
// transaction that made the row, so what came before the last one is what was done in that time.
export async function rateFromRows(cluster, database, { first, last, count }) {
  const [{ rows, final, seconds }] = await cluster.rows(
    database,
    `SELECT sum(n)::int AS rows, (array_agg(n ORDER BY at DESC))[1]::int AS final,
            extract(epoch FROM max(at) - min(at))::float8 AS seconds
     FROM (SELECT created_at AS at, count(*) AS n FROM public.users
           WHERE clerk_id BETWEEN $1 AND $2 GROUP BY created_at) AS transactions`,
    [first, last],
  );
  if (rows < count || !(seconds > 0)) {
    throw new Error(`${database}: ${rows} of ${count} users are there`);
  }
  return (rows - final) / seconds;
}

// Starts a worker, waits until the jobs of `users` are done, stops it; jobs a second.
export async function burn(cluster, database, users) {
  const service = await startRollcall(cluster, database, {
    name: 'rollcall-burn',
    roles: 'worker',
  });
  await rowsVisible(cluster, database, users.first, users.last, users.count);
  await service.stop();
  return rateFromRows(cluster, database, users);
}
