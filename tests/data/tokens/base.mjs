// What most tokens of this folder have in common.
import { compact, jwks, pem, published, sign } from './signer.mjs';

export const now = 1_800_000_000;
export const issuer = 'https://clerk.example.com';
export const header = { alg: 'RS256', cat: 'cl_B7d4PD111AAA', kid: 'ins_main', typ: 'JWT' };
export const claims = {
  azp: 'https://app.example.com',
  exp: now + 60,
  iat: now,
  iss: issuer,
  jti: '6d1f',
  nbf: now - 10,
  sid: 'sess_2abc',
  sts: 'active',
  sub: 'user_2def',
  v: 2,
};

const set = (...keys) => JSON.stringify({ keys });
const main = published('main', 'ins_main', { alg: 'RS256' });
const point = published('point', 'ins_point', { alg: 'ES256' });

// A number that is on no curve: y of another point.
const offCurve = { ...point, y: point.x };
const many = (count) =>
  set(...Array.from({ length: count }, (_, i) => ({ ...main, kid: `ins_${i || 'main'}` })));

// As text: some of them are no JSON, or not of one meaning.
export const keySets = {
  main: set(main, point, published('three', 'ins_three'), published('other', 'ins_other')),
  'unknown members': JSON.stringify({ keys: [{ ...main, x5t: 'AA', nbf: 1, x5u: 'https://x' }] }),
  'other types beside': set(
    { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', kid: 'o' },
    { kty: 'XYZ', kid: 'x' },
    { kid: 'none' },
    published('wide', 'ins_wide'),
    main,
  ),
  'no alg, no use': set({ kty: main.kty, n: main.n, e: main.e, kid: main.kid }),
  'key_ops verify': set({ ...main, key_ops: ['verify'] }),
  'a zero before n': set({
    ...main,
    n: Buffer.concat([Buffer.from([0]), Buffer.from(main.n, 'base64url')]).toString('base64url'),
  }),
  '32 keys': many(32),
  '33 keys': many(33),
  'use enc': set({ ...main, use: 'enc' }, point),
  'key_ops sign': set({ ...main, key_ops: ['sign'] }, point),
  'key_ops no list': set({ ...main, key_ops: 'verify' }, point),
  'alg RS512': set({ ...main, alg: 'RS512' }, point),
  'alg HS256': set({ ...main, alg: 'HS256' }, point),
  'alg ES256 of RSA': set({ ...main, alg: 'ES256' }, point),
  'alg PS256': set({ ...main, alg: 'PS256' }, point),
  'no kid': set({ ...main, kid: undefined }, point),
  'kid a number': set({ ...main, kid: 1 }, point),
  'e 1': set({ ...main, e: 'AQ' }, point),
  'e even': set({ ...main, e: 'AQAA' }, point),
  'n padded': set({ ...main, n: `${main.n}==` }, point),
  'n absent': set({ ...main, n: undefined }, point),
  weak: set(published('weak', 'ins_weak'), main),
  'weak alone': set(published('weak', 'ins_main')),
  'of 2047 bits': set(published('short', 'ins_short'), main),
  'of 2047 bits alone': set(published('short', 'ins_main')),
  'P-384': set(published('wide', 'ins_wide'), main),
  'crv of another': set({ ...published('wide', 'ins_wide'), crv: 'P-256' }, main),
  'off the curve': set({ ...offCurve }, main),
  'x short': set({ ...point, x: Buffer.from(point.x, 'base64url').subarray(1).toString('base64url') }, main),
  'one kid twice': set(main, { ...main }),
  'one kid of two types': set(main, { ...point, kid: 'ins_main' }),
  'kid twice among unusable': set(main, { kty: 'OKP', kid: 'a' }, { kty: 'OKP', kid: 'a' }),
  symmetric: set(main, { kty: 'oct', k: 'AAAA', kid: 'h' }),
  'k in an RSA key': set({ ...main, k: 'AAAA' }),
  private: set({ ...jwks.main, kid: 'ins_main' }),
  'd of another type': set(main, { kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'AA', kid: 'o' }),
  'oth alone': set({ ...main, oth: [] }),
  empty: set(),
  'no keys': '{}',
  'keys an object': '{"keys":{}}',
  'a key alone': JSON.stringify(main),
  'a list': JSON.stringify([main]),
  'a key that is no object': JSON.stringify({ keys: [main, 'x'] }),
  'keys twice': `{"keys":[],"keys":[${JSON.stringify(main)}]}`,
  'n twice': `{"keys":[${JSON.stringify(main).replace('{', '{"n":"AQAB",')}]}`,
  html: '<!doctype html><title>Sorry</title>',
  'no text': '',
  'cut off': set(main).slice(0, -3),
  pem: pem('main'),
  'pem of PKCS#1': pem('main', 'pkcs1'),
  'pem of another curve': pem('wide'),
};

// A token by the main key, unless said otherwise; and what is expected of it.
export function token(name, expect, { head = {}, body = {}, with: by = 'main', ...rest } = {}) {
  const clean = (object) =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
  const whole = clean({ ...header, ...head });
  const alg = rest.signed_as ?? whole.alg;
  const made =
    rest.token ??
    compact(
      rest.raw_head ?? whole,
      rest.raw_body ?? clean({ ...claims, ...body }),
      rest.signer ?? ((input) => sign(alg, by, input)),
    );
  const { options = {}, says } = rest;
  return { name, expect, ...options, ...(says ? { says } : {}), token: made };
}
