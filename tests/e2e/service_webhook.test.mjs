// The main job from outside: a signed event becomes the right row, and the answers are those of the
// contract, word for word.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Postgres } from './postgres.mjs';
import {
  CRON_SECRET,
  Service,
  deletedEvent,
  freshDatabase,
  messageId,
  signed,
  userEvent,
} from './service.mjs';
import { until } from './simulator.mjs';

let postgres, database, service;
before(async () => {
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  service = await Service.start(postgres.url(database));
});
after(async () => {
  await service?.stop();
  postgres?.remove();
});

const sql = (text, values) => postgres.query(database, text, values);
const row = async (id) => (await sql('SELECT * FROM public.users WHERE clerk_id = $1', [id]))[0];
const settled = () =>
  until(
    async () =>
      (
        await sql("SELECT count(*)::int n FROM job_queue WHERE status IN ('PENDING','PROCESSING')")
      )[0].n === 0,
    'an empty queue',
  );

test('created, updated and deleted answer with their message and job', async () => {
  const id = 'user_answers';
  for (const [type, body, message, priority] of [
    ['USER_CREATED', userEvent('user.created', id, 1000), 'User creation job queued', 2],
    [
      'USER_UPDATED',
      userEvent('user.updated', id, 2000, { first: 'Ada' }),
      'User update job queued',
      1,
    ],
    ['USER_DELETED', deletedEvent(id), 'User deletion job queued', 1],
  ]) {
    const answer = await service.deliver(body);
    assert.equal(answer.status, 202);
    const { jobId } = answer.json;
    assert.match(jobId, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    assert.equal(answer.text, `{"success":true,"message":"${message}","jobId":"${jobId}"}`);
    const [job] = await sql(
      'SELECT job_type, priority, original_event, payload FROM job_queue WHERE id = $1',
      [jobId],
    );
    assert.equal(job.job_type, type);
    assert.equal(job.priority, priority);
    assert.equal(job.original_event, body);
    const keys = Object.keys(job.payload).toSorted();
    const wanted =
      type === 'USER_DELETED'
        ? ['clerk_id', 'created_at', 'retry_count']
        : ['clerk_id', 'created_at', 'email', 'name', 'retry_count', 'user_role'];
    assert.deepEqual(keys, wanted);
    await settled();
    const user = await row(id);
    if (type === 'USER_CREATED')
      assert.deepEqual(
        [user.email, user.name, user.role, user.deleted_at],
        [`${id}@example.com`, 'Grace Hopper', 'user', null],
      );
    if (type === 'USER_UPDATED') assert.equal(user.name, 'Ada Hopper');
    if (type === 'USER_DELETED')
      assert.deepEqual([user.email, user.deleted_at !== null], [null, true]);
  }
});

// fault 1
test('fifty copies at once are one job, and each hears so', async () => {
  const body = userEvent('user.created', 'user_fifty', 1000);
  const id = messageId();
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => service.deliver(body, { id })),
  );
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [202]);
  assert.equal(new Set(answers.map((answer) => answer.json.jobId)).size, 1);
  assert.equal(answers.filter((answer) => answer.json.duplicate !== true).length, 1);
  assert.equal(
    (await sql('SELECT count(*)::int n FROM job_queue WHERE event_id = $1', [id]))[0].n,
    1,
  );
});

test('a resend of a failed job sets it going again', async () => {
  const body = userEvent('user.created', 'user_resent', 1000);
  const id = messageId();
  const { jobId } = (await service.deliver(body, { id })).json;
  await settled();
  await sql("UPDATE job_queue SET status = 'FAILED', error = 'tried' WHERE id = $1", [jobId]);
  const again = await service.deliver(body, { id });
  assert.equal(
    again.text,
    `{"success":true,"message":"User creation job queued","jobId":"${jobId}","duplicate":true}`,
  );
  await settled();
  assert.equal(
    (await sql('SELECT status FROM job_queue WHERE id = $1', [jobId]))[0].status,
    'COMPLETED',
  );
});

