// `/gate/decide` of the real binary, with tokens that Node's crypto signs and keys that the test
// publishes: who is let through, who is not, and how fast either changes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { getCookieSuffix } from '@clerk/shared/keys';

import {
  Publisher,
  decide,
  issuer,
  keySet,
  mainKey,
  otherKey,
  party,
  said,
  tokenOf,
} from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, deletedEvent, freshDatabase, messageId, userEvent } from './service.mjs';
import { until, within } from './simulator.mjs';

const POLICY = `version = 1
default = "protected"
[[rule]]
id = "health"
path = "/health"
access = "public"
[[rule]]
id = "admin"
path = "/admin/**"
access = "admin"
`;
const IDENTITY = ['user-id', 'subject', 'session', 'org', 'role', 'access', 'rule'];
const SECRET = 'canarytokenpart';

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-gate-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, database, publisher, service;
const environment = () => ({
  ROLLCALL_GATE_POLICY: policyFile,
  ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
  ROLLCALL_GATE_JWKS_URL: publisher.url,
  ROLLCALL_GATE_ISSUER: issuer,
  CLERK_AUTHORIZED_PARTIES: party,
});
const sql = (text, values) => postgres.query(database, text, values);

let version = Date.now();
// A user in the table, by the webhook.
async function user(id, more = {}) {
  const answer = await service.deliver(userEvent('user.created', id, (version += 1), more));
  assert.equal(answer.status, 202);
  return until(async () => (await sql('SELECT * FROM users WHERE clerk_id = $1', [id]))[0], id);
}

before(async () => {
  writeFileSync(policyFile, POLICY);
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start();
  service = await Service.start(postgres.url(database), environment());
  await until(() => publisher.asked > 0 && service.log.includes('jwks_taken'), 'the keys');
});
after(async () => {
  await service?.stop();
  await publisher?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});

test('who has a good token passes, and the answer says who it is', async () => {
  const row = await user('user_ada');
  const token = tokenOf('user_ada', { o: { id: 'org_1', rol: 'admin', slg: 'one' } });
  for (const by of ['GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE', 'PROPFIND']) {
    const answer = await decide(service, '/orders/1?x=2', { token, by });
    assert.equal(answer.status, 200, `${by} ${answer.text}`);
    assert.equal(answer.text, '');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['x-rollcall-user-id'], row.id);
    assert.equal(answer.headers['x-rollcall-subject'], 'user_ada');
    assert.equal(answer.headers['x-rollcall-session'], 'sess_ada');
    assert.equal(answer.headers['x-rollcall-org'], 'org_1');
    assert.equal(answer.headers['x-rollcall-role'], 'user');
    assert.equal(answer.headers['x-rollcall-access'], 'protected');
    assert.equal(answer.headers['x-rollcall-rule'], 'default');
    assert.equal(answer.headers['x-rollcall-path'], '/orders/1');
  }
});

test('a public route asks for nothing and says nothing, whatever the client claims', async () => {
  for (const token of [undefined, 'rubbish', tokenOf('user_ada')]) {
    const answer = await decide(service, '/health', {
      token,
      headers: { 'X-Rollcall-User-Id': 'me', 'X-Rollcall-Role': 'admin', X_Rollcall_Role: 'admin' },
    });
    assert.equal(answer.status, 200);
    for (const name of IDENTITY) assert.equal(answer.headers[`x-rollcall-${name}`], '', name);
  }
});

