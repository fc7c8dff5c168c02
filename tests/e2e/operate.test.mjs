// What an operator does, by the command line and over the admin API, and what the audit log tells
// of it afterwards.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, WEBHOOK_SECRET } from './service.mjs';
import { Simulator, until } from './simulator.mjs';

let postgres, polled, folder;
before(async () => {
  postgres = await Postgres.start();
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-operate-'));
  polled = await Polled.start(postgres, 3);
});
after(async () => {
  await polled?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const query = (text) => postgres.query(polled.database, text);
const statuses = async () =>
  (await query(`SELECT subject, status FROM job_queue ORDER BY subject`)).map(
    (row) => `${row.subject} ${row.status}`,
  );
const entries = (...args) => polled.run(['audit-log', '--json', ...args]).json.entries;

// Dead letters, of two reasons, and nobody who works.
async function bury() {
  await query(
    `DELETE FROM job_queue; INSERT INTO job_queue (job_type, status, subject, error, payload)
     SELECT 'USER_UPDATED', 'FAILED', 'user_' || n, 'user_' || n || CASE WHEN n < 3
       THEN ': the address is taken' ELSE ': boom' END,
       jsonb_build_object('clerk_id', 'user_' || n, 'email', 'canary' || n || '@example.com')
     FROM generate_series(1, 3) n`,
  );
}

test('dead letters are counted, tried on paper, and set going again', async () => {
  await bury();
  const reasons = polled.run(['jobs', 'reasons', '--json']).json.reasons;
  assert.deepEqual(
    reasons.map((one) => [one.count, one.reason]),
    [
      [2, '…: the address is taken'],
      [1, '…: boom'],
    ],
  );
  for (const after of ['-1', '0', 'x']) {
    assert.equal(polled.run(['audit-log', '--after', after]).code, 2, after);
  }
  for (const words of [[], ['--dry-run'], ['--all', '--kind', 'X'], ['some-id', '--all']]) {
    assert.equal(polled.run(['jobs', 'retry', ...words]).code, 2, words.join(' '));
  }
  assert.equal(polled.run(['jobs', 'retry', '--status', 'PENDING']).code, 2);
  const filter = ['--reason', 'TAKEN', '--since', '1h'];
  const dry = polled.run(['jobs', 'retry', ...filter, '--dry-run', '--json']).json;
  assert.deepEqual([dry.matched, dry.changed, dry.more, dry.ids.length], [2, 0, false, 2]);
  assert.deepEqual(await statuses(), ['user_1 FAILED', 'user_2 FAILED', 'user_3 FAILED']);

  const done = polled.run(['jobs', 'retry', ...filter, '--note', 'the address is free']);
  assert.equal(done.code, 0);
  assert.match(done.stdout, /\n2 jobs pending again\n$/);
  assert.deepEqual(await statuses(), ['user_1 PENDING', 'user_2 PENDING', 'user_3 FAILED']);
  assert.match(polled.run(['jobs', 'retry', ...filter]).stdout, /^0 jobs/);
  assert.match(polled.run(['jobs', 'cancel', '--all']).stdout, /\n2 jobs cancelled\n$/);
  const told = entries('--action', 'job.retry', '--since', '1h');
  assert.equal(told.length, 2);
  assert.equal(told[0].actor, 'cli');
  assert.ok(told[0].actor_name);
  assert.equal(told[0].reason, 'the address is free');
  assert.equal(entries('--action', 'job.cancel').length, 2);
});

test('the admin API does the same, and shows no personal data unasked', async () => {
  await bury();
  const service = await polled.serve({ ROLLCALL_SERVE_ROLES: 'ingest' });
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'x-request-id': 'operate-1' };
  const get = (where) => service.get(`/api/v1${where}`, service.adminPort, headers);
  const post = (where, body) =>
    service.request('POST', `/api/v1${where}`, {
      port: service.adminPort,
      headers,
      body: body && JSON.stringify(body),
    });
  assert.equal((await service.get('/api/v1/jobs', service.adminPort)).status, 401);
  assert.equal((await service.get('/api/v1/jobs', service.port)).status, 404);
  const { jobs } = (await get('/jobs?status=FAILED&reason=boom')).json;
  assert.equal(jobs.length, 1);
  const { id } = jobs[0];
  assert.ok(!(await get(`/jobs/${id}`)).text.includes('canary'));
  assert.equal((await get(`/jobs/${id}?reveal=true`)).json.payload.email, 'canary3@example.com');

  assert.equal((await post(`/jobs/${id}/cancel`)).status, 409);
  assert.equal((await post(`/jobs/${id}/retry`, { note: 'mended' })).status, 200);
  assert.equal((await post('/jobs/7/retry')).status, 400);
  assert.equal((await post('/jobs/01a2003d-b678-77f8-bc5d-f45e2b4b6a49/retry')).status, 404);
  assert.equal((await post('/jobs/retry', {})).status, 400);
  assert.equal((await post('/jobs/retry', { reasn: 'taken' })).status, 400);
  assert.equal((await post('/jobs/retry', { reason: 'taken', dry_run: true })).json.matched, 2);
  assert.equal((await post('/jobs/retry', { reason: 'taken' })).json.changed, 2);
  assert.deepEqual(await statuses(), ['user_1 PENDING', 'user_2 PENDING', 'user_3 PENDING']);
  const told = (await get(`/audit?target=${id}`)).json.entries;
  assert.deepEqual(
    told.map((one) => [one.actor, one.actor_ip, one.request_id, one.action, one.reason]),
    [
      ['user', '127.0.0.1', 'operate-1', 'job.retry', 'mended'],
      ['user', '127.0.0.1', 'operate-1', 'job.reveal', null],
    ],
  );
  const counted = 'rollcall_audit_events_total{action="job.retry"} 3';
  await until(async () => (await service.metrics()).includes(counted), 'the entries to be counted');
  assert.equal(await service.stop(), 0);
});

test('a person is handed out and, once Clerk does not know them, erased', async () => {
  await query('DELETE FROM job_queue');
  polled.full();
  const [{ clerk_id: id, email }] = await query('SELECT clerk_id, email FROM users LIMIT 1');
  await query(
    `INSERT INTO rollcall.session_revocations (session_id, clerk_id, revoked_at)
     VALUES ('sess_theirs', '${id}', now()), ('sess_other', 'user_other', now())`,
  );
  const handed = polled.run(['users', 'export', id]);
  assert.equal(handed.code, 0, handed.stderr);
  assert.equal(handed.json.row.email, email);
  const revoked = handed.json.session_revocations.map((one) => one.session_id);
  assert.deepEqual(revoked, ['sess_theirs']);
  assert.equal(polled.run(['users', 'export', 'user_nobody']).code, 1);

  const early = polled.run(['users', 'erase', id]);
  assert.equal(early.code, 1);
  assert.match(early.stderr, /Clerk still knows/);
  assert.equal(polled.run(['users', 'erase', id], { CLERK_SECRET_KEY: '' }).code, 2);
  assert.equal((await polled.sim.raw('DELETE', `/users/${id}`)).status, 200);
  // The key of another instance, which knows nobody here; --yes is for those who have none.
  const other = await Simulator.start('--users', '2');
  for (const flags of [[], ['--yes', '--delete-row']]) {
    const wrong = polled.run(['users', 'erase', id, ...flags], { CLERK_API_URL: other.url });
    assert.equal(wrong.code, 69, wrong.stderr);
    assert.match(wrong.stderr, /another instance/);
  }
  await other.stop();
  assert.equal(polled.run(['users', 'export', id]).json.row.email, email);

  const erased = polled.run(['users', 'erase', id, '--json']);
  assert.equal(erased.code, 0, erased.stderr);
  assert.equal(erased.json.rows, 1);
  const { row } = polled.run(['users', 'export', id]).json;
  assert.deepEqual([row.email, row.name], [null, null]);
  assert.ok(row.deleted_at);
  // A complete pass finds it as it should be.
  polled.full();
  assert.equal(polled.audit().json.equal, true);
  assert.deepEqual(
    entries('--target', id).map((one) => one.action),
    ['user.export', 'user.erase', 'user.export', 'user.export'],
  );
});

// Nobody else is there by whom to tell whose key it is, and no pass has found it out.
test('the only user is erased by the word of a person', async () => {
  const database = await postgres.create();
  const env = { DATABASE_URL: postgres.url(database) };
  assert.equal(polled.run(['migrate'], env).code, 0);
  await postgres.query(
    database,
    `INSERT INTO job_queue (job_type, payload, subject, version) VALUES ('USER_CREATED',
       '{"clerk_id": "user_only", "email": "only@example.com"}', 'user_only', 1)`,
  );
  assert.equal(polled.run(['users', 'erase', 'user_only'], env).code, 2);
  const erased = polled.run(['users', 'erase', 'user_only', '--yes', '--json'], env);
  assert.equal(erased.code, 0, erased.stderr);
  assert.equal(erased.json.jobs, 1);
});

test('migrations and reloads are told', async () => {
  const [migrated] = entries('--action', 'migrate');
  assert.equal(migrated.actor, 'cli');
  assert.ok(migrated.detail.steps.includes('0010_audit'));
  const file = path.join(folder, 'rollcall.toml');
  const token = path.join(folder, 'token');
  writeFileSync(file, `[log]\nlevel = "info"\n[cron]\nsecret_file = "${token}"\n`);
  writeFileSync(token, 'canary-cron');
  const secrets = path.join(folder, 'secrets');
  writeFileSync(secrets, WEBHOOK_SECRET);
  const service = await polled.serve({
    ROLLCALL_CONFIG: file,
    CRON_SECRET: '',
    CLERK_WEBHOOK_SECRET: '',
    CLERK_WEBHOOK_SECRET_FILE: secrets,
  });
  writeFileSync(file, `[log]\nlevel = "debug"\n[cron]\nsecret_file = "${token}"\n`);
  service.child.kill('SIGHUP');
  const told = async (count) =>
    until(() => {
      const found = entries('--action', 'config.reload');
      return found.length === count && found[0];
    }, `reload ${count} in the audit log`);
  const reload = await told(1);
  assert.deepEqual(reload.detail, { keys: ['log.level'] });
  assert.equal(reload.actor, 'system');
  assert.deepEqual(entries('--action', 'secret.rotated'), []);

  writeFileSync(token, 'canary-other-cron');
  writeFileSync(secrets, `whsec_${Buffer.from('canary'.padEnd(24)).toString('base64')}`);
  service.child.kill('SIGHUP');
  assert.deepEqual((await told(2)).detail, { keys: ['clerk.webhook_secret', 'cron.secret'] });
  const rotated = await until(() => {
    const found = entries('--action', 'secret.rotated');
    return found.length === 2 && found;
  }, 'both secrets in the audit log');
  assert.deepEqual(
    rotated.map(({ actor, target, detail }) => [actor, target, detail]),
    [
      ['system', 'cron.secret', { in_use: false }],
      ['system', 'clerk.webhook_secret', { in_use: true }],
    ],
  );
  assert.doesNotMatch(JSON.stringify([...entries()]), /canary|Y2FuYXJ5/);
  assert.equal(await service.stop(), 0);
});

test('who began a pass is told, and neither what is only compared nor the schedule', async () => {
  const last = entries()[0].id;
  const manual = () => entries('--action', 'sync.manual').filter(({ id }) => id > last);
  const [{ clerk_id: person }] = await polled.truth();
  polled.run(['sync', '--full', '--dry-run']);
  polled.run(['sync', '--user', person, '--dry-run']);
  assert.deepEqual(manual(), []);
  assert.equal(polled.run(['sync', '--full']).code, 0);
  polled.run(['sync']);
  polled.run(['sync', '--user', person]);
  const service = await polled.serve();
  const asked = await service.request('POST', `/api/v1/users/${person}/sync`, {
    port: service.adminPort,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'x-request-id': 'a-request' },
  });
  assert.ok([200, 502].includes(asked.status), asked.text);
  assert.equal(await service.stop(), 0);
  const told = manual();
  assert.deepEqual(
    told.map(({ actor, target, detail, request_id }) => [
      actor,
      target,
      detail.mode,
      request_id,
    ]),
    [
      ['user', person, 'user', 'a-request'],
      ['cli', person, 'user', null],
      ['cli', null, 'incremental', null],
      ['cli', null, 'full', null],
    ],
  );
  const runs = await query('SELECT id FROM rollcall.sync_runs');
  for (const { detail } of told) assert.ok(runs.some(({ id }) => Number(id) === detail.run));
});
