// What attackers send, to the real binary in both its modes: the tokens of tests/data/tokens, each
// followed by the original one; tokens that name places to fetch from, with somebody listening
// there; hosts and header fields that a hop behind the gate would read in another way.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { keySets } from '../data/tokens/base.mjs';
import { b64, pem } from '../data/tokens/signer.mjs';
import { Publisher, decide, issuer, keySet, otherKey, party, tokenOf } from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freePort, freshDatabase, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const POLICY = `version = 1
default = "protected"
[[rule]]
id = "any"
path = "/shared"
access = "public"
[[rule]]
id = "closed"
hosts = ["app.example.com"]
path = "/shared"
access = "protected"
`;
const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-attacks-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, database, publisher, service, port, application;
const seen = [];

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

const environment = () => ({
  ROLLCALL_GATE_POLICY: policyFile,
  ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
  ROLLCALL_GATE_ISSUER: issuer,
  CLERK_AUTHORIZED_PARTIES: party,
});
const said = (answer) => `${answer.status} ${answer.status === 200 ? 'ok' : answer.json.code}`;
const judged = async (token, by = service) => said(await decide(by, '/x', { token }));

before(async () => {
  writeFileSync(policyFile, POLICY);
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start(keySets.main);
  application = http.createServer((request, response) => {
    seen.push(request);
    response.end('the application');
  });
  const behind = await listening(application);
  port = await freePort();
  service = await Service.start(postgres.url(database), {
    ...environment(),
    ROLLCALL_GATE_JWKS_URL: publisher.url,
    ROLLCALL_GATE_LISTEN: `127.0.0.1:${port}`,
    ROLLCALL_GATE_UPSTREAM: `http://127.0.0.1:${behind}`,
  });
  await until(() => service.log.includes('jwks_taken'), 'the keys');
  const created = await service.deliver(userEvent('user.created', 'user_ada', Date.now()));
  assert.equal(created.status, 202);
  await until(async () => (await judged(tokenOf('user_ada'))) === '200 ok', 'the user');
});
after(async () => {
  await service?.stop();
  await publisher?.stop();
  application?.closeAllConnections();
  application?.close();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});

