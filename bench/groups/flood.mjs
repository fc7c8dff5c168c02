// The door while one address floods it: 500 signed deliveries a second from several addresses,
// alone and beside 5,000 requests a second that do not verify. None that is signed may be refused.
import { flood as sendFlood, trickle } from '../lib/load.mjs';
import { medians } from '../lib/report.mjs';
import { freshDatabase, startRollcall } from '../lib/rollcall.mjs';
import { inTurn, median, ratio } from '../lib/stats.mjs';

const database = 'rollcall_flood';
const signedPerSecond = 500;
const forgedPerSecond = 5000;

const refused = (outcome) => outcome.sent - outcome.accepted;

export async function flood(context) {
  const { cluster, rounds, say } = context;
  const seconds = context.seconds * 2;
  await freshDatabase(cluster, database);
  const service = await startRollcall(cluster, database, { name: 'rollcall-flood' });
  const signed = () => trickle({ port: service.port, seconds, rate: signedPerSecond });
  await signed();
  const runs = await inTurn(
    rounds,
    {
      quiet: async () => ({ signed: await signed() }),
      flooded: async () => {
        const [forged, all] = await Promise.all([
          sendFlood({ port: service.port, seconds, rate: forgedPerSecond }),
          signed(),
        ]);
        return { signed: all, forged };
      },
    },
    (name, round, result) =>
      say(
        `round ${round + 1} ${name}: p99 ${result.signed.p99_ms} ms` +
          (result.forged
            ? `, ${Math.round(result.forged.sent / result.forged.elapsed_seconds)} forged/s: ` +
              JSON.stringify(result.forged.statuses)
            : ''),
      ),
  );
  await service.stop();
  const p99 = (side) => side.map((run) => run.signed.p99_ms);
  const all = [...runs.quiet, ...runs.flooded];
  return {
    figures: [
      {
        name: 'flood_p99',
        title: 'p99 of signed deliveries, one address flooding ÷ quiet',
        goal: { op: '<=', value: 3 },
        noise: 0.5,
        ...ratio(p99(runs.flooded), p99(runs.quiet)),
        detail: medians(median(p99(runs.flooded)), median(p99(runs.quiet)), ' ms'),
      },
      {
        name: 'flood_refused',
        title: 'signed deliveries refused',
        goal: { op: '<=', value: 0 },
        value: all.reduce((sum, run) => sum + refused(run.signed), 0),
      },
    ],
    notes: { runs },
  };
}
