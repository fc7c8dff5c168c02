// The command itself: what it refuses, what it repeats, how it ends.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { Receiver, Simulator, runToEnd } from './simulator.mjs';

// Of a hosted project: its claims name it in `ref`.
const REAL_JWT = [{ alg: 'HS256' }, { role: 'service_role', ref: 'abcdefghijklmnopqrst' }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')
  .concat('.c2ln');

test('live keys and other machines are refused', async () => {
  for (const [args, word] of [
    [['--secret-key', 'sk_live_abc'], 'live'],
    [['--secret-key', 'pk_live_abc'], 'live'],
    [['--secret-key', 'abc'], 'sk_test_'],
    [['--listen', '0.0.0.0:0'], 'loopback'],
    [['--listen', '[::]:0'], 'loopback'],
    [['--webhook-url', 'https://example.com/hook'], 'loopback'],
    [['--webhook-url', 'http://127.0.0.1@example.com/'], 'loopback'],
    [['--webhook-url', 'http://127.0.0.1.evil.com'], 'loopback'],
    [['--webhook-secret', 'whsec_'], '24'],
    [['--fault', 'dorp=1'], 'dorp'],
    [['--fault', 'auth_down=0.5'], 'true or false'],
    [['--supabase-listen', '0.0.0.0:0'], 'loopback'],
    [['--supabase-key', 'sb_secret_abc'], 'sb_secret_rollcall_'],
    [['--supabase-key', REAL_JWT], 'real Supabase'],
  ]) {
    const { code, output } = await runToEnd(...args);
    assert.equal(code, 78, `${args}: ${output}`);
    assert.ok(output.includes(word), `${args}: ${output}`);
    assert.ok(!output.includes('abc'), 'no key in the message');
  }
});

test('a seed repeats users, ids and messages', async () => {
  const run = async () => {
    const receiver = await Receiver.start();
    const sim = await Simulator.start('--seed', '7', '--users', '6', '--webhook-url', receiver.url);
    try {
      await receiver.count(6);
      return receiver.deliveries
        .map((one) => [one.headers['svix-id'], JSON.parse(one.body).data.id])
        .toSorted();
    } finally {
      await sim.stop();
      await receiver.stop();
    }
  };
  assert.deepEqual(await run(), await run());
});

test('a state file keeps the users, and SIGTERM ends with 0', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rollcall-sim-'));
  const state = ['--state', path.join(folder, 'clerk.json'), '--users', '3'];
  const users = async (sim) => {
    const answer = await sim.raw('GET', '/users');
    return (await answer.json()).map((user) => user.id);
  };
  try {
    const first = await Simulator.start(...state);
    await first.raw('POST', '/users', { body: { username: 'later' } });
    const before = await users(first);
    assert.equal(before.length, 4);
    assert.equal(await first.stop(), 0);
    const second = await Simulator.start(...state);
    assert.deepEqual(await users(second), before);
    assert.equal(await second.stop(), 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a web page of somewhere else cannot steer it', async () => {
  const sim = await Simulator.start();
  try {
    const answer = await fetch(`${sim.url}/sim/reset`, {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
    });
    assert.equal(answer.status, 403);
  } finally {
    await sim.stop();
  }
});

test('10,000 users are paged in good time', async () => {
  const sim = await Simulator.start('--users', '10000', '--quiet-users');
  try {
    const seen = new Set();
    let after = '';
    for (;;) {
      const answer = await sim.raw('GET', `/users?limit=500${after && `&starting_after=${after}`}`);
      const page = await answer.json();
      for (const user of page) seen.add(user.id);
      if (page.length < 500) break;
      after = page.at(-1).id;
    }
    assert.equal(seen.size, 10_000);
    const { users } = await sim.control('GET', '');
    assert.equal(users, 10_000);
  } finally {
    await sim.stop();
  }
});

test('the help names every flag', async () => {
  const { code, output } = await runToEnd('--help');
  assert.equal(code, 0);
  for (const flag of [
    '--listen',
    '--webhook-url',
    '--webhook-secret',
    '--secret-key',
    '--users',
    '--seed',
    '--speed',
    '--fault',
    '--rate-limit',
    '--state',
    '--supabase-listen',
    '--supabase-key',
    '--supabase-bare',
  ]) {
    assert.ok(output.includes(flag), flag);
  }
});
