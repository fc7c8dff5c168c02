// `rollcall verify token` from outside: what it answers, and that Clerk's own verifier takes
// whatever it takes. Tokens come from Node's crypto (tests/data/tokens), none from the code under
// test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { createClerkClient, verifyToken } from '@clerk/backend';

import { claims, header, issuer, keySets, now } from '../data/tokens/base.mjs';
import { compact, pem, sign } from '../data/tokens/signer.mjs';
import { binary } from './simulator.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-token-'));
after(() => rmSync(folder, { recursive: true }));
const written = new Map();

// The text in a file of its own.
function file(text) {
  if (!written.has(text)) {
    const name = path.join(folder, String(written.size));
    writeFileSync(name, text);
    written.set(text, name);
  }
  return written.get(text);
}

function run(args, input) {
  const ended = spawnSync(binary(), ['verify', 'token', ...args], { input, encoding: 'utf8' });
  return { code: ended.status, out: ended.stdout, err: ended.stderr };
}

const main = file(keySets.main);
const rs256 = (input) => sign('RS256', 'main', input);
const seconds = Math.floor(Date.now() / 1000);
const current = { ...claims, iat: seconds, nbf: seconds - 10, exp: seconds + 300 };
const token = (body = {}, head = {}) =>
  compact({ ...header, ...head }, { ...current, ...body }, rs256);
const verify = (text, ...args) =>
  run(['--jwks', main, '--token-file', '-', '--issuer', issuer, ...args], text);

test('says ok, whose and until when', () => {
  const answer = verify(token());
  assert.equal(answer.code, 0, answer.err);
  assert.match(answer.out, /^ok: session sess_2abc of user_2def, until 20/);
  assert.equal(answer.out.trimEnd().split('\n').length, 1);
});

test('says the stable name of the reason first, and exits 1', () => {
  for (const [text, reason, ...args] of [
    ['', 'missing_token'],
    ['x', 'malformed'],
    ['x'.repeat(9000), 'too_large'],
    [token({}, { typ: 'at+jwt' }), 'bad_type'],
    [compact({ ...header, alg: 'none' }, current, () => ''), 'alg_not_allowed'],
    [token({}, { kid: 'ins_nobody' }), 'kid_unknown'],
    [token().slice(0, -6) + 'AAAAAA', /malformed|bad_signature/],
    [token({ sub: 'mch_1' }), 'bad_subject'],
    [token({ iss: 'https://evil' }), 'bad_issuer'],
    [token({ azp: 'https://evil' }), 'bad_azp', '--authorized-party', 'https://app.example.com'],
    [token(), 'bad_audience', '--audience', 'api'],
    [token({ exp: seconds - 60 }), 'expired'],
    [token({ nbf: seconds + 600 }), 'not_yet_valid'],
    [token({ iat: seconds + 200 }), 'issued_in_future'],
    [token({ exp: seconds + 7200 }), 'lifetime_too_long'],
    [token(), 'lifetime_too_long', '--max-lifetime', '60'],
    [token({ sts: 'pending' }), 'session_pending'],
    [token(), 'bad_issuer', '--issuer', ''],
  ]) {
    // The last of an option that is given twice counts, but for those that gather values.
    const options = args[0] === '--issuer' ? args : ['--issuer', issuer, ...args];
    const answer = run(['--jwks', main, '--token-file', '-', ...options], text);
    const first = answer.out.split(':')[0];
    if (reason instanceof RegExp) assert.match(first, reason);
    else assert.equal(first, reason);
    assert.equal(answer.code, 1, reason);
    assert.equal(answer.err, '');
  }
});

test('in JSON it says the same, and what Clerk calls it', () => {
  const good = JSON.parse(verify(token(), '--json').out);
  assert.deepEqual(
    [good.accepted, good.reason, good.subject, good.session, good.issuer],
    [true, 'ok', 'user_2def', 'sess_2abc', issuer],
  );
  const bad = verify(token({ exp: seconds - 60 }), '--json');
  assert.equal(bad.code, 1);
  assert.deepEqual(JSON.parse(bad.out), {
    accepted: false,
    reason: 'expired',
    detail: 'exp is past',
    clerk_reason: 'token-expired',
  });
});

test('one final newline is nothing, two are one too many', () => {
  assert.equal(verify(`${token()}\n`).code, 0);
  assert.equal(verify(`${token()}\r\n`).code, 0);
  assert.match(verify(`${token()}\n\n`).out, /^malformed:/);
  assert.match(verify(` ${token()}`).out, /^malformed:/);
  assert.match(verify('\n').out, /^missing_token:/);
});

test('--now is the time; parties, audiences and algorithms may be several', () => {
  const old = compact(header, claims, rs256);
  assert.match(verify(old).out, /^(not_yet_valid|expired):/);
  assert.equal(verify(old, '--now', String(now)).code, 0);
  const two = ['--authorized-party', 'https://x', '--authorized-party', 'https://app.example.com'];
  assert.equal(verify(token(), ...two).code, 0);
  const audiences = ['--audience', 'a', '--audience', 'b'];
  assert.equal(verify(token({ aud: ['b'] }), ...audiences).code, 0);
  const point = compact({ ...header, alg: 'ES256', kid: 'ins_point' }, current, (input) =>
    sign('ES256', 'point', input),
  );
  assert.match(verify(point).out, /^alg_not_allowed:/);
  assert.equal(verify(point, '--alg', 'RS256', '--alg', 'ES256').code, 0);
  assert.match(verify(token(), '--alg', 'ES256').out, /^alg_not_allowed:/);
});