test('other event types are acknowledged and dropped', async () => {
  const answer = await service.deliver(
    '{"object":"event","type":"session.created","timestamp":1,"instance_id":"i","data":{}}',
  );
  assert.deepEqual(
    [answer.status, answer.text],
    [200, '{"success":true,"message":"Event type not handled"}'],
  );
});

test('signed but unusable events are kept for a person', async () => {
  for (const [body, type] of [
    ['not json', 'UNKNOWN_EVENT'],
    ['[1,2]', 'UNKNOWN_EVENT'],
    ['{"object":"event","data":{}}', 'UNKNOWN_EVENT'],
    ['{"object":"event","type":"user.created","data":{}}', 'USER_CREATED'],
    ['{"object":"event","type":"user.deleted","data":{"deleted":true}}', 'USER_DELETED'],
  ]) {
    const answer = await service.deliver(body);
    assert.equal(answer.status, 202, body);
    const { jobId } = answer.json;
    assert.equal(
      answer.text,
      `{"success":true,"message":"Event kept for review","jobId":"${jobId}"}`,
    );
    const [job] = await sql(
      'SELECT job_type, status, error, original_event FROM job_queue WHERE id = $1',
      [jobId],
    );
    assert.deepEqual([job.job_type, job.status, job.original_event], [type, 'FAILED', body]);
    assert.ok(job.error);
  }
});

test('bytes that text cannot hold are kept in base64', async () => {
  const body = Buffer.from(
    '{"object":"event","type":"user.created","data":{"id":"user_bytes","first_name":"\u0000"}}',
  )
    .toString('latin1')
    .replace('first', 'f\xffrst');
  const bytes = Buffer.from(body, 'latin1');
  const id = messageId();
  const headers = signed(bytes, id);
  const { hmac } = await import('./svix_bytes.mjs');
  headers['svix-signature'] = hmac(id, headers['svix-timestamp'], bytes);
  const answer = await service.deliver(bytes, { headers });
  assert.equal(answer.status, 202);
  const [job] = await sql('SELECT original_event FROM job_queue WHERE id = $1', [
    answer.json.jobId,
  ]);
  assert.equal(job.original_event, `base64:${bytes.toString('base64')}`);
});

// fault 7
test('everything wrong with a signature is the same 401', async () => {
  const body = userEvent('user.created', 'user_refused', 1000);
  const good = signed(body);
  const without = (name) =>
    Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
  const refused = [
    [{ 'content-type': 'application/json' }, body],
    [without('svix-id'), body],
    [without('svix-timestamp'), body],
    [without('svix-signature'), body],
    [good, `${body} `],
    [{ ...good, 'svix-timestamp': `${good['svix-timestamp']}x` }, body],
    [{ ...good, 'svix-id': 'msg_other' }, body],
    [signed(body, messageId(), { at: new Date(Date.now() - 302_000) }), body],
    [signed(body, messageId(), { at: new Date(Date.now() + 303_000) }), body],
    [signed(body, messageId(), { secret: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }), body],
  ];
  for (const [headers, sent] of refused) {
    const answer = await service.deliver(sent, { headers });
    assert.deepEqual([answer.status, answer.text], [401, '{"error":"Invalid signature"}']);
  }
  assert.equal(
    (await sql("SELECT count(*)::int n FROM job_queue WHERE subject = 'user_refused'"))[0].n,
    0,
  );
  assert.match(
    await service.metrics(),
    /rollcall_webhook_received_total\{[^}]*result="bad_signature"[^}]*\} [1-9]/,
  );
});

test('content types and sizes are judged', async () => {
  const body = userEvent('user.created', 'user_types', 1000);
  for (const [type, status] of [
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/json; charset=utf-8', 202],
  ]) {
    const answer = await service.deliver(body, {
      headers: { ...signed(body), 'content-type': type },
    });
    assert.equal(answer.status, status, type);
  }
  const bare = signed(body);
  delete bare['content-type'];
  assert.equal((await service.deliver(body, { headers: bare })).status, 202);
  const large = JSON.stringify({
    object: 'event',
    type: 'user.created',
    data: { id: 'user_large', x: 'y'.repeat(1_100_000) },
  });
  assert.equal((await service.deliver(large)).status, 413);
});

