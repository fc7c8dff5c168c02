// Sessions that end at Clerk, from the signed delivery to the list that the gate goes by.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, freshDatabase, messageId } from './service.mjs';
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
const revocation = async (id) =>
  (await sql('SELECT * FROM rollcall.session_revocations WHERE session_id = $1', [id]))[0];
const event = (type, data, timestamp = 1762340400417) =>
  JSON.stringify({ object: 'event', type, instance_id: 'ins_e2e', timestamp, data });

test('a session that ends by any word is on the list, once', async () => {
  for (const type of ['session.ended', 'session.removed', 'session.revoked']) {
    const id = `sess_${type.slice(8)}`;
    const body = event(type, { object: 'session', id, user_id: 'user_a', status: type.slice(8) });
    const message = messageId();
    const answer = await service.deliver(body, { id: message });
    assert.equal(answer.status, 202);
    const { jobId } = answer.json;
    assert.equal(
      answer.text,
      `{"success":true,"message":"Session revocation job queued","jobId":"${jobId}"}`,
    );
    await until(() => revocation(id), id);
    const row = await revocation(id);
    assert.equal(row.clerk_id, 'user_a');
    assert.equal(new Date(row.revoked_at).getTime(), 1762340400417);
    const [job] = await sql('SELECT * FROM job_queue WHERE id = $1', [jobId]);
    assert.equal(job.job_type, 'REVOKE_SESSION');
    assert.equal(job.status, 'COMPLETED');
    assert.equal(job.original_event, body);
    const again = await service.deliver(body, { id: message });
    assert.deepEqual(again.json, {
      success: true,
      message: 'Session revocation job queued',
      jobId,
      duplicate: true,
    });
  }
  assert.equal((await sql('SELECT count(*)::int n FROM rollcall.session_revocations'))[0].n, 3);
  const metrics = await service.metrics();
  assert.match(
    metrics,
    /rollcall_jobs_completed_total\{kind="REVOKE_SESSION",queue="users",result="ok"\} 3/,
  );
  assert.match(
    metrics,
    /rollcall_webhook_received_total\{event_type="session.revoked",result="enqueued"\} 1/,
  );
});

test('events of one session in any order leave the earliest', async () => {
  const times = [1762340400500, 1762340400300, 1762340400900];
  for (const at of times) {
    const answer = await service.deliver(event('session.ended', { id: 'sess_order' }, at));
    assert.equal(answer.status, 202);
  }
  await until(
    async () =>
      (
        await sql(
          `SELECT count(*)::int n FROM job_queue
           WHERE status = 'COMPLETED' AND payload->>'session_id' = 'sess_order'`,
        )
      )[0].n === 3,
    'three jobs',
  );
  const row = await revocation('sess_order');
  assert.equal(new Date(row.revoked_at).getTime(), Math.min(...times));
  assert.equal(row.clerk_id, null);
});

test('one that names no session is kept for review, others are not handled', async () => {
  const unusable = await service.deliver(event('session.revoked', { user_id: 'user_a' }));
  assert.equal(unusable.status, 202);
  assert.equal(unusable.json.message, 'Event kept for review');
  const [job] = await sql('SELECT status, job_type, error FROM job_queue WHERE id = $1', [
    unusable.json.jobId,
  ]);
  assert.deepEqual(job, {
    status: 'FAILED',
    job_type: 'REVOKE_SESSION',
    error: 'Unusable event: it has no usable data.id',
  });
  for (const type of ['session.created', 'session.pending']) {
    const answer = await service.deliver(event(type, { id: 'sess_new', user_id: 'user_a' }));
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '{"success":true,"message":"Event type not handled"}');
  }
  assert.equal(await revocation('sess_new'), undefined);
});

test('the samples end in the list', async () => {
  const official = '../../../shared/reference/clerk/webhook-samples';
  for (const folder of ['../data/events', official]) {
    for (const type of ['session.ended', 'session.removed', 'session.revoked']) {
      const file = new URL(`${folder}/${type}.json`, import.meta.url);
      // Only the project's own are everywhere.
      if (folder === official && !existsSync(file)) continue;
      const body = readFileSync(file, 'utf8');
      const { data } = JSON.parse(body);
      assert.equal((await service.deliver(body)).status, 202, type);
      await until(() => revocation(data.id), `${folder} ${type}`);
      assert.equal((await revocation(data.id)).clerk_id, data.user_id);
    }
  }
});

test('stored by one process while nobody works, it counts once somebody does', async () => {
  await service.stop();
  const ingest = await Service.start(postgres.url(database), { ROLLCALL_SERVE_ROLES: 'ingest' });
  try {
    const answer = await ingest.deliver(event('session.revoked', { id: 'sess_late' }));
    assert.equal(answer.status, 202);
    assert.equal(await revocation('sess_late'), undefined);
    service = await Service.start(postgres.url(database), { ROLLCALL_SERVE_ROLES: 'worker' });
    await until(() => revocation('sess_late'), 'the revocation');
    // Told by the other process: not found by polling alone.
    assert.equal(
      (await ingest.deliver(event('session.revoked', { id: 'sess_next' }))).status,
      202,
    );
    await until(() => revocation('sess_next'), 'the next one');
  } finally {
    await ingest.stop();
  }
});
