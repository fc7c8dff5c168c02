// The gate of the real binary beside a simulated Clerk, asked by a proxy and as the proxy itself: a
// new user's first requests, a table that nobody keeps in step, Clerk away, a new signing key.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Application, decide, said, through } from './gate_stand.mjs';
import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { freePort, userEvent } from './service.mjs';
import { WEBHOOK_SECRET, until } from './simulator.mjs';

const PARTY = 'https://app.example.com';
const POLICY = `version = 1
[[rule]]
id = "fresh"
path = "/fresh/**"
access = "protected"
max_staleness = "10m"
`;

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-gate-clerk-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, application;

before(async () => {
  writeFileSync(policyFile, POLICY);
  postgres = await Postgres.start();
  application = await Application.start();
});
after(async () => {
  await application?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});

// A service with a gate in both modes that has had its first pass over `users` people.
async function stand(users, env = {}) {
  const polled = await Polled.start(postgres, users);
  polled.full();
  const port = await freePort();
  polled.gate = (more = {}) =>
    polled.serve({
      ROLLCALL_MODE: 'hybrid',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      CLERK_PUBLISHABLE_KEY: polled.sim.environment.CLERK_PUBLISHABLE_KEY,
      CLERK_AUTHORIZED_PARTIES: PARTY,
      ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
      ROLLCALL_GATE_POLICY: policyFile,
      ...env,
      ...more,
    });
  const service = await polled.gate({
    ROLLCALL_GATE_LISTEN: `127.0.0.1:${port}`,
    ROLLCALL_GATE_UPSTREAM: application.url,
  });
  await until(() => service.log.includes('jwks_taken'), 'the keys');
  const mint = async (options) => {
    const lasting = { azp: PARTY, lifetime_seconds: 3600 };
    return (await polled.sim.control('POST', '/tokens', { ...lasting, ...options })).jwt;
  };
  const asked = async (wanted) =>
    (await polled.sim.control('GET', '/requests')).requests.filter((one) => one.path === wanted);
  return {
    polled,
    service,
    mint,
    asked,
    decided: (target, token) => decide(service, target, { token }),
    passed: (target, token) => through(port, target, token),
  };
}

test('fifty first requests at once are one question to Clerk, one row, and all pass', async () => {
  const { polled, mint, asked, decided, passed } = await stand(0, {
    ROLLCALL_SYNC_INTERVAL: '1h',
    ROLLCALL_SYNC_FULL_INTERVAL: '1h',
  });
  try {
    for (const [mode, ask] of Object.entries({ decided, passed })) {
      // Other work of the machine may make a caller wait too long; never may Clerk be asked twice.
      let answers = [];
      for (let turn = 0; turn < 3; turn += 1) {
        const { user } = await polled.change('POST', '/users', {
          email_address: [`${mode}${turn}@example.com`],
        });
        const token = await mint({ user_id: user.id });
        const before = application.seen.length;
        answers = await Promise.all(Array.from({ length: 50 }, () => ask('/x', token).then(said)));
        assert.equal((await asked(`/v1/users/${user.id}`)).length, 1, mode);
        const row = 'SELECT count(*)::int n FROM users WHERE clerk_id = $1';
        assert.equal((await polled.query(row, [user.id]))[0].n, 1);
        const passes = answers.filter((answer) => answer === '200 ok').length;
        const came = application.seen.slice(before);
        assert.equal(came.length, mode === 'passed' ? passes : 0);
        assert.ok(came.every((one) => one.headers['x-rollcall-subject'] === user.id));
        if (answers.every((answer) => answer === '200 ok')) break;
      }
      assert.deepEqual([...new Set(answers)], ['200 ok'], mode);
    }
    const runs = await polled.query(
      "SELECT DISTINCT mode, trigger, status FROM rollcall.sync_runs WHERE mode = 'user'",
    );
    assert.deepEqual(runs, [{ mode: 'user', trigger: 'gate', status: 'completed' }]);
  } finally {
    await polled.stop();
  }
});

