// A burst of deletions by webhook waits for a person: two instances together let through what one
// may, the alert tells of it, and a person approves and refuses over the admin API and the command
// line.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, deletedEvent, migrate, rollcall, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const users = 12;
const allowed = 3;
let postgres, database, url, services;
const env = {
  ROLLCALL_MODE: 'webhook',
  ROLLCALL_WEBHOOKS_HOLD_DELETION_BURST: 'true',
  ROLLCALL_SYNC_DELETE_GUARD_USERS: String(allowed),
  ROLLCALL_ALERTS_INTERVAL: '100ms',
  ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
};

before(async () => {
  postgres = await Postgres.start();
  database = await postgres.create();
  url = postgres.url(database);
  migrate(url);
  services = await Promise.all([Service.start(url, env), Service.start(url, env)]);
});
after(async () => {
  await Promise.all((services ?? []).map((service) => service.stop('SIGKILL')));
  await postgres?.remove();
});

const authorization = `Bearer ${ADMIN_TOKEN}`;
// The only value of the only row.
const query = async (text) => Object.values((await postgres.query(database, text))[0])[0];
const number = async (text) => Number(await query(text));
const alive = () => number('SELECT count(*) FROM users WHERE deleted_at IS NULL');
const held = async (service = services[0]) => {
  const { status, json } = await service.get('/api/v1/deletions', service.adminPort, {
    authorization,
  });
  assert.equal(status, 200);
  return json;
};
async function order(verb, body, token = ADMIN_TOKEN) {
  const answer = await fetch(
    `http://127.0.0.1:${services[1].adminPort}/api/v1/deletions/${verb}`,
    {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    },
  );
  return { status: answer.status, json: await answer.json() };
}
const deletesHeld = async () => {
  const { json } = await services[0].get('/api/v1/alerts', services[0].adminPort, {
    authorization,
  });
  return json.alerts.find(({ alert }) => alert === 'DeletesHeld');
};

test('a burst is held beyond the guard, over both instances, and told', async () => {
  const version = Date.now() - 60_000;
  for (let n = 0; n < users; n += 1) {
    await services[n % 2].deliver(userEvent('user.created', `user_${n}`, version));
  }
  await until(async () => (await alive()) === users, 'the users');
  await Promise.all(
    Array.from({ length: users }, (_, n) => services[n % 2].deliver(deletedEvent(`user_${n}`))),
  );
  await until(
    async () => (await held()).held.length === users - allowed,
    'what is beyond the guard to be held',
  );
  assert.equal(await alive(), users - allowed);
  const [first] = (await held(services[1])).held;
  assert.equal(first.from, 'webhook');
  assert.equal(first.run, null);
  assert.match(first.job, /^[0-9a-f-]{36}$/);
  const alert = await until(async () => deletesHeld(), 'the alert');
  assert.equal(alert.status, 'firing');
  assert.match(alert.summary, /by webhook that wait for a person: \d+/);
});

test('doctor tells them from dead letters', () => {
  const { stdout } = rollcall(['doctor', '--json'], { ...env, DATABASE_URL: url });
  const { checks } = JSON.parse(stdout);
  const verdict = (name) => checks.find(({ check }) => check === name);
  assert.equal(verdict('held_by_webhook').verdict, 'warn');
  assert.match(verdict('held_by_webhook').message, new RegExp(`^${users - allowed} deletions`));
  assert.equal(verdict('dead_letters').verdict, 'ok');
});

test('a restart and a repeated delivery change nothing', async () => {
  await services[0].stop('SIGTERM');
  services[0] = await Service.start(url, env);
  const { held: waiting } = await held();
  assert.equal(waiting.length, users - allowed);
  const id = await query(`SELECT event_id FROM job_queue WHERE id = '${waiting[0].job}'`);
  const { status } = await services[0].deliver(deletedEvent(waiting[0].clerk_id), { id });
  assert.ok(status >= 200 && status < 300, String(status));
  assert.equal(
    await query(`SELECT status FROM job_queue WHERE id = '${waiting[0].job}'`),
    'FAILED',
  );
});

test('what is not understood decides nothing', async () => {
  const both = { clerk_id: 'user_1', from: 'pass' };
  for (const body of [{}, { from: 'everywhere' }, both, { al: 1 }]) {
    assert.equal((await order('approve', body)).status, 400, JSON.stringify(body));
  }
  assert.equal((await order('discard', { from: 'mirror' })).status, 400);
  assert.equal((await order('approve', { from: 'mirror' })).status, 404);
  assert.equal((await order('approve', { clerk_id: 'user_nobody' })).status, 404);
  assert.equal((await order('approve', { from: 'webhook' }, 'another')).status, 401);
  assert.equal((await held()).held.length, users - allowed);
});

test('what a pass held back is not decided without a secret key, and that is said', async () => {
  await postgres.query(
    database,
    `WITH run AS (INSERT INTO rollcall.sync_runs (mode, trigger, instance, status)
                  VALUES ('full', 'schedule', 'gone', 'completed') RETURNING id)
     INSERT INTO rollcall.held_deletes (run_id, clerk_id) SELECT id, 'user_x' FROM run`,
  );
  const { status, json } = await order('approve', { from: 'pass' });
  assert.equal(status, 409, JSON.stringify(json));
  assert.match(JSON.stringify(json), /clerk\.secret_key/);
  await postgres.query(database, 'DELETE FROM rollcall.held_deletes');
});

test('one is approved and one refused over the admin API, and the audit log has both', async () => {
  const [one, other] = (await held()).held;
  const approved = await order('approve', { clerk_id: one.clerk_id, note: 'left the company' });
  assert.deepEqual(approved, {
    status: 200,
    json: { approved: 1, discarded: 0, returned: 0, left: 0 },
  });
  const refused = await order('discard', { clerk_id: other.clerk_id });
  assert.equal(refused.json.discarded, 1);
  await until(async () => (await alive()) === users - allowed - 1, 'the approved deletion');
  assert.equal(
    await query(`SELECT deleted_at IS NULL FROM users WHERE clerk_id = '${other.clerk_id}'`),
    true,
  );
  assert.equal(
    await query(
      "SELECT string_agg(actor || ' ' || action || ' ' || (detail ->> 'subject') || ' ' || " +
        "coalesce(reason, '-'), E'\\n' ORDER BY id) FROM rollcall.audit_log " +
        "WHERE detail ->> 'held' = 'true'",
    ),
    `user job.retry ${one.clerk_id} left the company\nuser job.cancel ${other.clerk_id} -`,
  );
});

test('the command line lists and approves the rest, and the alert is over', async () => {
  const settings = { DATABASE_URL: url };
  const listed = rollcall(['deletions'], settings);
  assert.equal(listed.stdout.trim().split('\n').length, users - allowed - 2, listed.stdout);
  const done = rollcall(['deletions', 'approve', '--from', 'webhook', '--json'], settings);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout).approved, users - allowed - 2);
  await until(async () => (await alive()) === 1, 'all but the one that was refused');
  assert.equal(rollcall(['deletions'], settings).stdout, 'no deletions wait for a person\n');
  assert.equal(rollcall(['deletions', 'approve'], settings).code, 2);
});
