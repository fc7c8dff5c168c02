// What attackers send: the playbook of jwt_tool, the eight JWT labs of the Web Security Academy, and
// the defects of other verifiers (CVE-2022-21449, CVE-2024-54150, CVE-2026-44699 and their kind).
import { claims, header, keySets, token } from './base.mjs';
import { b64, compact, der, jwks, pem, published, sign } from './signer.mjs';

const rs256 = (input) => sign('RS256', 'main', input);
const good = compact(header, claims, rs256);
const [head, body, signature] = good.split('.');
const cases = [];
const add = (name, expect, how) => cases.push(token(name, expect, how));
const as = (name, expect, written) => add(name, expect, { token: written });
const evil = { sub: 'user_evil' };

// The signature is looked at, and belongs to what was signed.
as('unverified signature: claims changed', 'bad_signature', `${head}.${b64(JSON.stringify({ ...claims, ...evil }))}.${signature}`);
as('header changed', 'bad_signature', `${b64(JSON.stringify({ ...header, x: 1 }))}.${body}.${signature}`);
as('header and payload changed places', 'malformed', `${body}.${head}.${signature}`);
const first = signature.startsWith('A') ? 'B' : 'A';
as('first character of the signature changed', 'bad_signature', `${head}.${body}.${first}${signature.slice(1)}`);
as('signature of another token', 'bad_signature', `${head}.${body}.${compact(header, { ...claims, jti: 'z' }, rs256).split('.')[2]}`);
const bytes = Buffer.from(signature, 'base64url');
const signed = (name, raw) => as(name, 'bad_signature', `${head}.${body}.${b64(raw)}`);
signed('signature cut off', bytes.subarray(0, 255));
signed('a zero byte behind the signature', Buffer.concat([bytes, Buffer.alloc(1)]));
signed('a zero byte before the signature', Buffer.concat([Buffer.alloc(1), bytes]));
signed('signature of zeros', Buffer.alloc(256));
signed('signature of one', Buffer.concat([Buffer.alloc(255), Buffer.from([1])]));
signed('signature of ones', Buffer.alloc(256, 0xff));
signed('the modulus as signature', Buffer.from(jwks.main.n, 'base64url'));
signed('signature twice', Buffer.concat([bytes, bytes]));
signed('signature of one byte', Buffer.from([0]));
signed('the signature of the payload alone', sign('RS256', 'main', body));
add('signed by another key of the set', 'bad_signature', { with: 'other' });
add('signed by a key of nobody', 'bad_signature', { with: 'weak' });
add('exponent 3, signed well', 'ok', { head: { kid: 'ins_three' }, with: 'three' });

// Bleichenbacher's forgery for e = 3: a cube whose top bytes look like PKCS#1 v1.5.
function cube() {
  const prefix = Buffer.from(`0001ffffffffffffffff003031300d060960864801650304020105000420`, 'hex');
  const target = BigInt(`0x${Buffer.concat([prefix, Buffer.alloc(32, 7), Buffer.alloc(256 - prefix.length - 32)]).toString('hex')}`);
  let [low, high] = [0n, 1n << 700n];
  while (low < high) {
    const middle = (low + high) >> 1n;
    if (middle ** 3n < target) low = middle + 1n;
    else high = middle;
  }
  return Buffer.from(low.toString(16).padStart(512, '0'), 'hex');
}
add('exponent 3, a cube root', 'bad_signature', { head: { kid: 'ins_three' }, signer: cube });