test('a table that is too old is no answer where a rule says so, until it is in step', async () => {
  const { polled, service, mint, decided, passed } = await stand(1, {
    ROLLCALL_SYNC_INTERVAL: '1s',
  });
  const { sim } = polled;
  try {
    const token = await mint({});
    const both = async (target) => [
      said(await decided(target, token)),
      said(await passed(target, token)),
    ];
    const comes = (target, wanted, what) =>
      until(async () => (await both(target)).every((one, i) => one === wanted[i]), what);
    const fine = ['200 ok', '200 ok'];
    const stale = ['403 sync_stale', '503 sync_stale'];
    const isFresh = async () =>
      (await polled.query("SELECT rollcall.sync_age() < interval '10 minutes' AS fresh"))[0].fresh;
    // As if nobody had heard of Clerk for an hour.
    const age = async () => {
      await polled.query(
        "UPDATE rollcall.sync_runs SET started_at = started_at - interval '1 hour', " +
          "finished_at = finished_at - interval '1 hour'",
      );
      await polled.query(
        "UPDATE rollcall.deliveries SET minute = minute - interval '1 hour', " +
          "last_seen = last_seen - interval '1 hour'",
      );
    };
    await comes('/fresh/x', fine, 'a table in step');

    await sim.faults({ api_5xx: true });
    const failing = "SELECT 1 FROM rollcall.sync_runs WHERE status = 'failed'";
    await until(async () => (await polled.query(failing)).length > 0, 'a pass that fails');
    await age();
    const before = application.seen.length;
    await comes('/fresh/x', stale, 'the refusal');
    assert.equal(await isFresh(), false);
    const retry = (await passed('/fresh/x', token)).headers['retry-after'];
    assert.ok(Number(retry) > 0);
    assert.equal(application.seen.slice(before).filter((one) => one.url === '/fresh/x').length, 0);
    assert.deepEqual(await both('/x'), fine, 'rules without max_staleness go on');

    // One delivery is a sign of life, though Clerk cannot be asked.
    const event = userEvent('user.created', 'user_delivered', Date.now());
    assert.equal((await service.deliver(event)).status, 202);
    await comes('/fresh/x', fine, 'a delivery');
    assert.equal(await isFresh(), true);

    await age();
    await comes('/fresh/x', stale, 'the refusal once more');
    await sim.faults({ api_5xx: false });
    await comes('/fresh/x', fine, 'a pass');
    assert.equal(await isFresh(), true);
  } finally {
    await polled.stop();
  }
});

// fault 34
test('Clerk away: who is known goes on, who is not waits, a new start refuses', async () => {
  const { polled, mint, decided, passed } = await stand(1, { ROLLCALL_CLERK_TIMEOUT: '1s' });
  const { sim } = polled;
  try {
    const token = await mint({});
    const both = async (by) => [said(await decided('/x', by)), said(await passed('/x', by))];
    await until(async () => (await both(token)).join() === '200 ok,200 ok', 'the user');
    const { user } = await polled.change('POST', '/users', { email_address: ['new@example.com'] });
    const newcomer = await mint({ user_id: user.id });
    await sim.faults({ api_5xx: true, jwks_500: true });
    assert.deepEqual(await both(newcomer), ['403 user_unknown', '403 user_unknown']);
    const fresh = await polled.gate();
    assert.equal(said(await decide(fresh, '/x', { token })), '403 jwks_unavailable');
    assert.deepEqual(await both(token), ['200 ok', '200 ok']);
    await sim.faults({ api_5xx: false, jwks_500: false });
    const passes = async () => said(await decide(fresh, '/x', { token })) === '200 ok';
    await until(passes, 'the keys at the new start');
    await until(async () => (await both(newcomer)).join() === '200 ok,200 ok', 'the new user');
  } finally {
    await polled.stop();
  }
});

// fault 35
test('a new signing key is known before it is needed twice, the old one gone with it', async () => {
  const { polled, mint, asked, decided } = await stand(1);
  try {
    const old = await mint({});
    await until(async () => said(await decided('/x', old)) === '200 ok', 'the user');
    const keySets = async () => (await asked('/v1/jwks')).length;
    const before = await keySets();
    await polled.sim.control('POST', '/keys/rotate', { overlap: false });
    assert.equal(said(await decided('/x', old)), '200 ok', 'nothing has asked for the key set yet');
    const token = await mint({});
    // Made-up names of keys beside it do not make the publisher asked more often.
    const made = async (i) => said(await decided('/x', await mint({ kid: `made_${i}` })));
    const began = performance.now();
    let i = 0;
    await until(async () => {
      assert.equal(await made((i += 1)), '401 kid_unknown');
      return said(await decided('/x', token)) === '200 ok';
    }, 'the new key');
    const minutes = Math.ceil((performance.now() - began) / 60_000);
    const fetches = (await keySets()) - before;
    assert.ok(fetches <= 2 * minutes, `${fetches} requests in ${minutes} minutes`);
    assert.equal(said(await decided('/x', old)), '401 kid_unknown');
  } finally {
    await polled.stop();
  }
});
