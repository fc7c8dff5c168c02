// One event on an idle service: from the first byte sent until another session sees the row.
import { visible as watch } from '../lib/load.mjs';
import { freshDatabase, startRollcall } from '../lib/rollcall.mjs';
import { inTurn, plain } from '../lib/stats.mjs';

const database = 'rollcall_visible';

export async function visible({ cluster, rounds, lone, say }) {
  await freshDatabase(cluster, database);
  const service = await startRollcall(cluster, database, { name: 'rollcall-visible' });
  const measure = () => watch({ port: service.port, database: cluster.url(database), count: lone });
  await measure();
  const runs = await inTurn(rounds, { rollcall: measure }, (name, round, result) =>
    say(`round ${round + 1}: p50 ${result.visible.p50_ms} ms, p99 ${result.visible.p99_ms} ms`),
  );
  await service.stop();
  const figure = (name, title, goal, part) => ({
    name,
    title,
    unit: 'ms',
    noise: 0.5,
    goal: { op: '<=', value: goal },
    ...plain(runs.rollcall.map((run) => run.visible[part])),
  });
  return {
    figures: [
      figure('visible_p50', 'event → row visible, idle, p50', 5, 'p50_ms'),
      figure('visible_p99', 'event → row visible, idle, p99', 15, 'p99_ms'),
    ],
    notes: { runs },
  };
}
