// A process that converges the seeds it is sent, one at a time: what blocks one (a server that
// restarts) blocks no other.
import { converge, ground } from './converge.mjs';

const on = ground();

process.on('message', async ({ seed, options }) => {
  try {
    process.send(await converge(await on, seed, options));
  } catch (error) {
    process.send({ seed, findings: [String(error.stack ?? error)], seconds: 0 });
  }
});
process.on('disconnect', async () => {
  (await on).postgres.remove();
  process.exit(0);
});
