// Signs tokens with Node's own crypto, so that no mistake of the verifier hides behind a signer of
// its own kind. Keys are made once and kept in keys.json; they sign nothing but these tests.
import crypto from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const file = new URL('keys.json', import.meta.url);
export const b64 = (bytes) => Buffer.from(bytes).toString('base64url');

function made() {
  const rsa = (modulusLength, publicExponent = 65537) =>
    crypto.generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey;
  const ec = (namedCurve) => crypto.generateKeyPairSync('ec', { namedCurve }).privateKey;
  const jwk = (key) => key.export({ format: 'jwk' });
  return {
    main: jwk(rsa(2048)),
    other: jwk(rsa(2048)),
    weak: jwk(rsa(1024)),
    three: jwk(rsa(2048, 3)),
    point: jwk(ec('P-256')),
    wide: jwk(ec('P-384')),
    short: jwk(rsa(2047)),
  };
}

if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(made(), null, 1)}\n`);
export const jwks = JSON.parse(readFileSync(file));
const privateKey = (name) => crypto.createPrivateKey({ key: jwks[name], format: 'jwk' });
const publicKey = (name) => crypto.createPublicKey(privateKey(name));

// The public half, as a member of a set.
export function published(name, kid, extra = {}) {
  const { kty, n, e, crv, x, y } = jwks[name];
  const key = { kty, n, e, crv, x, y, kid, use: 'sig', ...extra };
  return Object.fromEntries(Object.entries(key).filter(([, value]) => value !== undefined));
}

export const pem = (name, type = 'spki') => publicKey(name).export({ type, format: 'pem' });

// The signature that `alg` is with the key of that name, or with an HMAC's secret.
export function sign(alg, key, input) {
  const bytes = Buffer.from(input);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return crypto.createHmac(hash, key).update(bytes).digest();
  if (alg.startsWith('PS')) return signPss(key, bytes, crypto.constants.RSA_PSS_SALTLEN_DIGEST, hash);
  if (alg.startsWith('ES')) {
    return crypto.sign(hash, bytes, { key: privateKey(key), dsaEncoding: 'ieee-p1363' });
  }
  return crypto.sign(hash, bytes, privateKey(key));
}

export function signPss(key, input, saltLength, hash = 'sha256') {
  const padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
  return crypto.sign(hash, Buffer.from(input), { key: privateKey(key), padding, saltLength });
}

export const der = (key, input) => crypto.sign('sha256', Buffer.from(input), privateKey(key));

// A compact token. `header` and `payload` are objects, or the exact bytes.
export function compact(header, payload, signer) {
  const text = (part) =>
    typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part);
  const input = `${b64(text(header))}.${b64(text(payload))}`;
  return `${input}.${b64(signer(input))}`;
}
