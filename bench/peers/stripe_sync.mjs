// @supabase/stripe-sync-engine behind node:http, as its own server has it: a signed event comes in,
// its signature is verified, the row is upserted, 200. Stripe is never asked.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { answer, env, readBody, runProcesses } from './processes.mjs';

// The CommonJS build: the other one cannot find its own migrations.
const { StripeSync, runMigrations } = createRequire(import.meta.url)(
  '@supabase/stripe-sync-engine',
);

if (process.argv[2] === 'migrate') {
  // It reports a failure to its logger only.
  const logger = {
    info() {},
    error(error) {
      process.stderr.write(`${error.stack}\n`);
      process.exitCode = 1;
    },
  };
  await runMigrations({ databaseUrl: env('DATABASE_URL'), schema: 'stripe', logger });
} else {
  await runProcesses(2, async () => {
    const sync = new StripeSync({
      poolConfig: { connectionString: env('DATABASE_URL'), max: 16 },
      schema: 'stripe',
      stripeSecretKey: 'sk_test_of_the_benchmark',
      stripeWebhookSecret: env('WEBHOOK_SECRET'),
      backfillRelatedEntities: false,
      autoExpandLists: false,
    });
    const server = createServer(async (request, response) => {
      try {
        await sync.processWebhook(await readBody(request), request.headers['stripe-signature']);
        answer(response, 200, { received: true });
      } catch (error) {
        process.stderr.write(`${error.stack}\n`);
        answer(response, 400, { error: error.message });
      }
    });
    await new Promise((resolve) => server.listen(Number(env('PORT')), '127.0.0.1', resolve));
  });
}
