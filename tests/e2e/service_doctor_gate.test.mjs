// What `rollcall doctor` says of the gate: nothing where it answers nobody, else of its policy, of
// whose tokens count, and of the keys that they are verified with.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Publisher, issuer, keySet, mainKey, party } from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { WEBHOOK_SECRET, freePort, freshDatabase } from './service.mjs';
import { SECRET_KEY, Simulator, binary } from './simulator.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-doctor-gate-'));
const policy = path.join(folder, 'policy.toml');
let postgres, publisher, env;
before(async () => {
  writeFileSync(policy, 'version = 1\n[[rule]]\nid = "a"\npath = "/a"\naccess = "public"\n');
  postgres = await Postgres.start();
  publisher = await Publisher.start();
  env = {
    PATH: process.env.PATH,
    DATABASE_URL: postgres.url(await freshDatabase(postgres)),
    CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    CLERK_AUTHORIZED_PARTIES: party,
    ROLLCALL_MODE: 'webhook',
    ROLLCALL_GATE_POLICY: policy,
    ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
    ROLLCALL_GATE_JWKS_URL: publisher.url,
    ROLLCALL_GATE_ISSUER: issuer,
  };
});
after(async () => {
  await publisher?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});

// Not spawnSync: the publisher is of this process.
const run = (args, change) =>
  new Promise((resolve) => {
    const options = { env: { ...env, ...change }, timeout: 60_000 };
    execFile(binary(), args, options, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });

// The findings about the gate by name, and the exit code.
async function doctor(change = {}) {
  const { code, stdout, stderr } = await run(['doctor', '--json'], change);
  assert.ok(stdout, stderr);
  const findings = {};
  for (const { check, verdict, message, advice } of JSON.parse(stdout).checks) {
    if (!check.startsWith('gate_')) continue;
    if (verdict !== 'ok') assert.ok(advice, `${check}: no advice`);
    findings[check] = `${verdict}: ${message}`;
  }
  return { code, findings };
}

test('a gate that is well', async () => {
  assert.deepEqual(await doctor(), {
    code: 0,
    findings: {
      gate_policy: `ok: 1 rules in ${policy}, by default protected`,
      gate_parties: 'ok: tokens of 1 origins count',
      gate_issuer: `ok: tokens of ${issuer} count`,
      gate_keys: `ok: ${publisher.url} has 1 keys`,
    },
  });
  const bare = await doctor({ ROLLCALL_GATE_POLICY: '' });
  assert.equal(
    bare.findings.gate_policy,
    'ok: no gate.policy: every request needs a session token',
  );
});

test('one that answers nobody', async () => {
  const asked = publisher.asked;
  assert.deepEqual(await doctor({ ROLLCALL_GATE_TRUSTED_PROXIES: '' }), { code: 0, findings: {} });
  assert.deepEqual(await doctor({ ROLLCALL_SERVE_ROLES: 'ingest worker' }), {
    code: 0,
    findings: {},
  });
  assert.equal(publisher.asked, asked);
  const itself = await doctor({
    ROLLCALL_GATE_TRUSTED_PROXIES: '',
    ROLLCALL_GATE_LISTEN: '127.0.0.1:8081',
    ROLLCALL_GATE_UPSTREAM: 'http://127.0.0.1:3000',
  });
  assert.equal(itself.findings.gate_keys, `ok: ${publisher.url} has 1 keys`);
});

test('a policy that is refused, in a gate that answers nobody too', async () => {
  const bad = path.join(folder, 'bad.toml');
  writeFileSync(bad, 'version = 1\ndefault = "public"\n');
  for (const proxies of ['127.0.0.1', '']) {
    const { code, findings } = await doctor({
      ROLLCALL_GATE_POLICY: bad,
      ROLLCALL_GATE_TRUSTED_PROXIES: proxies,
    });
    assert.equal(code, 78);
    assert.match(findings.gate_policy, /^fail: .*bad\.toml:2/);
  }
});

test('tokens of anybody, of nobody, and nothing to verify them with', async () => {
  const live = { CLERK_PUBLISHABLE_KEY: 'pk_live_Y2xlcmsuZXhhbXBsZS5jb20k' };
  const anybody = await doctor({ CLERK_AUTHORIZED_PARTIES: '', ...live });
  assert.match(anybody.findings.gate_parties, /^warn: a token that another site got/);
  assert.equal((await doctor({ CLERK_AUTHORIZED_PARTIES: '' })).findings.gate_parties, undefined);
  const nobody = await doctor({ ROLLCALL_GATE_ISSUER: '' });
  assert.match(nobody.findings.gate_issuer, /^warn: no issuer is known/);
  const keyless = await doctor({ ROLLCALL_GATE_JWKS_URL: '' });
  assert.match(keyless.findings.gate_keys, /^warn: there is nothing to verify/);
  for (const { code } of [anybody, nobody, keyless]) assert.equal(code, 0);
});

test('keys that cannot be had, or cannot be used', async () => {
  try {
    publisher.status = 404;
    const missing = await doctor();
    assert.deepEqual(
      [missing.code, missing.findings.gate_keys],
      [1, `fail: ${publisher.url} answers 404`],
    );
    publisher.status = 200;
    publisher.body = keySet(mainKey, { kty: 'oct', kid: 'x', k: 'c2VjcmV0' });
    const secret = await doctor();
    assert.equal(secret.code, 1);
    assert.match(secret.findings.gate_keys, /^fail: the key set of .* is refused: /);
    assert.ok(!secret.findings.gate_keys.includes('c2VjcmV0'));
  } finally {
    publisher.status = 200;
    publisher.body = keySet(mainKey);
  }
  const nowhere = `http://127.0.0.1:${await freePort()}/jwks.json`;
  const away = await doctor({ ROLLCALL_GATE_JWKS_URL: nowhere });
  assert.equal(away.code, 1);
  assert.match(away.findings.gate_keys, /^fail: /);
});

test('a publishable key and a secret key of two instances', async () => {
  const pk = (kind, host) => `pk_${kind}_${Buffer.from(`${host}$`).toString('base64')}`;
  const secret = `sk_test_${'a'.repeat(40)}`;
  const two = await doctor({
    CLERK_SECRET_KEY: secret,
    CLERK_PUBLISHABLE_KEY: pk('live', 'clerk.example.com'),
  });
  assert.equal(two.code, 1);
  assert.equal(
    two.findings.gate_instance,
    'fail: CLERK_PUBLISHABLE_KEY begins with pk_live_, CLERK_SECRET_KEY with sk_test_',
  );
  // Of one kind: their key sets are compared, where both can be had.
  const sim = await Simulator.start('--users', '1');
  try {
    const unknown = await doctor({
      CLERK_API_URL: sim.url,
      CLERK_SECRET_KEY: SECRET_KEY,
      CLERK_PUBLISHABLE_KEY: pk('test', 'nobody.invalid'),
      ROLLCALL_GATE_JWKS_URL: '',
      ROLLCALL_GATE_ISSUER: '',
    });
    assert.match(
      unknown.findings.gate_instance,
      /^warn: https:\/\/nobody\.invalid\/\S+ does not say whether/,
    );
    assert.match(unknown.findings.gate_keys, /^ok: /);
  } finally {
    await sim.stop();
  }
});
