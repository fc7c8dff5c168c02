// What the simulator delivers, checked by the libraries that receivers use.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { createClerkClient } from '@clerk/backend';
import { verifyWebhook } from '@clerk/backend/webhooks';
import { Webhook } from 'svix';

import { Receiver, SECRET_KEY, Simulator, WEBHOOK_SECRET, until } from './simulator.mjs';

let sim;
let receiver;
let clerk;

before(async () => {
  receiver = await Receiver.start();
  sim = await Simulator.start('--webhook-url', receiver.url, '--speed', '500', '--seed', '2');
  clerk = createClerkClient({
    secretKey: SECRET_KEY,
    apiUrl: sim.url,
    telemetry: { disabled: true },
  });
});
after(async () => {
  await sim.stop();
  await receiver.stop();
});
beforeEach(async () => {
  await sim.control('POST', '/reset', { users: 0 });
  receiver.clear();
});

function svixVerify(delivery, secret = WEBHOOK_SECRET) {
  return new Webhook(secret).verify(delivery.body, delivery.headers);
}

function clerkVerify(delivery, signingSecret = WEBHOOK_SECRET) {
  const request = new Request(receiver.url, {
    method: 'POST',
    headers: delivery.headers,
    body: delivery.body,
  });
  return verifyWebhook(request, { signingSecret });
}

// The status of the newest message once nothing is pending.
async function settled() {
  await until(async () => (await sim.control('GET', '')).messages.pending === 0, 'quiet');
  return (await sim.messages('?limit=1'))[0];
}