test('without a good token it is 401, with the challenge of RFC 6750', async () => {
  const none = await decide(service, '/x');
  assert.equal(said(none), '401 missing_token');
  assert.equal(none.headers['www-authenticate'], 'Bearer realm="rollcall"');
  assert.equal(none.headers['content-type'], 'application/problem+json');
  assert.equal(none.json.request_id, none.headers['x-request-id']);
  const now = Math.floor(Date.now() / 1000);
  const forged = tokenOf('user_ada').split('.');
  for (const [token, reason] of [
    ['rubbish', 'malformed'],
    ['a.b.c', 'malformed'],
    [`${forged[0]}.${forged[1]}.`, /malformed|bad_signature/],
    [tokenOf('user_ada', {}, { key: 'other', head: { kid: 'ins_main' } }), 'bad_signature'],
    [tokenOf('user_ada', {}, { head: { alg: 'none' } }), 'alg_not_allowed'],
    [tokenOf('user_ada', {}, { head: { alg: 'HS256' } }), 'alg_not_allowed'],
    [tokenOf('user_ada', {}, { head: { kid: undefined } }), 'kid_unknown'],
    [tokenOf('user_ada', { exp: now - 60 }), 'expired'],
    [tokenOf('user_ada', { nbf: now + 600 }), 'not_yet_valid'],
    [tokenOf('user_ada', { exp: now + 7200 }), 'lifetime_too_long'],
    [tokenOf('user_ada', { iss: 'https://evil' }), 'bad_issuer'],
    [tokenOf('user_ada', { azp: 'https://evil' }), 'bad_azp'],
    [tokenOf('user_ada', { azp: undefined }), 'bad_azp'],
    [tokenOf('user_ada', { sts: 'pending' }), 'session_pending'],
    [tokenOf('user_ada', { sid: undefined }), 'bad_type'],
  ]) {
    const answer = await decide(service, '/x', { token });
    assert.equal(answer.status, 401, answer.text);
    assert.match(answer.json.code, new RegExp(reason));
    assert.equal(
      answer.headers['www-authenticate'],
      `Bearer realm="rollcall", error="invalid_token", error_description="${answer.json.code}"`,
    );
    assert.equal(answer.headers['x-rollcall-subject'], undefined);
  }
});

test('a token counts in one header only, never in the query or a cookie', async () => {
  const token = tokenOf('user_ada');
  const as = (headers, where = '/x') => decide(service, where, { headers }).then(said);
  assert.equal(await as({ authorization: `bearer ${token}` }), '200 ok');
  assert.equal(await as({ Cookie: `__session=${token}` }), '401 missing_token');
  assert.equal(await as({ Authorization: `Basic ${token}` }), '401 missing_token');
  assert.equal(await as({}, `/x?token=${token}&access_token=${token}`), '401 missing_token');
  assert.equal(
    await as({ Authorization: [`Bearer ${token}`, `Bearer ${token}`] }),
    '401 malformed',
  );
});

test('with session_cookie the cookie counts, that of the instance first', async () => {
  const key = 'pk_test_Y2xlcmsuZXhhbXBsZS5jb20k'; // of clerk.example.com
  const own = `__session_${await getCookieSuffix(key)}`;
  const browsed = await Service.start(postgres.url(database), {
    ...environment(),
    ROLLCALL_GATE_SESSION_COOKIE: 'true',
    ROLLCALL_GATE_VERBOSE_ERRORS: 'false',
    ROLLCALL_LOG_LEVEL: 'debug',
    CLERK_PUBLISHABLE_KEY: key,
  });
  try {
    await until(() => browsed.log.includes('jwks_taken'), 'the keys');
    await user('user_cookie');
    const token = tokenOf('user_cookie');
    const forged = { key: 'other', head: { kid: 'ins_main' } };
    const other = tokenOf('user_cookie', {}, forged);
    const as = (headers, method) =>
      decide(browsed, '/x', { headers, method }).then((answer) => answer.status);
    assert.equal(await as({ Cookie: `__session=${token}` }), 200);
    assert.equal(await as({ Cookie: `theme=1; ${own}=${token}` }), 200);
    assert.equal(await as({ Cookie: `__session=${other}; ${own}=${token}` }), 200);
    assert.equal(await as({ Cookie: `__session=${token}; ${own}=${other}` }), 401);
    assert.equal(await as({ Cookie: `__session_another1=${token}` }), 401);
    const both = { Cookie: `__session=${token}`, Authorization: `Bearer ${token}` };
    assert.equal(await as(both), 200);
    assert.equal(await as({ ...both, Authorization: `Bearer ${tokenOf('user_cookie')}` }), 401);
    // What changes something must come from the same site.
    const cookie = { Cookie: `__session=${token}` };
    assert.equal(await as(cookie, 'POST'), 401);
    assert.equal(await as({ ...cookie, 'Sec-Fetch-Site': 'cross-site' }, 'POST'), 401);
    assert.equal(await as({ ...cookie, 'Sec-Fetch-Site': 'same-origin' }, 'POST'), 200);
    assert.equal(await as({ ...cookie, Origin: 'https://evil.example' }, 'POST'), 401);
    assert.equal(await as({ ...cookie, Origin: party }, 'POST'), 200);

    // Not verbose: the client is told no reason, the log is.
    const refused = await decide(browsed, '/x', { token: other });
    const challenge = 'Bearer realm="rollcall", error="invalid_token"';
    assert.equal(refused.headers['www-authenticate'], challenge);
    const { type, title, status, instance, request_id: id, ...rest } = refused.json;
    assert.deepEqual([type, title, status, instance], ['about:blank', 'Unauthorized', 401, id]);
    assert.deepEqual(rest, {});
    const forbidden = await decide(browsed, '//x', { token });
    assert.equal(forbidden.status, 403);
    assert.ok(!forbidden.text.includes('bad_target'));
    const told = (reason) =>
      until(() => browsed.log.includes(`"reason":"${reason}"`), `${reason} in the log`);
    await told('bad_signature');
    await told('bad_target');
  } finally {
    await browsed.stop();
  }
});