// A request to the gate that stands before the application, its lines as they are.
async function proxied(...lines) {
  seen.length = 0;
  const socket = net.connect(port, '127.0.0.1');
  socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')));
  socket.write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  let text = '';
  for await (const piece of socket) text += piece;
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

test('whatever place a token names, nobody is asked there', async () => {
  let connections = 0;
  // Who asks is given the key that the forged tokens are signed with.
  const outside = http.createServer((_, response) => response.end(keySet(otherKey)));
  outside.on('connection', () => (connections += 1));
  const at = await listening(outside);
  const urls = ['http:', 'https:', ''].map((scheme) => `${scheme}//127.0.0.1:${at}/jwks.json`);
  urls.push(`http://localhost:${at}/`, `| curl http://127.0.0.1:${at}/`);
  const forged = { key: 'other', head: { kid: 'ins_main' } };
  try {
    for (const url of urls) {
      for (const name of ['jku', 'x5u', 'jwk', 'x5c', 'jwks', 'jwks_uri', 'url', 'iss']) {
        const head = { [name]: url };
        assert.equal(await judged(tokenOf('user_ada', {}, { head })), '200 ok', name);
        const evil = { ...forged, head: { ...forged.head, ...head } };
        assert.equal(await judged(tokenOf('user_ada', {}, evil)), '401 bad_signature', name);
        evil.head.kid = `mine_${name}`;
        assert.equal(await judged(tokenOf('user_ada', {}, evil)), '401 kid_unknown', name);
      }
      for (const [name, value, expected] of [
        ['iss', url, '401 bad_issuer'],
        ['azp', url, '401 bad_azp'],
        ['sub', url, '401 bad_subject'],
        ['aud', url, '200 ok'],
        ['jti', url, '200 ok'],
        ['act', { sub: 'user_2', iss: url }, '200 ok'],
        ['cnf', { jku: url }, '200 ok'],
        ['sub_jwk', url, '200 ok'],
        ['picture', url, '200 ok'],
        ['profile', url, '200 ok'],
        ['jku', url, '200 ok'],
      ]) {
        assert.equal(await judged(tokenOf('user_ada', { [name]: value })), expected, name);
        const evil = tokenOf('user_ada', { [name]: value }, forged);
        assert.equal(await judged(evil), '401 bad_signature', name);
      }
    }
    // An unknown kid has the configured set fetched: that is asked, and not the place it names.
    const before = publisher.asked;
    let number = 0;
    await until(async () => {
      number += 1;
      const head = { kid: `${urls[number % urls.length]}?${number}` };
      assert.equal(await judged(tokenOf('user_ada', {}, { head })), '401 kid_unknown');
      return publisher.asked > before;
    }, 'the configured set to be fetched');
    assert.equal(connections, 0);
    await fetch(`http://127.0.0.1:${at}/`);
    assert.equal(connections, 1, 'the listener counts');
  } finally {
    outside.closeAllConnections();
    outside.close();
  }
});

// The refused tokens of those files; what other keys or algorithms belong to is not of this gate.
function attacksOf(...names) {
  const read = (name) => readFileSync(new URL(`../data/tokens/${name}.json`, import.meta.url));
  return names.flatMap((name) => JSON.parse(read(name)).tokens.filter((t) => t.expect !== 'ok'));
}

test('after each attack the original token is what it was', async () => {
  const original = tokenOf('user_ada', { exp: Math.floor(Date.now() / 1000) + 600 });
  const good = await decide(service, '/x', { token: original });
  assert.equal(good.status, 200);
  const attacks = attacksOf('attacks', 'playbook').filter((attack) => !attack.keys);
  for (const { name, token, expect, algorithms } of attacks) {
    const answer = await decide(service, '/x', { token });
    if (algorithms) assert.equal(answer.status, 401, name);
    else assert.equal(said(answer), `401 ${expect}`, name);
    const lines = ['GET /x HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`];
    assert.equal(await proxied(...lines), 401, name);
    assert.equal(seen.length, 0, name);
    const again = await decide(service, '/x', { token: original });
    assert.equal(again.status, 200, name);
    assert.equal(again.headers['x-rollcall-user-id'], good.headers['x-rollcall-user-id']);
  }
  assert.ok(attacks.length >= 300, `${attacks.length} attacks`);
});

// CVE-2026-33496 and CVE-2021-32701: an answer was remembered for less than what was asked.
test('a token that is remembered vouches for no other', async () => {
  const original = tokenOf('user_ada');
  const [head, body, signature] = original.split('.');
  const changed = (part, more) => {
    const object = JSON.parse(Buffer.from(part, 'base64url'));
    return b64(JSON.stringify({ ...object, ...more }));
  };
  for (let turn = 0; turn < 2; turn += 1) {
    assert.equal(await judged(original), '200 ok');
    for (const [token, reason] of [
      [`${head}.${body}.`, 'bad_signature'],
      [`${head}.${body}.${'A'.repeat(342)}`, 'bad_signature'],
      [`${changed(head, { alg: 'none' })}.${body}.`, 'alg_not_allowed'],
      [`${changed(head, { alg: 'HS256' })}.${body}.${signature}`, 'alg_not_allowed'],
      [`${changed(head, { x: 1 })}.${body}.${signature}`, 'bad_signature'],
      [`${head}.${changed(body, { sub: 'user_evil' })}.${signature}`, 'bad_signature'],
      [`${head}.${body}.${signature}.`, 'malformed'],
    ]) {
      assert.equal(await judged(token), `401 ${reason}`);
    }
  }
});

test('against a pinned key no attack gets further', async () => {
  const pinned = await Service.start(postgres.url(database), {
    ...environment(),
    CLERK_JWT_KEY: pem('main'),
  });
  try {
    const attacks = attacksOf('playbook').filter((attack) => attack.keys === 'pem');
    for (const { name, token, expect } of attacks) {
      assert.equal(await judged(token, pinned), `401 ${expect}`, name);
      assert.equal(await judged(tokenOf('user_ada'), pinned), '200 ok', name);
    }
    assert.ok(attacks.length >= 30, `${attacks.length} attacks`);
  } finally {
    await pinned.stop();
  }
});

test('a host is the same in every spelling (GHSA-72h4), and is one host', async () => {
  for (const spelled of ['app.example.com', 'APP.EXAMPLE.COM', 'App.example.com.']) {
    for (const host of [spelled, `${spelled}:80`]) {
      assert.equal(said(await decide(service, '/shared', { host })), '401 missing_token', host);
      assert.equal(await proxied('GET /shared HTTP/1.1', `Host: ${host}`), 401, host);
      assert.equal(seen.length, 0);
    }
  }
  assert.equal(said(await decide(service, '/shared', { host: 'b.example.com' })), '200 ok');
  assert.equal(await proxied('GET /shared HTTP/1.1', 'Host: b.example.com'), 200);
  // CVE-2026-57209: what a host brings along would become a part of Forwarded.
  for (const host of [
    'b.example.com;for=192.0.2.1',
    'b.example.com, app.example.com',
    '"b.example.com"',
    'b.example.com;proto=https',
    'user@b.example.com',
    'b.example.com/app',
  ]) {
    assert.equal(said(await decide(service, '/shared', { host })), '403 bad_target', host);
    assert.equal(await proxied('GET /shared HTTP/1.1', `Host: ${host}`), 400, host);
    assert.equal(seen.length, 0, host);
  }
});

test('what Connection names does not take the gate\'s word away (GHSA-w9mr)', async () => {
  const token = tokenOf('user_ada');
  const lines = ['GET /x HTTP/1.1', 'Host: b.example.com', `Authorization: Bearer ${token}`];
  const named = 'Connection: x-rollcall-user-id, X-Rollcall-Subject, x_rollcall_access, forwarded';
  assert.equal(await proxied(...lines, named, 'Forwarded: for=192.0.2.1'), 200);
  const [{ headers }] = seen;
  assert.equal(headers['x-rollcall-subject'], 'user_ada');
  assert.equal(headers['x-rollcall-access'], 'protected');
  assert.match(headers['x-rollcall-user-id'], /^[0-9a-f-]{36}$/);
  assert.equal(headers.forwarded, undefined);
  assert.ok(!/rollcall|forwarded/i.test(headers.connection ?? ''), headers.connection);
});

// GHSA-5hvv (oauth2-proxy): who said to be a health check needed no token.
test('whoever a client says to be, it needs a token', async () => {
  for (const agent of ['GoogleHC/1.0', 'kube-probe/1.31', 'ELB-HealthChecker/2.0', '']) {
    const headers = { 'User-Agent': agent };
    assert.equal(said(await decide(service, '/x', { headers })), '401 missing_token', agent);
    for (const target of ['/', '/x', '/healthz', '/readyz', '/gate/decide']) {
      const lines = [`GET ${target} HTTP/1.1`, 'Host: a', `User-Agent: ${agent}`];
      assert.equal(await proxied(...lines), 401, `${agent} ${target}`);
      assert.equal(seen.length, 0);
    }
  }
});
