// Clerk's own SDK and the gate, with the simulator's session tokens and keys.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';

import { createClerkClient, verifyToken } from '@clerk/backend';

import { decide } from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freshDatabase } from './service.mjs';
import { Receiver, SECRET_KEY, Simulator, until } from './simulator.mjs';

const PARTY = 'https://app.example.com';

let sim;
let clerk;
let user;
before(async () => {
  sim = await Simulator.start('--seed', '1');
  clerk = createClerkClient({
    secretKey: SECRET_KEY,
    publishableKey: sim.environment.CLERK_PUBLISHABLE_KEY,
    apiUrl: sim.url,
    telemetry: { disabled: true },
  });
});
after(() => sim?.stop());
beforeEach(async () => {
  await sim.control('POST', '/reset', { users: 0 });
  user = await clerk.users.createUser({ emailAddress: ['ada@example.com'] });
});

const mint = (options) => sim.control('POST', '/tokens', options);
const keys = () => sim.control('GET', '/keys');
const verified = (token, more = {}) =>
  verifyToken(token, { secretKey: SECRET_KEY, apiUrl: sim.url, skipJwksCache: true, ...more });
const reason = (promise) =>
  promise.then(
    () => assert.fail('was not refused'),
    (error) => error.reason,
  );
const auth = async (jwt, more = {}) => {
  const request = new Request(`${PARTY}/orders`, { headers: { authorization: `Bearer ${jwt}` } });
  return clerk.authenticateRequest(request, { authorizedParties: [PARTY], ...more });
};

test('a session of the SDK has tokens that its verifier takes', async () => {
  const session = await clerk.sessions.createSession({ userId: user.id });
  assert.equal(session.status, 'active');
  const { jwt } = await clerk.sessions.getToken(session.id);
  const claims = await verified(jwt, { issuer: 'https://clerk.rollcall.localhost' });
  assert.deepEqual([claims.sub, claims.sid, claims.v], [user.id, session.id, 2]);
  assert.equal(claims.exp - claims.iat, 60);
  const long = await clerk.sessions.getToken(session.id, '', 300);
  assert.equal((await verified(long.jwt)).exp - (await verified(long.jwt)).iat, 300);
  const listed = await clerk.sessions.getSessionList({ userId: user.id });
  assert.deepEqual([listed.totalCount, listed.data[0].id], [1, session.id]);
  assert.equal((await clerk.sessions.revokeSession(session.id)).status, 'revoked');
  assert.equal((await clerk.sessions.getSession(session.id)).status, 'revoked');
  await assert.rejects(clerk.sessions.getToken(session.id), { status: 404 });
});

test('authenticateRequest knows the caller, the organization and what they may', async () => {
  const organization = {
    id: 'org_acme',
    slug: 'acme',
    role: 'org:admin',
    permissions: ['org:dashboard:manage', 'org:dashboard:read', 'org:teams:read'],
  };
  for (const version of [2, 1]) {
    const { jwt } = await mint({ user_id: user.id, azp: PARTY, version, organization });
    const state = await auth(jwt);
    assert.equal(state.status, 'signed-in', `${version}: ${state.reason}`);
    const caller = state.toAuth();
    assert.deepEqual(
      [caller.userId, caller.orgId, caller.orgSlug, caller.orgRole],
      [user.id, 'org_acme', 'acme', 'org:admin'],
    );
    assert.ok(caller.has({ permission: 'org:teams:read' }));
    assert.ok(!caller.has({ permission: 'org:teams:manage' }));
    assert.deepEqual(caller.orgPermissions?.toSorted(), organization.permissions);
  }
});

test('what is made to be refused is refused', async () => {
  const refused = async (options, more) => reason(verified((await mint(options)).jwt, more));
  assert.equal(await refused({ expired: true }), 'token-expired');
  assert.equal(await refused({ kid: 'ins_other' }), 'jwk-kid-mismatch');
  assert.equal(
    await refused({ azp: 'https://evil.example.com' }, { authorizedParties: [PARTY] }),
    'token-invalid-authorized-parties',
  );
  assert.equal(await refused({ claims: { sub: null } }), 'token-verification-failed');
  assert.equal(await refused({ header: { typ: 'at+jwt' } }), 'token-invalid');
  const template = await auth((await mint({ template: true, azp: PARTY })).jwt);
  assert.deepEqual([template.status, template.reason], ['signed-out', 'token-type-mismatch']);
  const pending = await auth((await mint({ pending: true, azp: PARTY })).jwt);
  assert.equal(pending.toAuth().userId, null);
  for (const [body, word] of [
    [{ expird: true }, 'expird'],
    [{ version: 3 }, 'version'],
    [{ lifetime_seconds: 0 }, 'lifetime_seconds'],
    [{ organization: { permissions: ['read'] } }, 'permissions'],
    [{ user_id: 'user_nobody' }, 'no such user'],
    [{ session_id: 'sess_none' }, 'no such session'],
  ]) {
    await assert.rejects(mint(body), (error) => error.message.includes(word));
  }
});