test('who is banned or locked is refused by an event, and let in again by one', async () => {
  for (const how of ['banned', 'locked']) {
    const id = `user_${how}`;
    await user(id);
    const token = tokenOf(id);
    const ask = () => decide(service, '/x', { token }).then(said);
    assert.equal(await ask(), '200 ok');
    const say = async (more) => {
      const event = userEvent('user.updated', id, (version += 1), more);
      assert.equal((await service.deliver(event)).status, 202);
    };
    await say({ [how]: true });
    await until(async () => (await ask()) === '403 user_banned', how);
    const another = tokenOf(id, { sid: 'sess_another' });
    assert.equal(said(await decide(service, '/x', { token: another })), '403 user_banned');
    await say({ [how]: false });
    await until(async () => (await ask()) === '200 ok', `no longer ${how}`);
  }
});

test('what cannot be judged is 403: the target, and who says it', async () => {
  const token = tokenOf('user_ada');
  for (const odd of [
    '/health/../admin',
    '/health/%2e%2e/admin',
    '/health%2fx',
    '//health',
    '/health;x',
    '/health%00',
    '/health%5c..',
    '/health%23',
    '/%ff',
    '/%zz',
    'health',
    'http://evil.example/health',
    `/${'a'.repeat(8200)}`,
  ]) {
    assert.equal(said(await decide(service, odd, { token })), '403 bad_target', odd);
  }
  for (const headers of [
    { 'X-Original-URI': '/health' },
    { X_Forwarded_Uri: '/health' },
    { 'X-Forwarded-Uri': ['/x', '/health'] },
    { 'X-Forwarded-Uri': '/health, /x' },
    { 'X-Forwarded-Method': ['GET', 'POST'] },
    { 'X-Forwarded-Uri': '' },
  ]) {
    const answer = await decide(service, '/x', { token, headers });
    assert.equal(said(answer), '403 bad_target', JSON.stringify(headers));
  }
  const bare = await service.request('GET', '/gate/decide', { headers: {} });
  assert.equal(said(bare), '403 bad_target');
});

test('an admin is who has the role in the table, and loses it within two seconds', async () => {
  await user('user_plain');
  const admin = { role: 'admin' };
  const claimed = { role: 'admin', metadata: admin, public_metadata: admin };
  assert.equal(
    said(await decide(service, '/admin/x', { token: tokenOf('user_plain', claimed) })),
    '403 not_admin',
  );
  await within(2_000, 'the demotion', async (number) => {
    const id = `user_root${number}`;
    await user(id, { role: 'admin' });
    const token = tokenOf(id);
    const answer = await decide(service, '/admin/x', { token });
    assert.equal(said(answer), '200 ok');
    assert.equal(answer.headers['x-rollcall-rule'], 'admin');
    await sql(`UPDATE users SET role = 'user' WHERE clerk_id = $1`, [id]);
    return async () => said(await decide(service, '/admin/x', { token })) === '403 not_admin';
  });
});

test('a ban and a demotion wait for no address that another user has', async () => {
  await user('user_holder', { email: 'held@example.com' });
  await within(2_000, 'the ban', async (number) => {
    const id = `user_bar${number}`;
    await user(id, { role: 'admin' });
    const token = tokenOf(id);
    const ask = async () => said(await decide(service, '/admin/x', { token }));
    const say = (more) =>
      service.deliver(
        userEvent('user.updated', id, (version += 1), { email: 'held@example.com', ...more }),
      );
    assert.equal(await ask(), '200 ok');
    assert.equal((await say({ role: 'user' })).status, 202);
    await until(async () => (await ask()) === '403 not_admin', 'the demotion');
    assert.equal((await say({ role: 'user', banned: true })).status, 202);
    return async () => (await ask()) === '403 user_banned';
  });
  const [{ waiting }] = await sql(
    "SELECT count(*)::int AS waiting FROM job_queue WHERE status = 'PENDING' " +
      "AND subject LIKE 'user_bar%' AND error LIKE 'E-mail conflict: %'",
  );
  assert.ok(waiting > 0);
});

