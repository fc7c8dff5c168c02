// Holds `rollcall verify token` against C2SP's Wycheproof, whose vectors are not kept here:
//
//   node tests/data/jose/wycheproof.mjs build/dev/rollcall FILE…
//
// for json_web_signature_test.json, json_web_crypto_test.json and json_web_key_test.json of its
// testvectors_v1/. Exits 1 when a token that is invalid is taken, or one that is valid and of an
// algorithm that is served is refused. Tokens of JWE are left out.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const SERVED = ['RS256', 'ES256', 'PS256'];
const [binary, ...files] = process.argv.slice(2);
const folder = mkdtempSync(path.join(os.tmpdir(), 'wycheproof-'));
const keysFile = path.join(folder, 'keys.json');

function verdict(keys, token) {
  writeFileSync(keysFile, JSON.stringify({ keys }));
  const allowed = SERVED.flatMap((alg) => ['--alg', alg]);
  const args = ['--jwks', keysFile, '--token-file', '-', '--raw-payload', ...allowed];
  const ended = spawnSync(binary, ['verify', 'token', ...args], { input: token, encoding: 'utf8' });
  if (ended.status !== 0 && ended.status !== 1) throw new Error(`exit ${ended.status}: ${ended.stderr}`);
  return ended.stdout.split(':')[0];
}

// What the token and its keys say they are; a vector of another algorithm is no one's here.
function isServed(keys, token) {
  const [head] = token.split('.');
  const { alg } = JSON.parse(Buffer.from(head, 'base64url'));
  return SERVED.includes(alg) && keys.every((key) => (key.alg ?? alg) === alg);
}

const count = { invalid: 0, taken: 0, valid: 0, refused: 0, unserved: 0 };
try {
  for (const file of files) {
    for (const { public: published, private: secret, tests } of JSON.parse(readFileSync(file)).testGroups) {
      const given = published ?? secret;
      const keys = given?.keys ?? [given];
      for (const { tcId, jws, result, comment } of tests.filter((test) => 'jws' in test)) {
        const token = typeof jws === 'string' ? jws : JSON.stringify(jws);
        const isTaken = verdict(keys, token) === 'ok';
        const wrong = isTaken !== (result === 'valid');
        if (result !== 'valid') {
          count.invalid += 1;
          count.taken += isTaken ? 1 : 0;
        } else if (isTaken || isServed(keys, token)) {
          count.valid += 1;
          count.refused += isTaken ? 0 : 1;
        } else {
          count.unserved += 1;
          continue;
        }
        if (wrong) console.log(`${path.basename(file)} ${tcId} (${comment}): ${result}, but not here`);
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${count.invalid} invalid, ${count.taken} of them taken`);
console.log(`${count.valid} valid, ${count.refused} of them refused`);
console.log(`${count.unserved} valid of an algorithm or key that is not served: refused`);
process.exitCode = count.taken + count.refused > 0 || count.valid === 0 ? 1 : 0;
