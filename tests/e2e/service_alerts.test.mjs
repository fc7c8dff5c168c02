// Alerts of the whole service, received by the simulator as a chat program would: that something is
// wrong, once for two instances, and that it is over; and nowhere the address.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import {
  ADMIN_TOKEN,
  Service,
  deletedEvent,
  migrate,
  rollcall,
  userEvent,
} from './service.mjs';
import { Simulator, until } from './simulator.mjs';

let postgres, database, url, sim, services;
before(async () => {
  postgres = await Postgres.start();
  database = await postgres.create();
  url = postgres.url(database);
  migrate(url);
  sim = await Simulator.start();
  const env = {
    ROLLCALL_ALERTS_WEBHOOK_URL: `${sim.url}/sim/alerts?token=verysecret`,
    ROLLCALL_ALERTS_INTERVAL: '100ms',
    ROLLCALL_ALERTS_RESOLVE_AFTER: '300ms',
    ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
  };
  services = await Promise.all([Service.start(url, env), Service.start(url, env)]);
});
after(async () => {
  await Promise.all((services ?? []).map((service) => service.stop('SIGKILL')));
  await sim?.stop();
  await postgres?.remove();
});

const received = async () => (await sim.control('GET', '/alerts')).alerts.map(({ body }) => body);
const listed = (service) =>
  service.get('/api/v1/alerts', service.adminPort, { authorization: `Bearer ${ADMIN_TOKEN}` });

test('an alert is told once, listed by every instance, and told to be over', async () => {
  await postgres.query(
    database,
    "INSERT INTO job_queue (job_type, payload, status) VALUES ('REFRESH_USER', '{}', 'FAILED')",
  );
  const [first] = await until(async () => {
    const alerts = await received();
    return alerts.length > 0 && alerts;
  }, 'the first message');
  assert.equal(first.alert, 'DeadLetters');
  assert.equal(first.status, 'firing');
  assert.match(first.summary, /given up within the hour: 1/);
  assert.ok(Math.abs(Date.now() - Date.parse(first.since)) < 60_000);
  assert.deepEqual(first.labels, {});
  assert.ok(first.text.includes(first.summary), first.text);
  for (const service of services) {
    const { status, json } = await listed(service);
    assert.equal(status, 200);
    assert.deepEqual(
      json.alerts.map((one) => [one.alert, one.status, one.resolved_at]),
      [['DeadLetters', 'firing', null]],
    );
  }
  assert.equal((await services[0].get('/api/v1/alerts', services[0].adminPort)).status, 401);
  const pages = await Promise.all(services.map((service) => service.metrics()));
  const firing = 'rollcall_alerts_active{alert="DeadLetters"} 1';
  assert.equal(pages.filter((page) => page.includes(firing)).length, 1);

  await postgres.query(database, "UPDATE job_queue SET status = 'CANCELLED'");
  const all = await until(async () => {
    const alerts = await received();
    return alerts.length > 1 && alerts;
  }, 'the message that it is over');
  assert.deepEqual(
    all.map((one) => one.status),
    ['firing', 'resolved'],
  );
  assert.equal((await listed(services[1])).json.alerts[0].status, 'resolved');
  const logs = services.map((service) => service.log).join('');
  assert.match(logs, /"alert_firing"/);
  assert.match(logs, /"alert_resolved"/);
  assert.ok(!logs.includes('verysecret'));
});

test('a burst of deletions by webhook is told once', async () => {
  const ids = Array.from({ length: 12 }, (_, n) => `user_burst${n}`);
  const send = async (event) => assert.equal((await services[0].deliver(event)).status, 202);
  for (const id of ids) await send(userEvent('user.created', id, 1000));
  await until(async () => {
    const [{ users }] = await postgres.query(database, 'SELECT count(*)::int AS users FROM users');
    return users === ids.length;
  }, 'their rows');
  for (const id of ids) await send(deletedEvent(id));
  const bursts = async () => (await received()).filter((one) => one.alert === 'DeletionBurst');
  const [burst] = await until(async () => {
    const told = await bursts();
    return told.length > 0 && told;
  }, 'the alert');
  assert.equal(burst.status, 'firing');
  assert.match(burst.summary, /^1[12] users were deleted by webhook within an hour/);
  assert.equal((await bursts()).length, 1);
});

test('the address is masked, and must be a safe one', () => {
  const env = { DATABASE_URL: url, ROLLCALL_MODE: 'webhook' };
  const print = (address) =>
    rollcall(['config', 'print', '--json'], { ...env, ROLLCALL_ALERTS_WEBHOOK_URL: address });
  const printed = print('https://hooks.example.com/services/verysecret');
  assert.equal(printed.code, 0, printed.stderr);
  assert.ok(!printed.stdout.includes('verysecret'));
  const refused = print('http://hooks.example.com/services/verysecret');
  assert.equal(refused.code, 78);
  assert.match(refused.stderr, /alerts\.webhook_url/);
  assert.ok(!refused.stderr.includes('verysecret'));
});