// fault 38
test('who is deleted is refused within two seconds, however long the token is good', async () => {
  await within(2_000, 'the deletion by hand', async (number) => {
    const id = `user_gone${number}`;
    await user(id);
    const token = tokenOf(id);
    assert.equal(said(await decide(service, '/x', { token })), '200 ok');
    await sql('UPDATE users SET deleted_at = now() WHERE clerk_id = $1', [id]);
    return async () => said(await decide(service, '/x', { token })) === '403 user_deleted';
  });
  const id = 'user_event';
  await user(id);
  const token = tokenOf(id);
  assert.equal(said(await decide(service, '/x', { token })), '200 ok');
  assert.equal((await service.deliver(deletedEvent(id))).status, 202);
  await until(
    async () => said(await decide(service, '/x', { token })) === '403 user_deleted',
    'the deletion by an event',
  );
  // For good: a late update, another token and a new start do not let the user in again.
  const late = userEvent('user.updated', id, (version += 1));
  assert.equal((await service.deliver(late)).status, 202);
  const applied = "SELECT 1 FROM job_queue WHERE status = 'COMPLETED' AND version = $1";
  await until(async () => (await sql(applied, [version])).length > 0, 'the late update');
  const another = tokenOf(id, { sid: 'sess_another' });
  assert.equal(said(await decide(service, '/x', { token: another })), '403 user_deleted');
  const fresh = await Service.start(postgres.url(database), environment());
  try {
    await until(
      async () => said(await decide(fresh, '/x', { token: another })) === '403 user_deleted',
      'the refusal after a start',
    );
  } finally {
    await fresh.stop();
  }
});

test('whose session ends is refused within a second', async () => {
  await within(1_000, 'the revocation', async (number) => {
    const id = `user_out${number}`;
    await user(id);
    const token = tokenOf(id);
    const sid = `sess_out${number}`;
    assert.equal(said(await decide(service, '/x', { token })), '200 ok');
    const body = JSON.stringify({
      object: 'event',
      type: 'session.revoked',
      instance_id: 'ins_e2e',
      timestamp: Date.now(),
      data: { object: 'session', id: sid, user_id: id, status: 'revoked' },
    });
    assert.equal((await service.deliver(body, { id: messageId() })).status, 202);
    return async () => said(await decide(service, '/x', { token })) === '401 session_revoked';
  });
  const other = tokenOf('user_out0', { sid: 'sess_another' });
  assert.equal(said(await decide(service, '/x', { token: other })), '200 ok');
});

// fault 37
test('a token is good until its end and the leeway of clocks, and no second longer', async () => {
  await user('user_edge');
  const leeway = 5; // gate.skew
  const seconds = () => Date.now() / 1000;
  const end = Math.floor(seconds()) + 3 - leeway;
  const token = tokenOf('user_edge', { exp: end, iat: end - 60, nbf: end - 60 });
  assert.equal(said(await decide(service, '/x', { token })), '200 ok', 'past exp, in the leeway');
  for (;;) {
    const before = seconds();
    const answer = said(await decide(service, '/x', { token }));
    if (seconds() < end + leeway) {
      assert.equal(answer, '200 ok');
    } else if (before >= end + leeway) {
      assert.equal(answer, '401 expired', 'also from memory');
      break;
    }
  }
  const soon = () => tokenOf('user_edge', { nbf: Math.floor(seconds()) + leeway - 2 });
  assert.equal(said(await decide(service, '/x', { token: soon() })), '200 ok', 'from before nbf');
});

const statusOf = async () =>
  (
    await service.get('/statusz', service.adminPort, {
      authorization: `Bearer ${service.env.ROLLCALL_ADMIN_TOKEN}`,
    })
  ).json;

test('a reload takes the policy; a refused file changes nothing', async () => {
  assert.equal(said(await decide(service, '/open')), '401 missing_token');
  writeFileSync(policyFile, `${POLICY}[[rule]]\nid = "open"\npath = "/open"\naccess = "public"\n`);
  service.child.kill('SIGHUP');
  await until(async () => (await decide(service, '/open')).status === 200, 'the new policy');
  writeFileSync(policyFile, POLICY.replace('"protected"', '"public"'));
  service.child.kill('SIGHUP');
  await until(() => service.log.includes('config_reload_failed'), 'the refusal');
  assert.equal(said(await decide(service, '/open')), '200 ok');
  assert.equal(said(await decide(service, '/x')), '401 missing_token');
  assert.match(await service.metrics(), /rollcall_config_last_reload_successful 0/);
  assert.match((await statusOf()).configuration.refused, /policy\.toml:2.*public/);
  writeFileSync(policyFile, POLICY);
  service.child.kill('SIGHUP');
  await until(async () => (await decide(service, '/open')).status === 401, 'the old policy');
  assert.equal((await statusOf()).configuration.refused, null);
});

