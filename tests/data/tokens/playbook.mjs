// The rest of jwt_tool's playbook, beside attacks.mjs: the secrets that everybody uses, the public
// key as a secret in each spelling of it, also when it was computed from two tokens, and names of
// keys against a pinned one. And the edges of what is taken.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';

import { claims, header, token } from './base.mjs';
import { compact, pem, sign, signPss } from './signer.mjs';

const cases = [];
const add = (name, expect, how) => cases.push(token(name, expect, how));
const evil = { sub: 'user_evil' };
const pinned = { options: { keys: 'pem' } };
const spelled = JSON.stringify;

// One secret a line, gathered for this project: passwords, what documentation shows, who is who.
const secrets = readFileSync(new URL('common_secrets.txt', import.meta.url), 'utf8');
for (const secret of secrets.trimEnd().split('\n')) {
  add(`HS256, common secret ${spelled(secret)}`, 'alg_not_allowed', {
    head: { alg: 'HS256' },
    body: evil,
    with: secret,
  });
}

// The public key, as a verifier may hold it that makes an HMAC's key of whatever it has.
function spellings(key) {
  const as = (type, format) => key.export({ type, format });
  const spki = as('spki', 'pem');
  const body = spki.split('\n').slice(1, -2);
  return {
    'PEM of SPKI': spki,
    'PEM of SPKI without its last line end': spki.trimEnd(),
    'PEM of SPKI with two line ends': `${spki}\n`,
    'PEM of SPKI, lines of CR LF': spki.replaceAll('\n', '\r\n'),
    'PEM of SPKI, line ends as \\n': spki.replaceAll('\n', '\\n'),
    'PEM of SPKI, all in one line': spki.replaceAll('\n', ''),
    'body of the PEM': body.join('\n'),
    'body of the PEM in one line': body.join(''),
    'DER of SPKI': as('spki', 'der'),
    'PEM of PKCS#1': as('pkcs1', 'pem'),
    'PEM of PKCS#1 without its last line end': as('pkcs1', 'pem').trimEnd(),
    'DER of PKCS#1': as('pkcs1', 'der'),
  };
}
const confusion = (whose, key, how) => {
  for (const [name, secret] of Object.entries(spellings(key))) {
    add(`HS256 with the ${whose} key, ${name}`, 'alg_not_allowed', {
      ...how,
      head: { ...how.head, alg: 'HS256' },
      body: evil,
      with: secret,
    });
  }
};
const main = crypto.createPublicKey(pem('main'));
confusion('published', main, {});
confusion('pinned', main, pinned);

// Without an exposed key: n divides s^e less what was signed, for every token.
function recovered(jws) {
  const prefix = Buffer.from('3031300d060960864801650304020105000420', 'hex');
  const multiple = ([head, body, signature]) => {
    const digest = crypto.createHash('sha256').update(`${head}.${body}`).digest();
    const fill = Buffer.alloc(256 - 3 - prefix.length - digest.length, 0xff);
    const signed = Buffer.concat([Buffer.from([0, 1]), fill, Buffer.from([0]), prefix, digest]);
    const number = (bytes) => BigInt(`0x${bytes.toString('hex')}`);
    return number(Buffer.from(signature, 'base64url')) ** 3n - number(signed);
  };
  let [a, b] = jws.map((text) => multiple(text.split('.')));
  while (b !== 0n) [a, b] = [b, a % b];
  let n = a < 0n ? -a : a;
  for (let small = 2n; n.toString(16).length > 512; small += 1n) {
    while (n % small === 0n) n /= small;
  }
  const modulus = Buffer.from(n.toString(16), 'hex').toString('base64url');
  return crypto.createPublicKey({ key: { kty: 'RSA', n: modulus, e: 'Aw' }, format: 'jwk' });
}
const three = { head: { kid: 'ins_three' } };
const seen = ['a', 'b'].map((jti) =>
  compact({ ...header, ...three.head }, { ...claims, jti }, (input) => sign('RS256', 'three', input)),
);
const found = recovered(seen);
if (!found.equals(crypto.createPublicKey(pem('three')))) throw new Error('another key');
confusion('recovered', found, three);

