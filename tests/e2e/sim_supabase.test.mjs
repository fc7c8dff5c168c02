// The simulated Supabase Auth under Supabase's own client: what an application sees of the real
// one, with both kinds of keys, and what the fault switches look like from there.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, beforeEach, test } from 'node:test';

import { AuthAdminApi } from '@supabase/supabase-js';

import { Simulator, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

const SECRET = 'sb_secret_rollcall_simulator';
const FIRST = '0190a5c2-0000-7000-8000-000000000001';
const UNKNOWN = '0190a5c2-0000-7000-8000-00000000ffff';

let auth;
before(async () => {
  auth = await Auth.start();
});
after(() => auth.stop());
beforeEach(() => auth.simulator.control('POST', '/reset'));

// The user of an answer without error.
async function user(promise) {
  const { data, error } = await promise;
  assert.equal(error, null);
  return data.user;
}

async function refusal(promise) {
  const { data, error } = await promise;
  assert.ok(error, `expected an error, got ${JSON.stringify(data)}`);
  return error;
}

// createUser with an id; with a taken address; three more; two lists; get; get of nobody; update;
// delete: what the client sends for each was recorded, and this is how it must end.
for (const [kind, key] of [
  ['a JWT', () => auth.key],
  ['a secret key', () => SECRET],
]) {
  test(`every call of the admin client with ${kind}`, async () => {
    const admin = auth.admin(key());
    const made = await user(
      admin.createUser({
        id: FIRST,
        email: 'a@example.com',
        email_confirm: true,
        user_metadata: { full_name: 'A' },
        app_metadata: { clerk_id: 'user_2abc' },
      }),
    );
    assert.equal(made.id, FIRST);
    assert.deepEqual(made.app_metadata, {
      provider: 'email',
      providers: ['email'],
      clerk_id: 'user_2abc',
    });
    assert.equal(made.phone, '');
    assert.equal(made.identities[0].provider, 'email');

    const taken = await refusal(admin.createUser({ email: 'a@example.com' }));
    assert.equal(taken.name, 'AuthApiError');
    assert.equal(taken.status, 422);
    assert.equal(taken.code, 'email_exists');

    for (const name of ['b0', 'b1', 'b2']) {
      const { id } = await user(admin.createUser({ email: `${name}@example.com` }));
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }

    const { data: page } = await admin.listUsers({ page: 1, perPage: 2 });
    assert.deepEqual(
      page.users.map((one) => one.email),
      ['b2@example.com', 'b1@example.com'],
    );
    assert.deepEqual([page.total, page.nextPage, page.lastPage], [4, 2, 2]);
    // Without arguments the client sends `page=&per_page=`.
    const { data: all } = await admin.listUsers();
    assert.equal(all.users.length, 4);

    assert.deepEqual(await user(admin.getUserById(FIRST)), made);
    const nobody = await refusal(admin.getUserById(UNKNOWN));
    assert.deepEqual([nobody.status, nobody.code], [404, 'user_not_found']);

    const changed = await user(
      admin.updateUserById(FIRST, {
        email: 'Z@example.com',
        app_metadata: { x: 1, clerk_id: null },
      }),
    );
    assert.equal(changed.email, 'z@example.com');
    assert.deepEqual(changed.app_metadata, { provider: 'email', providers: ['email'], x: 1 });

    const { data, error } = await admin.deleteUser(FIRST);
    assert.equal(error, null);
    assert.deepEqual(data, { user: {} });
    const { requests } = await auth.counts();
    assert.deepEqual(requests, {
      create: 5,
      list: 2,
      get: 2,
      update: 1,
      delete: 1,
      other: 0,
      total: 11,
    });
  });
}

test('a taken id and an update to a taken address are the same opaque 500', async () => {
  const admin = auth.admin();
  await user(admin.createUser({ id: FIRST, email: 'a@example.com' }));
  const other = await user(admin.createUser({ email: 'b@example.com' }));
  for (const promise of [
    admin.createUser({ id: FIRST, email: 'c@example.com' }),
    admin.updateUserById(other.id, { email: 'a@example.com' }),
  ]) {
    const error = await refusal(promise);
    // The client takes any 500 for an outage and does not look into it.
    assert.deepEqual([error.name, error.status], ['AuthRetryableFetchError', 500]);
  }
  // Without the version header the cause shows.
  const answer = await auth.raw('PUT', `/admin/users/${other.id}`, {
    body: { email: 'a@example.com' },
  });
  assert.equal(answer.status, 500);
  assert.equal(answer.headers.get('x-sb-error-code'), 'unexpected_failure');
  assert.deepEqual(await answer.json(), {
    code: '23505',
    message: 'duplicate key value violates unique constraint "users_email_partial_key"',
    detail: 'Key (email)=(a@example.com) already exists.',
  });
});

test('bans, metadata and soft deletion', async () => {
  const admin = auth.admin();
  const { id } = await user(
    admin.createUser({ email: 'a@example.com', user_metadata: { full_name: 'A', theme: 'dark' } }),
  );
  const banned = await user(
    admin.updateUserById(id, { ban_duration: '876000h', user_metadata: { full_name: null } }),
  );
  assert.ok(new Date(banned.banned_until) > new Date('2100-01-01'));
  assert.deepEqual(banned.user_metadata, { theme: 'dark' });
  const free = await user(admin.updateUserById(id, { ban_duration: 'none' }));
  assert.equal(free.banned_until, undefined);

  assert.equal((await admin.deleteUser(id, true)).error, null);
  const left = await user(admin.getUserById(id));
  assert.ok(left.deleted_at);
  assert.deepEqual([left.identities, left.user_metadata], [[], {}]);
  await user(admin.createUser({ email: 'a@example.com' }));
});

test('a walk goes past page ten, where the client cannot read the Link header', async () => {
  for (let at = 0; at < 23; ++at) await auth.addUser({ email: `${at}@example.com` });
  const seen = new Set();
  for (let page = 1; ; ++page) {
    const { data } = await auth.admin().listUsers({ page, perPage: 2 });
    for (const one of data.users) seen.add(one.email);
    assert.equal(data.total, 23);
    if (data.users.length < 2) break;
  }
  assert.equal(seen.size, 23);
  const tenth = await auth.raw('GET', '/admin/users?page=10&per_page=2');
  assert.equal(
    tenth.headers.get('link'),
    '</admin/users?page=11&per_page=2>; rel="next", </admin/users?page=12&per_page=2>; rel="last"',
  );
});

test('wrong keys are refused in the forms of gateway and server', async () => {
  const unknown = await refusal(auth.admin('sb_secret_rollcall_other').listUsers());
  assert.deepEqual([unknown.status, unknown.message], [401, 'Invalid API key']);
  // A browser must not carry a secret key. (fetch sets no User-Agent of the caller's.)
  const browser = await new Promise((resolve, reject) => {
    const headers = { apikey: SECRET, 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' };
    http.get(`${auth.url}/auth/v1/admin/users`, { headers }, resolve).on('error', reject);
  });
  browser.resume();
  assert.equal(browser.statusCode, 401);
  const tokenless = await auth.raw('GET', '/admin/users', { headers: { authorization: '' } });
  assert.equal(tokenless.status, 401);
  assert.equal(tokenless.headers.get('x-sb-error-code'), 'no_authorization');
});

test('a bare server has no prefix and knows no secret keys', async () => {
  const bare = await Auth.start('--supabase-bare');
  try {
    const adminWith = (key) =>
      new AuthAdminApi({ url: bare.url, headers: { Authorization: `Bearer ${key}` } });
    await user(adminWith(bare.key).createUser({ email: 'a@example.com' }));
    const refused = await refusal(adminWith(SECRET).listUsers());
    assert.deepEqual([refused.status, refused.code], [403, 'bad_jwt']);
    const prefixed = await bare.raw('GET', '/admin/users');
    assert.equal(prefixed.status, 404);
    assert.equal(await prefixed.text(), '404 page not found\n');
  } finally {
    await bare.stop();
  }
});

test('an outage closes the port, and it comes back where it was', async () => {
  const admin = auth.admin();
  await user(admin.createUser({ email: 'a@example.com' }));
  await auth.faults({ auth_down: true });
  const away = await refusal(admin.listUsers());
  assert.equal(away.name, 'AuthRetryableFetchError');
  await assert.rejects(auth.raw('GET', '/admin/users'), (error) =>
    ['ECONNREFUSED', 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(error.cause.code),
  );
  const during = await auth.counts();
  assert.equal(during.listening, false);
  assert.equal(during.requests.total, 1, 'nothing reached it');
  await auth.faults({ auth_down: false });
  const { data } = await until(async () => {
    const answer = await admin.listUsers();
    return answer.error ? undefined : answer;
  }, 'the port to be open again');
  assert.equal(data.users.length, 1, 'it forgot nothing');
});

test('the fault switches as the client sees them', async () => {
  const admin = auth.admin();
  const create = () => admin.createUser({ id: FIRST, email: 'a@example.com' });
  await auth.faults({ auth_500: 1 });
  const failed = await refusal(create());
  assert.deepEqual([failed.name, failed.status], ['AuthRetryableFetchError', 500]);
  await auth.faults({ auth_429: 1 });
  const limited = await refusal(create());
  assert.deepEqual([limited.status, limited.code], [429, 'over_request_rate_limit']);
  await auth.faults({ auth_401: 1 });
  assert.equal((await refusal(create())).status, 401);
  await auth.faults({ auth_not_json: 1 });
  const page = await refusal(create());
  assert.ok(['AuthUnknownError', 'AuthRetryableFetchError'].includes(page.name), page.name);
  await auth.faults({ auth_hang: 1, hang_seconds: 0.2 });
  const hung = await refusal(create());
  assert.deepEqual([hung.name, hung.status], ['AuthRetryableFetchError', 504]);
  await auth.faults({ auth_drop_before: 1 });
  assert.equal((await refusal(create())).name, 'AuthRetryableFetchError');
  assert.deepEqual(await auth.users(), [], 'none of them did anything');
  await auth.faults({ auth_drop: 1 });
  assert.equal((await refusal(create())).name, 'AuthRetryableFetchError');
  assert.equal((await auth.users()).length, 1, 'the answer was lost, not the change');
  await auth.faults({ auth_slow: 1, slow_seconds: 0.2 });
  const began = performance.now();
  assert.equal((await user(admin.getUserById(FIRST))).id, FIRST);
  assert.ok(performance.now() - began >= 190);
  const { answers } = await auth.counts();
  assert.equal(answers.none, 2);
  const [last] = await auth.requests();
  assert.deepEqual([last.operation, last.user_id, last.status], ['get', FIRST, 200]);
});

test('the control routes add, remove and reset', async () => {
  const foreign = await auth.addUser({ email: 'f@example.com', app_metadata: { team: 'x' } });
  assert.equal((await auth.users())[0].app_metadata.team, 'x');
  await auth.removeUser(foreign.id);
  assert.deepEqual(await auth.users(), []);
  await assert.rejects(auth.addUser({}), /validation_failed/);
  await assert.rejects(auth.removeUser(foreign.id), /user_not_found/);
  await auth.addUser({ email: 'f@example.com' });
  await auth.faults({ auth_down: true });
  await auth.simulator.control('POST', '/reset');
  const { users, listening, requests } = await auth.counts();
  assert.deepEqual([users, listening, requests.total], [0, true, 0]);
  const elsewhere = await fetch(`${auth.simulator.url}/sim/auth`, {
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(elsewhere.status, 403);
});

test('it can be left out, and its keys chosen', async () => {
  const without = await Simulator.start('--supabase-listen', 'off');
  try {
    await assert.rejects(without.control('GET', '/auth'), /404/);
    assert.equal(without.environment.SUPABASE_URL, undefined);
  } finally {
    await without.stop();
  }
  const chosen = await Auth.start('--supabase-key', 'sb_secret_rollcall_chosen');
  try {
    assert.equal(chosen.key, 'sb_secret_rollcall_chosen');
    assert.equal((await chosen.admin().listUsers()).error, null);
    assert.equal((await refusal(chosen.admin(SECRET).listUsers())).status, 401);
  } finally {
    await chosen.stop();
  }
});
