// Clerk's own SDK against the simulated Backend API.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { createClerkClient } from '@clerk/backend';
import { isClerkAPIResponseError } from '@clerk/backend/errors';

import { SECRET_KEY, Simulator } from './simulator.mjs';

let sim;
let clerk;

before(async () => {
  sim = await Simulator.start('--seed', '1');
  clerk = createClerkClient({
    secretKey: SECRET_KEY,
    apiUrl: sim.url,
    telemetry: { disabled: true },
  });
});
after(() => sim.stop());
beforeEach(() => sim.control('POST', '/reset', { users: 0 }));

// The error that `promise` is rejected with, which must be one of Clerk's.
async function refusal(promise) {
  const error = await promise.then(
    () => assert.fail('was not refused'),
    (reason) => reason,
  );
  assert.ok(isClerkAPIResponseError(error), String(error));
  return error;
}

function createUsers(count) {
  return sim.control('POST', '/users', { count, shape: 'typical', events: false });
}

describe('lists', () => {
  test('getUserList gives users and their total', async () => {
    await createUsers(15);
    const { data, totalCount } = await clerk.users.getUserList();
    assert.equal(totalCount, 15);
    assert.equal(data.length, 10, 'ten rows unless asked');
    assert.match(data[0].id, /^user_[0-9A-Za-z]{27}$/);
    assert.ok(data[0].createdAt >= data[1].createdAt, 'newest first');
    assert.equal(typeof data[0].primaryEmailAddress.emailAddress, 'string');
    assert.ok(Array.isArray(data[0].emailAddresses[0].linkedTo));
  });

  test('the list is a bare array and the count an object', async () => {
    await createUsers(2);
    const list = await sim.raw('GET', '/users');
    assert.equal(list.headers.get('content-type'), 'application/json');
    assert.ok(Array.isArray(await list.json()));
    const count = await sim.raw('GET', '/users/count');
    assert.deepEqual(await count.json(), { object: 'total_count', total_count: 2 });
    assert.equal(await clerk.users.getCount(), 2);
  });

  test('a limit above 500 gives ten rows, 500 gives 500', async () => {
    await createUsers(520);
    assert.equal((await clerk.users.getUserList({ limit: 500 })).data.length, 500);
    assert.equal((await clerk.users.getUserList({ limit: 501 })).data.length, 10);
  });

  test('arrays arrive as repeated keys, and falsy values do not arrive', async () => {
    const { ids } = await createUsers(5);
    const picked = await clerk.users.getUserList({ userId: ids.slice(0, 3), offset: 0 });
    assert.deepEqual(picked.data.map((user) => user.id).sort(), ids.slice(0, 3).sort());
    assert.equal(picked.totalCount, 3);
    await clerk.users.banUser(ids[0]);
    assert.equal((await clerk.users.getUserList({ banned: true })).totalCount, 1);
    assert.equal((await clerk.users.getUserList({ banned: false })).totalCount, 5, 'SDK drops it');
    const unbanned = await sim.raw('GET', '/users/count?banned=false');
    assert.equal((await unbanned.json()).total_count, 4);
  });

  test('e-mail addresses and queries narrow the list', async () => {
    await createUsers(5);
    const { data } = await clerk.users.getUserList();
    const email = data[2].primaryEmailAddress.emailAddress;
    const found = await clerk.users.getUserList({ emailAddress: [email.toUpperCase()] });
    assert.deepEqual(found.data.map((user) => user.id), [data[2].id]);
    assert.equal((await clerk.users.getUserList({ query: '@EXAMPLE.com' })).totalCount, 5);
  });

  test('updated_at can be ordered by, for an incremental pass', async () => {
    const { ids } = await createUsers(5);
    await clerk.users.updateUser(ids[3], { firstName: 'Late' });
    const { data } = await clerk.users.getUserList({ orderBy: '-updated_at', limit: 2 });
    assert.equal(data[0].id, ids[3]);
    assert.ok(data[0].updatedAt > data[1].updatedAt);
  });

  test('starting_after walks over everyone once, also while users go', async () => {
    const { ids } = await createUsers(57);
    const seen = [];
    let startingAfter;
    for (;;) {
      const { data } = await clerk.users.getUserList({ limit: 10, startingAfter });
      seen.push(...data.map((user) => user.id));
      if (data.length < 10) break;
      startingAfter = data.at(-1).id;
      if (seen.length === 20) await clerk.users.deleteUser(startingAfter);
    }
    assert.deepEqual(seen.toSorted(), ids.toSorted());
  });

  test('starting_after is refused with another order, an offset or a strange id', async () => {
    const { ids } = await createUsers(3);
    for (const params of [
      { startingAfter: ids[0], orderBy: '-updated_at' },
      { startingAfter: ids[0], offset: 1 },
      { startingAfter: 'user_nobody' },
    ]) {
      const error = await refusal(clerk.users.getUserList(params));
      assert.equal(error.status, 422);
      assert.equal(error.errors[0].meta.paramName, 'starting_after');
    }
    await sim.faults({ deleted_cursor: 'refuse' });
    await clerk.users.deleteUser(ids[0]);
    assert.equal((await refusal(clerk.users.getUserList({ startingAfter: ids[0] }))).status, 422);
  });
});