test('the cron route wants its key', async () => {
  assert.equal((await service.get('/api/cron/process-jobs')).status, 401);
  const answer = await service.get('/api/cron/process-jobs', service.port, {
    authorization: `Bearer ${CRON_SECRET}`,
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.success, true);
});

test('one address that keeps failing is limited; signed deliveries pass', async () => {
  const body = userEvent('user.created', 'user_flood', 1000);
  const bad = {
    ...signed(body),
    'svix-signature': 'v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  };
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => service.deliver(body, { headers: bad })),
  );
  const limited = answers.filter((answer) => answer.status === 429);
  assert.ok(limited.length > 50, `${limited.length} of 200`);
  assert.ok(Number(limited[0].headers['retry-after']) > 0);
  assert.equal((await service.deliver(body)).status, 202);
});

test('both paths are one route; others do not exist', async () => {
  const body = userEvent('user.created', 'user_path', 1000);
  assert.equal((await service.deliver(body, { path: '/api/webhooks/clerk' })).status, 202);
  assert.equal((await service.get('/webhooks/clerk')).status, 405);
  assert.equal((await service.get('/nothing')).status, 404);
});

const folders = [
  '../../tests/data/events',
  '../../../shared/reference/clerk/webhook-samples',
  '../../../shared/reference/clerk/webhook-samples/derived',
].map((folder) => path.resolve(path.dirname(fileURLToPath(import.meta.url)), folder));
const read = (folder) => {
  try {
    return readdirSync(folder)
      .filter((name) => /^user\.(created|updated|deleted)\./.test(name))
      .map((name) => path.join(folder, name));
  } catch {
    return [];
  }
};

// What the row must show, worked out from the event alone.
function expected({ type, data }) {
  if (type === 'user.deleted') return null;
  // No text column takes a NUL or half a surrogate pair.
  const text = (value) =>
    typeof value === 'string' ? value.replaceAll('\0', '').toWellFormed().trim() : '';
  const list = Array.isArray(data.email_addresses) ? data.email_addresses : [];
  const email = list.find((one) => one?.id && one.id === data.primary_email_address_id);
  const name = [text(data.first_name), text(data.last_name)].filter(Boolean).join(' ');
  const role = data.public_metadata?.role;
  return {
    email: text(email?.email_address) || null,
    name: name || null,
    role: ['user', 'admin'].includes(role) ? role : 'user',
  };
}

// fault 28
test('every sample of a user event ends in the right row', async () => {
  const samples = folders.flatMap(read);
  assert.ok(samples.length >= 10, `${samples.length} samples`);
  for (const file of samples) {
    const fresh = await freshDatabase(postgres);
    const alone = await Service.start(postgres.url(fresh));
    try {
      const body = readFileSync(file, 'utf8');
      const event = JSON.parse(body);
      const answer = await alone.deliver(body);
      assert.equal(answer.status, 202, file);
      await until(
        async () =>
          (
            await postgres.query(
              fresh,
              "SELECT count(*)::int n FROM job_queue WHERE status = 'PENDING'",
            )
          )[0].n === 0,
        file,
      );
      const [job] = await postgres.query(
        fresh,
        'SELECT status, error FROM job_queue WHERE id = $1',
        [answer.json.jobId],
      );
      const rows = await postgres.query(
        fresh,
        'SELECT clerk_id, email, name, role, deleted_at FROM public.users',
      );
      // NULL is how a users table may say that a row has no Clerk id.
      if (typeof event.data?.id !== 'string' || !/^(?!NULL$)[!-~]{1,255}$/.test(event.data.id)) {
        assert.equal(job.status, 'FAILED', file);
        continue;
      }
      assert.equal(job.status, 'COMPLETED', `${file}: ${job.error}`);
      const want = expected(event);
      if (want === null) {
        assert.equal(rows.filter((one) => one.deleted_at === null).length, 0, file);
      } else {
        assert.equal(rows.length, 1, file);
        const { clerk_id, email, name, role, deleted_at } = rows[0];
        assert.deepEqual(
          { clerk_id, email, name, role, deleted_at },
          { clerk_id: event.data.id, ...want, deleted_at: null },
          file,
        );
      }
    } finally {
      await alone.stop();
    }
  }
});