test('keys are replaced, side by side or at once', async () => {
  const old = (await mint()).jwt;
  const first = (await keys()).keys[0].kid;
  await sim.control('POST', '/keys/rotate');
  const next = (await mint()).jwt;
  await verified(old);
  await verified(next);
  // The SDK keeps a key that it has seen: who is published is asked without it.
  const published = async () => {
    const set = await (await fetch(`${sim.url}/.well-known/jwks.json`)).json();
    return set.keys.map((key) => key.kid);
  };
  const kidOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url')).kid;
  assert.deepEqual(await published(), [kidOf(next), first]);
  assert.equal(kidOf(old), first);
  await sim.control('DELETE', `/keys/${first}`);
  assert.deepEqual(await published(), [kidOf(next)]);
  await sim.control('POST', '/keys/rotate', { overlap: false });
  const last = (await mint()).jwt;
  assert.deepEqual(await published(), [kidOf(last)]);
  assert.notEqual(kidOf(last), kidOf(next));
  await verified(last);
  // Without a network, as CLERK_JWT_KEY has it.
  const jwtKey = (await keys()).keys[0].public_pem;
  assert.equal((await verifyToken((await mint()).jwt, { jwtKey })).sub, user.id);
});

test('a key that is given signs', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-key-'));
  const file = path.join(folder, 'key.pem');
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const given = await Simulator.start('--signing-key', file, '--users', '1');
  try {
    const { jwt } = await given.control('POST', '/tokens');
    const [input, signature] = [jwt.slice(0, jwt.lastIndexOf('.')), jwt.split('.')[2]];
    assert.ok(
      crypto.verify(
        'sha256',
        Buffer.from(input),
        publicKey,
        Buffer.from(signature, 'base64url'),
      ),
    );
  } finally {
    await given.stop();
    rmSync(folder, { recursive: true });
  }
});

test('sessions end with signed events, by each word', async () => {
  const receiver = await Receiver.start();
  await sim.control('PATCH', '/endpoint', { url: receiver.url });
  try {
    for (const [word, type] of [
      ['end', 'session.ended'],
      ['remove', 'session.removed'],
      ['revoke', 'session.revoked'],
    ]) {
      const session = await sim.control('POST', '/sessions', { user_id: user.id });
      await sim.control('POST', `/sessions/${session.id}/${word}`);
      const told = () => receiver.events().find((one) => one.type === type)?.data;
      const data = await until(told, type);
      assert.deepEqual([data.id, data.user_id, data.user.id], [session.id, user.id, user.id]);
    }
    const pending = await sim.control('POST', '/sessions', { pending: true });
    assert.equal(pending.status, 'pending');
    await until(() => receiver.events().some((one) => one.type === 'session.pending'), 'pending');
  } finally {
    await sim.control('PATCH', '/endpoint', { url: '' });
    await receiver.stop();
  }
});

test('the gate goes by it: the environment that it prints, a revocation', async () => {
  const postgres = await Postgres.start();
  let service;
  try {
    service = await Service.start(postgres.url(await freshDatabase(postgres)), {
      CLERK_API_URL: sim.url,
      CLERK_SECRET_KEY: SECRET_KEY,
      CLERK_WEBHOOK_SECRET: sim.environment.CLERK_WEBHOOK_SECRET,
      CLERK_PUBLISHABLE_KEY: sim.environment.CLERK_PUBLISHABLE_KEY,
      ROLLCALL_MODE: 'hybrid',
      ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
      ROLLCALL_GATE_AUTHORIZED_PARTIES: PARTY,
    });
    const url = `http://127.0.0.1:${service.port}/webhooks/clerk`;
    await sim.control('PATCH', '/endpoint', { url });
    // Long enough for a machine that is busy.
    const lasting = { azp: PARTY, lifetime_seconds: 1800 };
    const { jwt, session_id: session } = await mint(lasting);
    const said = async (token) => {
      const answer = await decide(service, '/orders', { token });
      return `${answer.status} ${answer.text ? answer.json.code : 'ok'}`;
    };
    await until(async () => (await said(jwt)) === '200 ok', 'the keys and the user');
    assert.equal(await said((await mint({ azp: PARTY, expired: true })).jwt), '401 expired');
    const pending = (await mint({ ...lasting, pending: true })).jwt;
    assert.equal(await said(pending), '401 session_pending');
    assert.equal(await said((await mint({ lifetime_seconds: 1800 })).jwt), '401 bad_azp');
    await sim.control('POST', `/sessions/${session}/revoke`);
    await until(async () => (await said(jwt)) === '401 session_revoked', 'the revocation');
    const fresh = (await mint(lasting)).jwt;
    assert.equal(await said(fresh), '200 ok', 'another session');
  } finally {
    await sim.control('PATCH', '/endpoint', { url: '' });
    await service?.stop();
    postgres.remove();
  }
});
