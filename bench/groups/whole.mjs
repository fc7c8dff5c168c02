// All the way: from the first signed event sent until every accepted one shows as a row; and what
// the service weighs, idle and at the end of that.
import { freePorts } from '../lib/cluster.mjs';
import { clerkId, send, stripeSecret } from '../lib/load.mjs';
import { migratePeer, startPeer } from '../lib/peer.mjs';
import { pause } from '../lib/process.mjs';
import { medians } from '../lib/report.mjs';
import { freshDatabase, rowsVisible, startRollcall } from '../lib/rollcall.mjs';
import { inTurn, median, plain, ratio } from '../lib/stats.mjs';

const ours = 'rollcall_whole';
const theirs = 'stripe_whole';
const perSecondMax = { rollcall: 40000, stripe: 8000 };
const idleSeconds = 5;

async function measureRollcall({ cluster, seconds }) {
  await freshDatabase(cluster, ours);
  const service = await startRollcall(cluster, ours, { name: 'rollcall-whole' });
  await pause(idleSeconds * 1000);
  const idle = service.memory().now;
  const count = seconds * perSecondMax.rollcall;
  const outcome = await send({ ports: [service.port], seconds, count });
  const at = await rowsVisible(
    cluster,
    ours,
    clerkId(outcome.first),
    clerkId(outcome.first + count - 1),
    outcome.accepted,
  );
  const memory = { idle, load: service.memory().most };
  await service.stop();
  return {
    accepted_per_second: outcome.accepted_per_second,
    per_second: outcome.accepted / (at / 1000 - outcome.started_at),
    memory,
  };
}

async function measureStripe({ cluster, seconds }, port) {
  await cluster.rows(theirs, 'TRUNCATE stripe.customers CASCADE');
  await cluster.settle();
  const outcome = await send({
    ports: [port],
    seconds,
    count: seconds * perSecondMax.stripe,
    stripe: true,
  });
  const rows = Number(await cluster.value(theirs, 'SELECT count(*) FROM stripe.customers'));
  if (rows !== outcome.accepted) {
    throw new Error(`stripe-sync-engine accepted ${outcome.accepted} events and has ${rows} rows`);
  }
  return { per_second: outcome.accepted_per_second };
}

export async function whole(context) {
  const { cluster, rounds, say } = context;
  await cluster.create(theirs);
  const [port] = await freePorts(1);
  const env = {
    DATABASE_URL: cluster.url(theirs),
    WEBHOOK_SECRET: stripeSecret,
    PORT: String(port),
  };
  await migratePeer('stripe_sync', env);
  const peer = await startPeer('stripe_sync', env);
  await measureStripe({ cluster, seconds: 2 }, port);
  const runs = await inTurn(
    rounds,
    {
      rollcall: () => measureRollcall(context),
      stripe: () => measureStripe(context, port),
    },
    (name, round, result) =>
      say(`round ${round + 1} ${name}: ${result.per_second.toFixed(0)} events/s all the way`),
  );
  await peer.stop();
  const rate = (side) => side.map((run) => run.per_second);
  const memory = (name, title, goal, part) => ({
    name,
    title,
    unit: 'MB',
    goal: { op: '<=', value: goal },
    ...plain(runs.rollcall.map((run) => run.memory[part])),
  });
  return {
    figures: [
      {
        name: 'whole_vs_stripe_sync',
        title: 'events all the way/s ÷ stripe-sync-engine',
        goal: { op: '>=', value: 4 },
        ...ratio(rate(runs.rollcall), rate(runs.stripe)),
        detail: medians(median(rate(runs.rollcall)), median(rate(runs.stripe))),
      },
      memory('memory_idle', 'memory, idle service', 40, 'idle'),
      memory('memory_load', 'memory, most under full load', 150, 'load'),
    ],
    notes: { runs },
  };
}