test('--raw-payload looks at the signature alone', () => {
  const raw = (body, ...args) =>
    verify(compact({ alg: 'RS256', kid: 'ins_main' }, body, rs256), '--raw-payload', ...args);
  assert.equal(raw('no JSON at all').code, 0);
  assert.equal(raw('').code, 0);
  assert.equal(raw('{"exp":1}').code, 0);
  const forged = compact({ alg: 'RS256', kid: 'ins_other' }, 'x', rs256);
  assert.match(verify(forged, '--raw-payload').out, /^bad_signature:/);
  const published = new URL('../data/jose/published.json', import.meta.url);
  for (const vector of JSON.parse(readFileSync(published)).tokens) {
    const keys = file(JSON.stringify({ keys: vector.keys }));
    const all = ['RS256', 'ES256', 'PS256'].flatMap((alg) => ['--alg', alg]);
    const args = ['--jwks', keys, '--token-file', '-', '--raw-payload', ...all];
    const answer = run(args, vector.token);
    assert.equal(answer.out.split(':')[0], vector.verdict, vector.name);
    assert.equal(answer.code, vector.verdict === 'ok' ? 0 : 1);
  }
});

test('a key set that cannot be trusted is named, a public key in PEM taken', () => {
  const by = (name) => run(['--jwks', file(keySets[name]), '--token-file', file(token())]);
  assert.match(by('one kid twice').out, /^jwks_unavailable: two keys of the set have the same kid/);
  assert.match(by('private').out, /^jwks_unavailable: .*private key/);
  assert.equal(by('pem').code, 0);
  assert.match(by('pem of PKCS#1').out, /^jwks_unavailable:/);
});

test('wrong usage exits 2 and accepts nothing', () => {
  const keys = ['--jwks', main];
  const given = ['--token-file', file(token())];
  for (const args of [
    [],
    keys,
    given,
    ['--jwks', path.join(folder, 'nothing'), ...given],
    [...keys, '--token-file', path.join(folder, 'nothing')],
    [...keys, ...given, '--alg', 'none'],
    [...keys, ...given, '--alg', 'HS256'],
    [...keys, ...given, '--now', 'soon'],
    [...keys, ...given, '--now', '-1'],
    [...keys, ...given, '--max-lifetime', '0'],
    [...keys, ...given, '--secret', 'x'],
  ]) {
    const answer = run(args);
    assert.equal(answer.code, 2, args.join(' '));
    assert.equal(answer.out, '');
  }
});

// By Clerk's SDK: nothing if it takes the token, or its reason.
async function byClerk(text, options) {
  const { nowSeconds, ...rest } = options;
  const real = Date.now;
  Date.now = () => nowSeconds * 1000;
  try {
    await verifyToken(text, { jwtKey: pem('main'), clockSkewInMs: 5000, ...rest });
    return '';
  } catch (error) {
    return error.reason ?? String(error);
  } finally {
    Date.now = real;
  }
}

test('what is accepted here, Clerk\'s own verifier accepts', async () => {
  let accepted = 0;
  for (const name of ['form', 'attacks', 'playbook', 'claims']) {
    const all = JSON.parse(readFileSync(new URL(`../data/tokens/${name}.json`, import.meta.url)));
    for (const item of all.tokens) {
      if (item.expect !== 'ok') continue;
      const head = JSON.parse(Buffer.from(item.token.split('.')[0], 'base64url'));
      // Its jwtKey is one RSA key, and ES256 and PS256 are not among what it knows.
      if (head.kid !== 'ins_main' || head.alg !== 'RS256') continue;
      const reason = await byClerk(item.token, {
        nowSeconds: item.now ?? all.now,
        ...(item.issuer === null ? {} : { issuer }),
        authorizedParties: item.authorized_parties,
        audience: item.audiences,
      });
      assert.equal(reason, '', `${name}: ${item.name}`);
      accepted += 1;
    }
  }
  assert.ok(accepted >= 60, `${accepted} tokens`);
});

test('the organization is the one that Clerk\'s SDK sees', async () => {
  const all = JSON.parse(readFileSync(new URL('../data/tokens/claims.json', import.meta.url)));
  const clerk = createClerkClient({
    secretKey: 'sk_test_x',
    publishableKey: `pk_test_${Buffer.from('clerk.example.com$').toString('base64')}`,
    telemetry: { disabled: true },
  });
  let seen = 0;
  for (const item of all.tokens) {
    if (!item.says || !('organization' in item.says)) continue;
    const real = Date.now;
    Date.now = () => all.now * 1000;
    let auth;
    try {
      const request = new Request('https://app.example.com/', {
        headers: { Authorization: `Bearer ${item.token}` },
      });
      auth = (await clerk.authenticateRequest(request, { jwtKey: pem('main') })).toAuth();
    } finally {
      Date.now = real;
    }
    const theirs = auth.orgId
      ? {
          id: auth.orgId,
          slug: auth.orgSlug ?? '',
          role: auth.orgRole ?? '',
          permissions: auth.orgPermissions ?? [],
        }
      : null;
    assert.deepEqual(item.says.organization, theirs, item.name);
    const ours = JSON.parse(verify(item.token, '--json', '--now', String(all.now)).out);
    assert.deepEqual(ours.organization ?? null, theirs, item.name);
    seen += 1;
  }
  assert.ok(seen >= 9, `${seen} tokens`);
});