// alg is not the token's to choose.
for (const alg of ['none', 'None', 'NONE', 'nOnE', 'n one', 'none\0', 'null', '']) {
  const empty = () => '';
  add(`alg ${JSON.stringify(alg)}, no signature`, 'alg_not_allowed', { head: { alg }, body: evil, signer: empty });
  add(`alg ${JSON.stringify(alg)}, the signature kept`, 'alg_not_allowed', { head: { alg }, signer: rs256 });
}
const secrets = {
  'the PEM of the public key': pem('main'),
  'the PEM without its last line end': pem('main').trimEnd(),
  'the PEM of PKCS#1': pem('main', 'pkcs1'),
  'the key set': keySets.main,
  'the JWK': JSON.stringify(published('main', 'ins_main')),
  'the modulus': Buffer.from(jwks.main.n, 'base64url'),
  'nothing': '',
  'a zero byte': '\0',
};
for (const [name, secret] of Object.entries(secrets)) {
  add(`HS256 with ${name}`, 'alg_not_allowed', { head: { alg: 'HS256' }, body: evil, with: secret });
}
for (const secret of ['secret', 'password', '123456', 'your-256-bit-secret', 'changeme', 'supersecret', 'key', 'test', 'clerk', 'ins_main']) {
  add(`HS256 with the weak secret ${secret}`, 'alg_not_allowed', { head: { alg: 'HS256' }, with: secret });
}
for (const alg of ['HS384', 'HS512']) {
  add(`${alg} with the PEM of the public key`, 'alg_not_allowed', { head: { alg }, with: pem('main') });
}
for (const alg of ['RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
  add(`${alg}, signed well, not allowed`, 'alg_not_allowed', { head: { alg } });
}
for (const alg of ['rs256', 'Rs256', 'RS256 ', ' RS256', 'RS256\n', 'RS-256', 'RSA', 'RS1', 'EdDSA', 'ES256K', 'RSA-OAEP', 'dir', 'A128KW']) {
  add(`alg ${JSON.stringify(alg)}`, 'alg_not_allowed', { head: { alg }, signed_as: 'RS256' });
}
add('a signature of PS256 called RS256', 'bad_signature', { signed_as: 'PS256' });
add('a signature of RS512 called RS256', 'bad_signature', { signed_as: 'RS512' });
const ps = { options: { algorithms: ['PS256'] } };
add('PS256, allowed, by a key that says no alg', 'ok', { head: { alg: 'PS256', kid: 'ins_three' }, with: 'three', ...ps });
add('PS256, allowed, by a key for RS256 only', 'alg_not_allowed', { head: { alg: 'PS256' }, ...ps });
add('PS256, allowed, RS256 is not', 'alg_not_allowed', ps);
add('a signature of RS256 called PS256', 'bad_signature', { head: { alg: 'PS256', kid: 'ins_three' }, with: 'three', signed_as: 'RS256', ...ps });
add('no algorithm is allowed', 'alg_not_allowed', { options: { algorithms: [] } });

// ES256: r and s, 32 bytes each, within the order of the group.
const es = { head: { alg: 'ES256', kid: 'ins_point' }, options: { algorithms: ['ES256', 'RS256'] } };
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const number = (value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const es256 = (input) => sign('ES256', 'point', input);
const halves = (input) => [es256(input).subarray(0, 32), es256(input).subarray(32)];
add('ES256, allowed', 'ok', { ...es, with: 'point' });
add('ES256, not allowed', 'alg_not_allowed', { head: es.head, with: 'point' });
add('ES256 by an RSA key', 'alg_not_allowed', { ...es, head: { alg: 'ES256' }, signer: es256 });
add('RS256 by a key of P-256', 'alg_not_allowed', { ...es, head: { alg: 'RS256', kid: 'ins_point' } });
add('ES384 of another curve', 'alg_not_allowed', { ...es, head: { alg: 'ES384', kid: 'ins_point' }, with: 'wide' });
add('ES256 in DER', 'bad_signature', { ...es, signer: (input) => der('point', input) });
add('ES256 of zeros (CVE-2022-21449)', 'bad_signature', { ...es, signer: () => Buffer.alloc(64) });
add('ES256, r zero', 'bad_signature', { ...es, signer: (input) => Buffer.concat([Buffer.alloc(32), halves(input)[1]]) });
add('ES256, s zero', 'bad_signature', { ...es, signer: (input) => Buffer.concat([halves(input)[0], Buffer.alloc(32)]) });
add('ES256, r and s the order', 'bad_signature', { ...es, signer: () => Buffer.concat([number(order), number(order)]) });
add('ES256, r and s one', 'bad_signature', { ...es, signer: () => Buffer.concat([number(1n), number(1n)]) });
add('ES256 of ones', 'bad_signature', { ...es, signer: () => Buffer.alloc(64, 0xff) });
add('ES256 of 63 bytes', 'bad_signature', { ...es, signer: (input) => es256(input).subarray(1) });
add('ES256 of 65 bytes', 'bad_signature', { ...es, signer: (input) => Buffer.concat([Buffer.alloc(1), es256(input)]) });
add('ES256, a zero byte between r and s', 'bad_signature', { ...es, signer: (input) => { const [r, s] = halves(input); return Buffer.concat([r, Buffer.alloc(1), s]); } });
add('ES256, r and s of 48 bytes', 'bad_signature', { ...es, signer: (input) => Buffer.concat(halves(input).map((half) => Buffer.concat([Buffer.alloc(16), half]))) });
add('ES256, r and s changed places', 'bad_signature', { ...es, signer: (input) => Buffer.concat(halves(input).reverse()) });
add('ES256, no signature', 'bad_signature', { ...es, signer: () => '' });
// RFC 7518 has no rule of the lower half: s and the order less s are both signatures.
add('ES256, s in the other half', 'ok', {
  ...es,
  signer: (input) => {
    const whole = es256(input);
    const s = BigInt(`0x${whole.subarray(32).toString('hex')}`);
    return Buffer.concat([whole.subarray(0, 32), number(order - s)]);
  },
});

// A token brings no key of its own.
const own = { ...published('other', 'ins_mine') };
const link = 'http://127.0.0.1:9/jwks.json';
for (const [name, extra] of [
  ['jwk', { jwk: own }],
  ['jwk of the same kid', { jwk: { ...own, kid: 'ins_main' } }],
  ['jku', { jku: link }],
  ['x5u', { x5u: link }],
  ['x5c', { x5c: [pem('other').split('\n').slice(1, -2).join('')] }],
  ['x5t and x5t#S256', { 'x5t#S256': 'AA', x5t: 'AA' }],
  ['jwks', { jwks: { keys: [own] } }],
]) {
  add(`a key of its own by ${name}`, 'bad_signature', { head: extra, body: evil, with: 'other' });
  add(`${name} beside a good signature is not read`, 'ok', { head: extra });
}
add('a key of its own by jwk, kid to match', 'kid_unknown', { head: { jwk: own, kid: 'ins_mine' }, with: 'other' });
add('jku in place of kid', 'kid_unknown', { head: { jku: link, kid: undefined }, with: 'other' });

// kid is a name, not a path, a query or a command.
for (const kid of [
  '', ' ', 'ins_Main', 'ins_main ', 'ins_main\0', 'ins_mai', 'ins_main2', '*', '../../../../../dev/null', '/dev/null',
  'file:///dev/null', '/proc/sys/kernel/randomize_va_space', 'http://127.0.0.1:9/x',
  "x' UNION SELECT 'secret';--", "' or 1=1 --", '; sleep 15 ;', '| curl http://127.0.0.1:9', '$(id)', '%00', '{{7*7}}',
  '\u0131ns_main', 'k'.repeat(300),
]) {
  add(`kid ${JSON.stringify(kid.slice(0, 40))}`, 'kid_unknown', { head: { kid } });
  if (kid.includes('/dev/null')) {
    add(`kid ${kid}, HS256 of nothing`, 'alg_not_allowed', { head: { alg: 'HS256', kid }, with: '' });
  }
}
add('kid absent', 'kid_unknown', { head: { kid: undefined } });
add('kid of another key', 'bad_signature', { head: { kid: 'ins_other' } });

export const attacks = cases;
