// POST /oauth/token of the real binary: a Clerk session token in, rollcall's own out, verified with
// what /.well-known/jwks.json publishes by Node's crypto, and believed by policies on auth.uid().
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';

import pg from 'pg';

import {
  JWT,
  Publisher,
  exchange,
  issuer,
  keySet,
  mainKey,
  party,
  tokenOf,
} from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, deletedEvent, freshDatabase, rollcall, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const SHARED = 'super-secret-jwt-token-with-at-least-32-characters-long';

let postgres, database, publisher, service, other, shared;
// No proxy is trusted: the exchange wants none.
const environment = () => ({
  ROLLCALL_GATE_JWKS_URL: publisher.url,
  ROLLCALL_GATE_ISSUER: issuer,
  CLERK_AUTHORIZED_PARTIES: party,
});
const sql = (text, values) => postgres.query(database, text, values);

const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));

// Who verifies as any library of JOSE does: the key by its kid, r and s as they are.
function verified(token, keys) {
  const [head, payload, signature] = token.split('.');
  const { alg, kid, typ } = read(head);
  assert.deepEqual([alg, typ], ['ES256', 'JWT']);
  const key = crypto.createPublicKey({ key: keys.find((one) => one.kid === kid), format: 'jwk' });
  const good = crypto.verify(
    'sha256',
    Buffer.from(`${head}.${payload}`),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  assert.ok(good, 'the signature');
  return read(payload);
}
const keysOf = async (at) => (await at.get('/.well-known/jwks.json', at.port)).json.keys;

let version = Date.now();
async function user(id, more = {}) {
  const answer = await service.deliver(userEvent('user.created', id, (version += 1), more));
  assert.equal(answer.status, 202);
  return until(async () => (await sql('SELECT * FROM users WHERE clerk_id = $1', [id]))[0], id);
}

// What `work` sees as PostgREST would set it up for a token with these claims.
async function asCaller(claims, work) {
  const client = new pg.Client({ connectionString: postgres.url(database) });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query("SELECT set_config('request.jwt.claims', $1, true)", [
      JSON.stringify(claims),
    ]);
    await client.query(`SET LOCAL ROLE ${pg.escapeIdentifier(claims.role)}`);
    return await work(async (text) => (await client.query(text)).rows);
  } finally {
    await client.end();
  }
}

before(async () => {
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start(keySet(mainKey));
  service = await Service.start(postgres.url(database), environment());
});
after(async () => {
  await service?.stop();
  await other?.stop();
  await shared?.stop();
  await publisher?.stop();
  postgres?.remove();
});

test('the first token is exchanged at once, by a service that is ready', async () => {
  assert.equal(publisher.asked, 0);
  const row = await user('user_ada');
  const now = Math.floor(Date.now() / 1000);
  const answer = await exchange(
    service,
    tokenOf('user_ada', {
      o: { id: 'org_1', rol: 'admin', slg: 'one' },
      act: { sub: 'user_staff' },
      fva: [3, -1],
    }),
  );
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers.pragma, 'no-cache');
  const { access_token: token, expires_in: left, ...rest } = answer.json;
  assert.deepEqual(rest, {
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
  });
  assert.ok(left > 0 && left <= 61, `${left}`);
  const claims = verified(token, await keysOf(service));
  const { iat, nbf, exp, jti, ...who } = claims;
  assert.deepEqual(who, {
    iss: 'rollcall',
    sub: row.id,
    aud: 'authenticated',
    role: 'authenticated',
    clerk_sub: 'user_ada',
    sid: 'sess_ada',
    user_role: 'user',
    org_id: 'org_1',
    org_slug: 'one',
    org_role: 'org:admin',
    fva: [3, -1],
    act: { sub: 'user_staff' },
  });
  assert.ok(iat >= now && nbf === iat && exp - iat === left);
  assert.match(jti, /^[0-9a-f-]{36}$/);
});

test('the key set is public, cacheable and has no private part', async () => {
  const answer = await service.get('/.well-known/jwks.json', service.port);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['cache-control'], 'public, max-age=300');
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(answer.json.keys.length, 1);
  const [key] = answer.json.keys;
  assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  const [row] = await sql('SELECT kid, private_key FROM rollcall.signing_keys');
  assert.equal(row.kid, key.kid);
  assert.ok(!service.log.includes(row.private_key.split('\n')[1]), 'the key is in the log');
});