describe('deliveries', () => {
  test('are accepted by svix and by verifyWebhook', async () => {
    const user = await clerk.users.createUser({
      emailAddress: ['ünïcode+tag@example.com'],
      firstName: 'Zoë',
      lastName: '山田 🙂',
      privateMetadata: { note: 'x' },
    });
    await receiver.count(1);
    const [delivery] = receiver.deliveries;
    assert.equal(delivery.method, 'POST');
    assert.equal(delivery.headers['content-type'], 'application/json');
    assert.match(delivery.headers['svix-id'], /^msg_[0-9A-Za-z]{27}$/);
    assert.match(delivery.headers['svix-timestamp'], /^\d{10}$/);
    const event = svixVerify(delivery);
    assert.deepEqual(await clerkVerify(delivery), event);
    assert.equal(event.object, 'event');
    assert.equal(event.type, 'user.created');
    assert.match(event.instance_id, /^ins_[0-9A-Za-z]{27}$/);
    assert.ok(String(event.timestamp).length === 13);
    assert.deepEqual(event.data, user.raw);
    assert.deepEqual(event.data.private_metadata, { note: 'x' });
    assert.equal(event.event_attributes.http_request.client_ip, '127.0.0.1');
    assert.match(event.event_attributes.http_request.user_agent, /^@clerk\/backend/);
    assert.throws(() => svixVerify(delivery, 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'));
    await assert.rejects(clerkVerify({ ...delivery, body: delivery.body.replace('Zoë', 'Zoe') }));
  });

  test('tell a whole life in order', async () => {
    const user = await clerk.users.createUser({ username: 'u', externalId: 'ext' });
    await clerk.users.updateUser(user.id, { firstName: 'A' });
    await clerk.users.banUser(user.id);
    await receiver.count(3);
    await clerk.users.deleteUser(user.id);
    await receiver.count(4);
    const events = receiver.events();
    assert.deepEqual(
      events.map((event) => event.type),
      ['user.created', 'user.updated', 'user.updated', 'user.deleted'],
    );
    assert.ok(events[1].data.updated_at > events[0].data.updated_at);
    assert.equal(events[2].data.banned, true);
    assert.deepEqual(events[3].data, {
      object: 'user',
      id: user.id,
      deleted: true,
      external_id: 'ext',
    });
    assert.equal(new Set(receiver.deliveries.map((one) => one.headers['svix-id'])).size, 4);
  });

  test('are retried with the same id and bytes, signed anew, until a 2xx', async () => {
    receiver.answer = (_, count) => ({ status: [500, 301, 401, 204][count - 1] ?? 200 });
    await clerk.users.createUser({ username: 'u' });
    await receiver.count(4);
    const [first, ...others] = receiver.deliveries;
    for (const other of others) {
      assert.equal(other.headers['svix-id'], first.headers['svix-id']);
      assert.equal(other.body, first.body);
      svixVerify(other);
    }
    const message = await settled();
    assert.equal(message.status, 'delivered');
    assert.deepEqual(
      message.attempts.map((attempt) => attempt.status),
      [500, 301, 401, 204],
    );
    // 5 s, 5 min and 30 min at 500 times the speed.
    const gaps = receiver.deliveries.slice(1).map((one, i) => one.at - receiver.deliveries[i].at);
    assert.ok(gaps[1] > 500 && gaps[1] < 30_000, `${gaps}`);
    assert.ok(gaps[2] > 3400 && gaps[2] < 30_000, `${gaps}`);
  });

  test('stop when the receiver says so, and can be sent again', async () => {
    receiver.answer = () => ({ status: 400, headers: { 'webhook-delivery': 'abort-message' } });
    await clerk.users.createUser({ username: 'u' });
    assert.equal((await settled()).status, 'failed');
    receiver.answer = () => ({ status: 200 });
    const { planned } = await sim.control('POST', '/replay?status=failed');
    assert.equal(planned, 1);
    const message = await settled();
    assert.equal(message.status, 'delivered');
    await sim.control('POST', `/messages/${message.id}/resend`);
    await receiver.count(3);
    assert.equal(new Set(receiver.deliveries.map((one) => one.headers['svix-id'])).size, 1);
    const times = receiver.deliveries.map((one) => Number(one.headers['svix-timestamp']));
    assert.ok(times.every((time) => Math.abs(time - Date.now() / 1000) < 60));
  });

  test('carry a signature for each valid secret during a rotation', async () => {
    const { secrets } = await sim.control('POST', '/endpoint/rotate', {
      secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
    });
    await clerk.users.createUser({ username: 'u' });
    await receiver.count(1);
    const [delivery] = receiver.deliveries;
    assert.equal(delivery.headers['svix-signature'].split(' ').length, secrets.length);
    svixVerify(delivery, secrets[0]);
    svixVerify(delivery, WEBHOOK_SECRET);
    await clerkVerify(delivery, secrets[0]);
    await sim.faults({ old_secret: 1 });
    await clerk.users.createUser({ username: 'v' });
    await receiver.count(2);
    svixVerify(receiver.deliveries[1], WEBHOOK_SECRET);
    assert.throws(() => svixVerify(receiver.deliveries[1], secrets[0]));
    await sim.control('POST', '/endpoint/rotate', { secret: WEBHOOK_SECRET });
  });
});

describe('faults', () => {
  test('bad signatures and stale timestamps are refused by the libraries', async () => {
    for (const fault of ['bad_signature', 'stale_timestamp']) {
      receiver.clear();
      receiver.answer = (_, count) => ({ status: count === 1 ? 401 : 200 });
      await sim.faults({ [fault]: 1 });
      await clerk.users.createUser({});
      await receiver.count(2);
      assert.throws(() => svixVerify(receiver.deliveries[0]), undefined, fault);
      await assert.rejects(clerkVerify(receiver.deliveries[0]));
      svixVerify(receiver.deliveries[1]);
    }
  });

  test('duplicates have one id', async () => {
    await sim.faults({ duplicate: true });
    for (const username of ['a', 'b', 'c']) await clerk.users.createUser({ username });
    await receiver.count(6);
    assert.equal(new Set(receiver.deliveries.map((one) => one.headers['svix-id'])).size, 3);
  });

  test('a reordered message arrives after the next one', async () => {
    await sim.faults({ reorder: 1, reorder_seconds: 10 });
    const user = await clerk.users.createUser({ username: 'u' });
    await clerk.users.updateUser(user.id, { firstName: 'A' });
    await receiver.count(2);
    assert.deepEqual(
      receiver.events().map((event) => event.type),
      ['user.updated', 'user.created'],
    );
  });

  test('a dropped message is missing until it is replayed', async () => {
    await sim.faults({ drop: 1 });
    await clerk.users.createUser({ username: 'a' });
    await clerk.users.createUser({ username: 'b' });
    await settled();
    assert.deepEqual(
      receiver.events().map((event) => event.data.username),
      ['b'],
    );
    assert.equal((await sim.messages('?status=missing')).length, 1);
    await sim.control('POST', '/replay?status=missing');
    await receiver.count(2);
    assert.equal(receiver.events()[1].data.username, 'a');
  });

  test('delayed and slow messages arrive late', async () => {
    await sim.faults({ slow_delivery: 1, slow_seconds: 0.4 });
    const began = Date.now();
    await clerk.users.createUser({ username: 'a' });
    await receiver.count(1);
    assert.ok(receiver.deliveries[0].at - began >= 390);
    await sim.faults({ delay: true, delay_seconds: 0.3 });
    for (let i = 0; i < 5; ++i) await clerk.users.createUser({});
    await receiver.count(6);
  });

  test('a lost answer brings the message again', async () => {
    await sim.faults({ ack_lost: 1 });
    await clerk.users.createUser({ username: 'a' });
    await receiver.count(2);
    assert.equal(receiver.deliveries[0].body, receiver.deliveries[1].body);
    assert.equal((await settled()).status, 'delivered');
  });

  test('timestamps can be in seconds', async () => {
    await sim.faults({ seconds_timestamp: 1 });
    await clerk.users.createUser({ username: 'a' });
    await receiver.count(1);
    assert.equal(String(receiver.events()[0].timestamp).length, 10);
  });

  test('a disabled endpoint gets nothing', async () => {
    receiver.answer = () => ({ status: 500, headers: { 'webhook-delivery': 'disable' } });
    await clerk.users.createUser({ username: 'a' });
    await until(async () => !(await sim.control('GET', '/endpoint')).enabled, 'disabled');
    await clerk.users.createUser({ username: 'b' });
    assert.equal((await sim.messages('?status=missing')).length, 1);
    assert.equal(receiver.deliveries.length, 1);
  });
});

describe('control', () => {
  test('makes people of every shape and other events', async () => {
    const { ids } = await sim.control('POST', '/users', { count: 9, shape: 'mixed' });
    await receiver.count(9);
    const created = receiver.events().map((event) => event.data);
    assert.deepEqual(created.map((user) => user.id).toSorted(), ids.toSorted());
    assert.ok(created.some((user) => user.email_addresses.length === 0));
    assert.ok(created.some((user) => user.external_accounts.length === 1));
    assert.ok(created.some((user) => user.email_addresses.length === 2));
    const listed = await clerk.users.getUserList({ limit: 100 });
    assert.equal(listed.totalCount, 9);
    await sim.control('POST', '/events', { type: 'session.created', data: { object: 'session' } });
    await sim.control('POST', '/events', { raw: 'not an event' });
    await receiver.count(11);
    const bodies = receiver.deliveries.map((one) => one.body);
    assert.ok(bodies.includes('not an event'));
    for (const delivery of receiver.deliveries) {
      assert.ok(delivery.headers['svix-signature'].startsWith('v1,'));
    }
  });

  test('keeps alerts that are posted to it', async () => {
    await sim.control('POST', '/alerts', { alert: 'Drift', status: 'firing' });
    const { alerts } = await sim.control('GET', '/alerts');
    assert.equal(alerts.length, 1);
    assert.deepEqual(alerts[0].body, { alert: 'Drift', status: 'firing' });
  });
});
