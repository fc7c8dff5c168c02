// Working off while another session keeps an old snapshot, as a dump or a report does: nothing that
// the queue leaves behind can be cleaned away meanwhile.
import { burn, fill } from '../lib/burn.mjs';
import { clerkId, send } from '../lib/load.mjs';
import { medians } from '../lib/report.mjs';
import { freshDatabase, rowsVisible, startRollcall } from '../lib/rollcall.mjs';
import { median } from '../lib/stats.mjs';

const database = 'rollcall_held';
const flowPerSecond = 4000;
const flowStep = 25; // seconds; the requests of one step are made beforehand

async function measure({ cluster, jobs, say }, label, times) {
  const rates = [];
  for (let time = 0; time < times; time += 1) {
    const users = await fill(cluster, database, jobs);
    await cluster.settle();
    rates.push(await burn(cluster, database, users));
    say(`${label}: ${rates.at(-1).toFixed(0)} jobs/s`);
  }
  return rates;
}

// Events come in and are worked off for `seconds`.
async function flow({ cluster, heldSeconds }) {
  const service = await startRollcall(cluster, database, {
    name: 'rollcall-flow',
    roles: 'ingest worker',
  });
  const end = Date.now() + heldSeconds * 1000;
  let events = 0;
  while (Date.now() < end) {
    const seconds = Math.min(flowStep, Math.ceil((end - Date.now()) / 1000));
    const count = seconds * flowPerSecond;
    const outcome = await send({
      ports: [service.port],
      seconds: seconds + 1,
      count,
      rate: flowPerSecond,
    });
    await rowsVisible(
      cluster,
      database,
      clerkId(outcome.first),
      clerkId(outcome.first + count - 1),
      outcome.accepted,
    );
    events += outcome.accepted;
  }
  await service.stop();
  return events;
}

export async function held(context) {
  const { cluster, heldSeconds, say } = context;
  await freshDatabase(cluster, database);
  const before = await measure(context, 'before the snapshot', 2);
  const other = await cluster.newSession(database);
  await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await other.query('SELECT count(*) FROM public.job_queue');
  const events = await flow(context);
  say(`${events} events came and were worked off under the snapshot`);
  const under = await measure(context, `${heldSeconds} s under the snapshot`, 3);
  await other.query('ROLLBACK');
  await other.end();
  await cluster.rows(database, 'VACUUM ANALYZE public.job_queue');
  await cluster.rows(database, 'VACUUM ANALYZE public.users');
  const after = await measure(context, 'after the snapshot', 2);
  const without = median([...before, ...after]);
  return {
    figures: [
      {
        name: 'jobs_held_vs_free',
        title: `user jobs/s, another session's snapshot held ${heldSeconds} s ÷ without`,
        goal: { op: '>=', value: 0.5 },
        noise: 0.25,
        value: median(under) / without,
        low: Math.min(...under) / without,
        high: Math.max(...under) / without,
        detail: medians(median(under), without),
      },
    ],
    notes: { before, under, after, events, flow_per_second: flowPerSecond },
  };
}
