// graphile-worker with the settings of its own performance test, its task upserting the user of the
// event: 2 processes of 24 jobs at a time, or as the environment says.
import { run, runMigrations } from 'graphile-worker';
import { env, runProcesses } from './processes.mjs';

const upsert = {
  name: 'upsert_user',
  text: `INSERT INTO users (clerk_id, email, name, "updatedAt") VALUES ($1, $2, $3, now())
         ON CONFLICT (clerk_id) DO UPDATE
         SET email = excluded.email, name = excluded.name, "updatedAt" = now(), updated_at = now()`,
};

async function applyUser(event, helpers) {
  const user = event.data;
  const primary = user.email_addresses.find(({ id }) => id === user.primary_email_address_id);
  const values = [user.id, primary?.email_address ?? null, `${user.first_name} ${user.last_name}`];
  await helpers.withPgClient((client) => client.query({ ...upsert, values }));
}

const connectionString = env('DATABASE_URL');
if (process.argv[2] === 'migrate') {
  await runMigrations({ connectionString });
} else {
  const concurrency = Number(process.env.CONCURRENCY ?? 24);
  const quiet = { scope: () => quiet, error: console.error, warn() {}, info() {}, debug() {} };
  await runProcesses(2, async () => {
    await run({
      preset: {
        worker: {
          connectionString,
          concurrentJobs: concurrency,
          maxPoolSize: concurrency + 1,
          localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
          logger: quiet,
        },
      },
      taskList: { apply_user: applyUser },
      noHandleSignals: true,
    });
  });
}