test('made-up key names cost the publisher next to nothing', async () => {
  const before = publisher.asked;
  const began = Date.now();
  const answers = new Map();
  for (let i = 0; i < 10_000; i += 250) {
    const batch = Array.from({ length: 250 }, (_, k) =>
      decide(service, '/x', { token: tokenOf('user_ada', {}, { head: { kid: `made_${i + k}` } }) }),
    );
    for (const answer of await Promise.all(batch)) {
      answers.set(said(answer), (answers.get(said(answer)) ?? 0) + 1);
    }
  }
  const minutes = Math.ceil((Date.now() - began) / 60_000);
  assert.deepEqual([...answers], [['401 kid_unknown', 10_000]]);
  const asked = publisher.asked - before;
  assert.ok(asked <= 2 * minutes, `${asked} requests in ${minutes} minutes`);
  const metrics = await service.metrics();
  assert.match(metrics, /gate_decisions_total\{.*reason="kid_unknown"\} 1\d{4}/);
});

test('no publisher: known keys go on, a fresh start refuses until they are there', async () => {
  publisher.status = 503;
  assert.equal(said(await decide(service, '/x', { token: tokenOf('user_ada') })), '200 ok');
  const fresh = await Service.start(postgres.url(database), environment());
  try {
    assert.equal(
      said(await decide(fresh, '/x', { token: tokenOf('user_ada') })),
      '403 jwks_unavailable',
    );
    assert.equal(said(await decide(fresh, '/health')), '200 ok');
    publisher.status = 200;
    publisher.body = keySet(otherKey);
    const token = () => tokenOf('user_ada', {}, { key: 'other' });
    const passes = async () => (await decide(fresh, '/x', { token: token() })).status === 200;
    await until(passes, 'the keys');
    // The key that was withdrawn is gone for who has the new set.
    const old = await decide(fresh, '/x', { token: tokenOf('user_ada') });
    assert.equal(said(old), '401 kid_unknown');
  } finally {
    publisher.body = keySet(mainKey);
    publisher.status = 200;
    await fresh.stop();
  }
});

test('who is no trusted proxy is not answered, and needs no keys', async () => {
  const before = publisher.asked;
  const alone = await Service.start(postgres.url(database), {
    ...environment(),
    ROLLCALL_GATE_TRUSTED_PROXIES: '',
  });
  try {
    assert.equal(
      said(await decide(alone, '/health', { token: tokenOf('user_ada') })),
      '403 untrusted_proxy',
    );
    assert.equal(publisher.asked, before);
  } finally {
    await alone.stop();
  }
});

test('a policy that is refused ends the start with 78, and names why', async () => {
  const file = path.join(folder, 'bad.toml');
  writeFileSync(file, 'version = 1\ndefault = "public"\n');
  const bad = await Service.start(
    postgres.url(database),
    { ...environment(), ROLLCALL_GATE_POLICY: file },
    { waitUntilReady: false },
  );
  const [code] = await bad.closed;
  assert.equal(code, 78);
  assert.match(bad.log, /bad\.toml:2/);
});

test('status says what the gate has; nothing tells of a token', async () => {
  const marked = tokenOf('user_ada', { jti: SECRET });
  assert.equal((await decide(service, `/x?${SECRET}`, { token: marked })).status, 200);
  assert.equal((await decide(service, '/x', { token: `${SECRET}.b.c` })).status, 401);
  const status = await service.get('/statusz', service.adminPort, {
    authorization: `Bearer ${service.env.ROLLCALL_ADMIN_TOKEN}`,
  });
  const { gate, configuration } = status.json;
  assert.ok(Date.parse(configuration.since) <= Date.now());
  assert.equal(gate.on, true);
  assert.deepEqual([gate.keys.usable, gate.keys.count, gate.keys.issuer], [true, 1, issuer]);
  assert.ok(gate.keys.age_seconds >= 0);
  assert.deepEqual([gate.policy.rules, gate.policy.default], [2, 'protected']);
  assert.ok(gate.tokens > 0);
  const metrics = await service.metrics();
  for (const text of [service.log, metrics, status.text]) {
    assert.ok(!text.includes(SECRET));
    assert.ok(!text.includes(marked.split('.')[1]));
  }
});