test('policies on auth.uid() hold for the token, and only the own row is seen', async () => {
  await user('user_bob');
  const answer = await exchange(service, tokenOf('user_ada'));
  const claims = verified(answer.json.access_token, await keysOf(service));
  const seen = await asCaller(claims, (ask) =>
    ask('SELECT clerk_id, auth.uid() = id AS own, auth.role() AS role FROM users'),
  );
  assert.deepEqual(seen, [{ clerk_id: 'user_ada', own: true, role: 'authenticated' }]);
  // Nor do the keys lie open to callers.
  await assert.rejects(
    asCaller(claims, (ask) => ask('SELECT private_key FROM rollcall.signing_keys')),
    /permission denied/,
  );
});

test('a bad subject token is refused by name, and issues nothing', async () => {
  const now = Math.floor(Date.now() / 1000);
  const [head, payload, signature] = tokenOf('user_ada').split('.');
  const own = (await exchange(service, tokenOf('user_ada'))).json.access_token;
  for (const [token, reason] of [
    ['rubbish', 'malformed'],
    [`${head}.${payload}.${signature.slice(0, -8)}AAAAAAAA`, 'bad_signature'],
    [tokenOf('user_ada', {}, { key: 'other', head: { kid: 'ins_main' } }), 'bad_signature'],
    [tokenOf('user_ada', { exp: now - 60, iat: now - 120, nbf: now - 130 }), 'expired'],
    [tokenOf('user_ada', { iss: 'https://evil.example.com' }), 'bad_issuer'],
    [tokenOf('user_ada', { azp: 'https://evil.example.com' }), 'bad_azp'],
    [tokenOf('user_ada', { sts: 'pending' }), 'session_pending'],
    [tokenOf('user_nobody'), 'user_unknown'],
    [own, 'alg_not_allowed'],
  ]) {
    const answer = await exchange(service, token);
    assert.equal(answer.status, 400, `${reason} ${answer.text}`);
    assert.deepEqual(answer.json, { error: 'invalid_request', error_description: reason });
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
});

test('what is no token exchange is an OAuth error', async () => {
  const token = tokenOf('user_ada');
  for (const [form, error] of [
    [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    [{ grant_type: undefined }, 'invalid_request'],
    [{ subject_token: undefined }, 'invalid_request'],
    [{ subject_token_type: undefined }, 'invalid_request'],
    [{ scope: 'openid' }, 'invalid_scope'],
    [{ resource: 'https://api.example.com' }, 'invalid_target'],
  ]) {
    const answer = await exchange(service, token, form);
    assert.equal(answer.status, 400);
    assert.equal(answer.json.error, error, answer.text);
  }
  const json = await exchange(service, token, {}, { type: 'application/json' });
  assert.equal(`${json.status} ${json.json.error}`, '400 invalid_request');
  assert.equal((await service.get('/oauth/token', service.port)).status, 405);
  const named = await exchange(service, token, { audience: 'orders', requested_token_type: JWT });
  assert.equal(named.json.issued_token_type, JWT);
  assert.equal(read(named.json.access_token.split('.')[1]).aud, 'orders');
});

test('who is banned or deleted gets no token any more', async () => {
  await user('user_cyd');
  assert.equal((await exchange(service, tokenOf('user_cyd'))).status, 200);
  await service.deliver(userEvent('user.updated', 'user_cyd', (version += 1), { banned: true }));
  const refused = async (reason) => {
    const { json } = await exchange(service, tokenOf('user_cyd'));
    return json.error === 'invalid_request' && json.error_description === reason;
  };
  await until(() => refused('user_banned'), 'the ban');
  await service.deliver(deletedEvent('user_cyd'));
  await until(() => refused('user_deleted'), 'the deletion');
});

test('instances share the key, and it outlives them', async () => {
  other = await Service.start(postgres.url(database), environment());
  const keys = await keysOf(other);
  assert.deepEqual(keys, await keysOf(service));
  const token = (await exchange(other, tokenOf('user_ada'))).json.access_token;
  assert.equal(verified(token, await keysOf(service)).clerk_sub, 'user_ada');
  await other.stop();
  other.launch();
  await other.ready();
  assert.deepEqual(await keysOf(other), keys);
});

test('a key is followed while tokens of it still verify', async () => {
  const before = (await exchange(other, tokenOf('user_ada'))).json.access_token;
  const kid = (token) => read(token.split('.')[0]).kid;
  // The time comes for another, which is published an hour ahead; then that hour passes.
  const pass = (time) =>
    sql(`UPDATE rollcall.signing_keys SET signs_from = signs_from - interval '${time}'`);
  const restarted = async () => {
    await other.stop();
    other.launch();
    await other.ready();
  };
  await pass('29 days 23 hours 30 minutes');
  await restarted();
  const published = await keysOf(other);
  assert.equal(published.length, 2);
  const between = (await exchange(other, tokenOf('user_ada'))).json.access_token;
  assert.equal(kid(between), kid(before));
  await pass('61 minutes');
  await restarted();
  const later = (await exchange(other, tokenOf('user_ada'))).json.access_token;
  assert.notEqual(kid(later), kid(before));
  // Whoever has kept the key set of before knows both.
  for (const token of [before, between, later]) verified(token, published);
  assert.deepEqual(await keysOf(other), published);
});

test('doctor sees the keys', async () => {
  const lone = await freshDatabase(postgres);
  const query = (text) => postgres.query(lone, text);
  const doctor = () => {
    const env = { ...service.env, DATABASE_URL: postgres.url(lone) };
    const { checks } = JSON.parse(rollcall(['doctor', '--json'], env).stdout);
    const { verdict, message } = checks.find(({ check }) => check === 'signing_keys');
    return `${verdict} ${message}`;
  };
  assert.match(doctor(), /^ok none yet/);
  const once = await Service.start(postgres.url(lone), environment());
  await once.stop();
  assert.equal(doctor(), 'ok 1 published, the newest signs');
  await query("UPDATE rollcall.signing_keys SET signs_from = signs_from - interval '32 days'");
  assert.equal(doctor(), 'warn the newest signs for 32 days, and nobody has made its follower');
  await query("UPDATE rollcall.signing_keys SET kid = 'another'");
  assert.equal(doctor(), 'fail the row of the key another holds another, or none');
});

test('with the secret of the Supabase project it is HS256, and the key set stays', async () => {
  const weak = rollcall(['serve'], {
    ...service.env,
    SUPABASE_JWT_SECRET: 'too short',
  });
  assert.equal(weak.code, 78, weak.stderr);
  assert.match(weak.stderr, /supabase\.jwt_secret.*32 bytes/);
  shared = await Service.start(postgres.url(database), {
    ...environment(),
    SUPABASE_JWT_SECRET: SHARED,
  });
  const answer = await exchange(shared, tokenOf('user_ada'));
  assert.equal(answer.status, 200, answer.text);
  const [head, payload, signature] = answer.json.access_token.split('.');
  assert.deepEqual(read(head), { alg: 'HS256', typ: 'JWT' });
  const mac = crypto.createHmac('sha256', SHARED).update(`${head}.${payload}`).digest('base64url');
  assert.equal(signature, mac);
  assert.deepEqual(
    [read(payload).aud, read(payload).role],
    ['authenticated', 'authenticated'],
  );
  const keys = await keysOf(shared);
  assert.ok(keys.length > 0 && keys.every((key) => key.alg === 'ES256'));
  assert.ok(!JSON.stringify(keys).includes(SHARED));
});

test('while the database is away nothing is issued, and it is worth asking again', async () => {
  postgres.down();
  try {
    const answer = await exchange(service, tokenOf('user_ada'));
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.json.error, 'temporarily_unavailable');
    assert.ok(answer.headers['retry-after']);
    assert.equal((await keysOf(service)).length > 0, true);
  } finally {
    postgres.up();
  }
  await until(async () => (await exchange(service, tokenOf('user_ada'))).status === 200, 'a token');
});