describe('one user', () => {
  test('is created, read and deleted', async () => {
    const created = await clerk.users.createUser({
      emailAddress: ['Ada@Example.com', 'second@example.com'],
      phoneNumber: ['+15555550100'],
      username: 'ada',
      firstName: 'Ada',
      lastName: 'Lovelace',
      externalId: 'ext_1',
      password: 'a long password',
      publicMetadata: { role: 'admin' },
      privateMetadata: { note: 'x' },
      unsafeMetadata: { theme: 'dark' },
    });
    assert.equal(created.primaryEmailAddress.emailAddress, 'Ada@Example.com');
    assert.equal(created.primaryEmailAddress.verification.status, 'verified');
    assert.match(created.primaryEmailAddressId, /^idn_/);
    assert.equal(created.primaryPhoneNumber.phoneNumber, '+15555550100');
    assert.equal(created.fullName, 'Ada Lovelace');
    assert.equal(created.passwordEnabled, true);
    assert.equal(created.createdAt, created.updatedAt);
    assert.ok(Math.abs(created.createdAt - Date.now()) < 60_000, 'milliseconds');
    const read = await clerk.users.getUser(created.id);
    assert.deepEqual(read.raw, created.raw);
    assert.deepEqual(read.privateMetadata, { note: 'x' });
    const deleted = await clerk.users.deleteUser(created.id);
    assert.equal(deleted.deleted, true);
    assert.equal(deleted.id, created.id);
    assert.equal(deleted.object, 'user');
  });

  test('who is not there is 404 with code and trace id', async () => {
    const error = await refusal(clerk.users.getUser('user_nobody'));
    assert.equal(error.status, 404);
    assert.equal(error.errors[0].code, 'resource_not_found');
    assert.equal(error.errors[0].longMessage, 'No user was found with id user_nobody');
    assert.match(error.clerkTraceId, /^[0-9a-f]{32}$/);
  });

  test('cannot take what another holds', async () => {
    await clerk.users.createUser({ emailAddress: ['a@example.com'], username: 'a' });
    const taken = await refusal(clerk.users.createUser({ emailAddress: ['A@Example.com'] }));
    assert.equal(taken.status, 422);
    assert.equal(taken.errors[0].code, 'form_identifier_exists');
    assert.equal(taken.errors[0].meta.paramName, 'email_address');
    const name = await refusal(clerk.users.createUser({ username: 'A' }));
    assert.equal(name.errors[0].meta.paramName, 'username');
  });

  test('cannot have members that Clerk does not know', async () => {
    const error = await refusal(clerk.users.createUser({ shoeSize: 46 }));
    assert.equal(error.errors[0].code, 'form_param_unknown');
    assert.equal(error.errors[0].meta.paramName, 'shoe_size');
    const broken = await fetch(`${sim.url}/v1/users`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SECRET_KEY}` },
      body: '{',
    });
    assert.equal(broken.status, 400);
    assert.equal((await broken.json()).errors[0].code, 'request_body_invalid');
  });

  test('moves updated_at forward at every change', async () => {
    const user = await clerk.users.createUser({ username: 'u' });
    let before = user.updatedAt;
    for (const firstName of ['a', 'b', 'c']) {
      const changed = await clerk.users.updateUser(user.id, { firstName });
      assert.equal(changed.firstName, firstName);
      assert.ok(changed.updatedAt > before);
      before = changed.updatedAt;
    }
    await sim.faults({ same_millisecond: 1 });
    const tied = await clerk.users.updateUser(user.id, { firstName: 'tie' });
    assert.equal(tied.updatedAt, before);
  });

  test('updateUser with metadata changes both, in two calls', async () => {
    const user = await clerk.users.createUser({ username: 'u', publicMetadata: { old: 1 } });
    const changed = await clerk.users.updateUser(user.id, {
      firstName: 'Ada',
      publicMetadata: { role: 'admin' },
    });
    assert.equal(changed.firstName, 'Ada');
    assert.deepEqual(changed.publicMetadata, { role: 'admin' }, 'replaced');
    const direct = await sim.raw('PATCH', `/users/${user.id}`, {
      body: { public_metadata: {} },
      headers: { 'clerk-api-version': '2026-05-12' },
    });
    assert.equal(direct.status, 422);
    assert.equal((await direct.json()).errors[0].code, 'form_param_unknown');
  });

  test('updateUserMetadata merges deeply, null removes, PUT replaces', async () => {
    const user = await clerk.users.createUser({
      username: 'u',
      publicMetadata: { keep: 1, plan: { name: 'pro', seats: 3 } },
      privateMetadata: { a: 1 },
    });
    const merged = await clerk.users.updateUserMetadata(user.id, {
      publicMetadata: { plan: { seats: null, extra: { deep: true } } },
    });
    assert.deepEqual(merged.publicMetadata, {
      keep: 1,
      plan: { name: 'pro', extra: { deep: true } },
    });
    assert.deepEqual(merged.privateMetadata, { a: 1 });
    const replaced = await clerk.users.replaceUserMetadata(user.id, {
      publicMetadata: { only: 1 },
    });
    assert.deepEqual(replaced.publicMetadata, { only: 1 });
    assert.deepEqual(replaced.privateMetadata, { a: 1 });
  });

  test('is banned, unbanned, locked and unlocked', async () => {
    const { id } = await clerk.users.createUser({ username: 'u' });
    assert.equal((await clerk.users.banUser(id)).banned, true);
    assert.equal((await clerk.users.unbanUser(id)).banned, false);
    assert.equal((await clerk.users.lockUser(id)).locked, true);
    assert.equal((await clerk.users.unlockUser(id)).locked, false);
    assert.equal((await refusal(clerk.users.banUser('user_nobody'))).status, 404);
  });

  test('changes e-mail addresses', async () => {
    const user = await clerk.users.createUser({ emailAddress: ['a@example.com'] });
    const added = await clerk.emailAddresses.createEmailAddress({
      userId: user.id,
      emailAddress: 'b@example.com',
      verified: true,
      primary: true,
    });
    const changed = await clerk.users.getUser(user.id);
    assert.equal(changed.primaryEmailAddressId, added.id);
    assert.equal(changed.emailAddresses[0].emailAddress, 'a@example.com', 'primary is not [0]');
    const deleted = await clerk.emailAddresses.deleteEmailAddress(added.id);
    assert.equal(deleted.deleted, true);
    const back = await clerk.users.getUser(user.id);
    assert.equal(back.primaryEmailAddress.emailAddress, 'a@example.com');
  });
});

describe('keys and versions', () => {
  test('the key is checked before the path', async () => {
    const bare = await fetch(`${sim.url}/v1/no/such/path`);
    assert.equal(bare.status, 401);
    assert.equal((await bare.json()).errors[0].code, 'authorization_header_format_invalid');
    const wrong = createClerkClient({
      secretKey: 'sk_test_other',
      apiUrl: sim.url,
      telemetry: { disabled: true },
    });
    const error = await refusal(wrong.users.getCount());
    assert.equal(error.status, 401);
    assert.equal(error.errors[0].code, 'clerk_key_invalid');
    const unknown = await sim.raw('GET', '/no/such/path');
    assert.equal(unknown.status, 404);
    assert.equal((await unknown.json()).errors[0].code, 'resource_not_found');
  });

  test('one known version at most', async () => {
    const version = async (header, query) => {
      const headers = header ? { 'clerk-api-version': header } : {};
      const answer = await sim.raw('GET', `/users${query ? `?__clerk_api_version=${query}` : ''}`, {
        headers,
      });
      return answer.status === 200 ? 200 : (await answer.json()).errors[0].code;
    };
    assert.equal(await version('2026-05-12'), 200);
    assert.equal(await version(undefined, '2025-11-10'), 200);
    assert.equal(await version('2026-05-12', '2026-05-12'), 'api_version_invalid');
    assert.equal(await version('2031-01-01'), 'api_version_invalid');
  });
});

describe('faults', () => {
  test('429 carries Retry-After', async () => {
    await sim.faults({ api_429: true, retry_after_seconds: 7 });
    const error = await refusal(clerk.users.getUser('user_x'));
    assert.equal(error.status, 429);
    assert.equal(error.retryAfter, 7);
  });

  test('the documented rate limit can be switched on', async () => {
    const limited = await Simulator.start('--rate-limit', '20');
    try {
      const statuses = [];
      for (let i = 0; i < 25; ++i) {
        const answer = await limited.raw('GET', '/users');
        statuses.push(answer.status);
        if (answer.status === 429) {
          const wait = Number(answer.headers.get('retry-after'));
          assert.ok(wait >= 1 && wait <= 10, `Retry-After ${wait}`);
        }
      }
      assert.deepEqual(new Set(statuses.slice(0, 20)), new Set([200]));
      assert.deepEqual(new Set(statuses.slice(20)), new Set([429]));
    } finally {
      await limited.stop();
    }
  });

  test('lists can be empty, short or cut, and counts wrong', async () => {
    await createUsers(8);
    const list = () => sim.raw('GET', '/users?limit=500');
    await sim.faults({ api_empty_list: 1 });
    assert.deepEqual(await (await list()).json(), []);
    await sim.faults({ api_short_list: 1 });
    assert.equal((await (await list()).json()).length, 4);
    await sim.faults({ api_truncated_body: 1 });
    const cut = await list();
    assert.equal(cut.status, 200);
    await assert.rejects(cut.json());
    await sim.faults({ api_wrong_count: 1 });
    assert.notEqual(await clerk.users.getCount(), 8);
    assert.equal(await clerk.users.getCount(), 8);
  });

  test('answers can be errors, pages or slow', async () => {
    const { ids } = await createUsers(1);
    await sim.faults({ api_5xx: 1 });
    assert.ok((await refusal(clerk.users.getUser(ids[0]))).status >= 500);
    await sim.faults({ api_401: 1 });
    assert.equal((await refusal(clerk.users.getUser(ids[0]))).status, 401);
    await sim.faults({ api_404: 1 });
    assert.equal((await refusal(clerk.users.getUser(ids[0]))).status, 404);
    await sim.faults({ api_not_json: 1 });
    const page = await sim.raw('GET', '/users');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type'), /^text\/html/);
    await sim.faults({ api_slow: 1, slow_seconds: 0.4 });
    const began = performance.now();
    assert.equal((await clerk.users.getUser(ids[0])).id, ids[0]);
    assert.ok(performance.now() - began >= 395);
  });

  test('a hanging answer does not come', async () => {
    await sim.faults({ api_hang: 1 });
    await assert.rejects(
      fetch(`${sim.url}/v1/users`, {
        headers: { authorization: `Bearer ${SECRET_KEY}` },
        signal: AbortSignal.timeout(300),
      }),
      { name: 'TimeoutError' },
    );
    assert.equal((await sim.raw('GET', '/users')).status, 200);
  });
});
