// The handler that people write by hand: verify with svix, look the user up, insert a job, answer.
// One by one, a pool of 16 connections a process.
import { createServer } from 'node:http';
import pg from 'pg';
import { Webhook } from 'svix';
import { answer, env, readBody, runProcesses } from './processes.mjs';

const jobTypes = new Map([
  ['user.created', 'USER_CREATED'],
  ['user.updated', 'USER_UPDATED'],
  ['user.deleted', 'USER_DELETED'],
]);

async function handle(pool, webhook, request, response) {
  const body = (await readBody(request)).toString('utf8');
  let event;
  try {
    event = webhook.verify(body, request.headers);
  } catch {
    answer(response, 401, { error: 'Invalid signature' });
    return;
  }
  const jobType = jobTypes.get(event.type);
  if (jobType === undefined) {
    answer(response, 200, { success: true, message: 'Event type not handled' });
    return;
  }
  const known = await pool.query('SELECT id FROM users WHERE clerk_id = $1', [event.data.id]);
  const type = jobType === 'USER_CREATED' && known.rowCount > 0 ? 'USER_UPDATED' : jobType;
  const inserted = await pool.query(
    'INSERT INTO job_queue (job_type, payload, priority) VALUES ($1, $2, $3) RETURNING id',
    [type, JSON.stringify(event), type === 'USER_CREATED' ? 2 : 1],
  );
  answer(response, 202, {
    success: true,
    message: 'User creation job queued',
    jobId: inserted.rows[0].id,
  });
}

await runProcesses(2, async () => {
  const pool = new pg.Pool({ connectionString: env('DATABASE_URL'), max: 16 });
  const webhook = new Webhook(env('WEBHOOK_SECRET'));
  const server = createServer((request, response) => {
    handle(pool, webhook, request, response).catch((error) => {
      process.stderr.write(`${error.stack}\n`);
      answer(response, 500, { error: 'Internal error' });
    });
  });
  await new Promise((resolve) => server.listen(Number(env('PORT')), '127.0.0.1', resolve));
});