// A key that names no algorithm is no empty secret (CVE-2026-44699 of libjwt).
for (const alg of ['HS256', 'HS384', 'HS512']) {
  for (const [name, secret] of [['nothing', ''], ['a zero byte', '\0']]) {
    const how = { head: { alg, kid: 'ins_other' }, body: evil, with: secret };
    add(`${alg} of ${name}, by a key that says no alg`, 'alg_not_allowed', how);
  }
}

// kid against a pinned key: a name that is not looked up, but there must be one.
for (const kid of ['', undefined]) {
  const name = kid === undefined ? 'absent' : 'blank';
  add(`pinned, kid ${name}`, 'kid_unknown', { ...pinned, head: { kid } });
  add(`pinned, kid ${name}, HS256 of nothing`, 'alg_not_allowed', {
    ...pinned,
    head: { alg: 'HS256', kid },
    with: '',
  });
}
for (const kid of [
  '../../../../../dev/null',
  '../../../../../../../../../path/that/is/not',
  '/dev/null',
  'file:///dev/null',
  '; sleep 5',
  '`sleep 5`',
  '|curl http://127.0.0.1:9/',
  "x' UNION SELECT 'known'; -- ",
]) {
  const secret = kid.includes('UNION') ? 'known' : '';
  add(`pinned, kid ${spelled(kid)}`, 'ok', { ...pinned, head: { kid } });
  add(`pinned, kid ${spelled(kid)}, another key`, 'bad_signature', {
    ...pinned,
    head: { kid },
    body: evil,
    with: 'other',
  });
  add(`pinned, kid ${spelled(kid)}, HS256`, 'alg_not_allowed', {
    ...pinned,
    head: { alg: 'HS256', kid },
    body: evil,
    with: secret,
  });
  add(`kid ${spelled(kid)}, HS256 of ${spelled(secret)}`, 'alg_not_allowed', {
    head: { alg: 'HS256', kid },
    body: evil,
    with: secret,
  });
}

// As large as it may be, to the byte, and one more.
const wide = (size) => {
  const made = (more, pad, signer) =>
    compact({ ...header, pad: 'a'.repeat(more) }, { ...claims, pad: 'a'.repeat(pad) }, signer);
  const unsigned = size - Math.ceil((256 * 4) / 3);
  for (let more = 0; more < 4; more += 1) {
    for (let pad = 5000; pad < 6000; pad += 1) {
      if (made(more, pad, () => '').length !== unsigned) continue;
      return made(more, pad, (input) => sign('RS256', 'main', input));
    }
  }
  throw new Error(`no token of ${size} bytes`);
};
add('of 8192 bytes', 'ok', { token: wide(8192) });
add('of one byte more', 'too_large', { token: wide(8193) });

// PSS with a salt of another length than the hash's is another algorithm (RFC 7518 section 3.5).
for (const salt of [0, 20, 31, 33, 222]) {
  add(`PS256, a salt of ${salt} bytes`, 'bad_signature', {
    head: { ...three.head, alg: 'PS256' },
    signer: (input) => signPss('three', input, salt),
    options: { algorithms: ['PS256'] },
  });
}

// r and s, each at and beyond the order of the group, beside a good other half.
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const es = { head: { alg: 'ES256', kid: 'ins_point' }, options: { algorithms: ['ES256'] } };
for (const [name, number] of [
  ['the order', order],
  ['one more than the order', order + 1n],
  ['all ones', (1n << 256n) - 1n],
]) {
  const half = Buffer.from(number.toString(16).padStart(64, '0'), 'hex');
  const halves = (input) => {
    const whole = sign('ES256', 'point', input);
    return [whole.subarray(0, 32), whole.subarray(32)];
  };
  add(`ES256, r ${name}`, 'bad_signature', {
    ...es,
    signer: (input) => Buffer.concat([half, halves(input)[1]]),
  });
  add(`ES256, s ${name}`, 'bad_signature', {
    ...es,
    signer: (input) => Buffer.concat([halves(input)[0], half]),
  });
}
export const playbook = cases;
