// `rollcall dev`: everything on this machine, twice on the same data, and nothing left behind.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { binary, until } from './simulator.mjs';

class Dev {
  constructor(state, environment = {}) {
    this.output = '';
    this.child = spawn(binary(), ['dev', '--state', state], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.child.stdout.on('data', (chunk) => (this.output += chunk));
    this.child.stderr.on('data', (chunk) => (this.output += chunk));
    this.closed = once(this.child, 'close');
  }

  said(pattern) {
    return until(
      () => {
        if (this.child.exitCode !== null) throw new Error(`rollcall dev ended: ${this.output}`);
        return pattern.exec(this.output);
      },
      `${pattern} in: ${this.output}`,
      90_000,
    );
  }

  async stop() {
    this.child.kill('SIGINT');
    const [code] = await this.closed;
    return code;
  }
}

// Clerk's webhook is lost: the other door is polling.
async function createUnheard(dev, email) {
  const [, clerk] = await dev.said(/Clerk +(http:\/\/\S+)/);
  const json = { 'content-type': 'application/json' };
  await fetch(`${clerk}/sim/faults`, { method: 'PUT', headers: json, body: '{"drop":1}' });
  const made = await fetch(`${clerk}/v1/users`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_rollcall_dev', ...json },
    body: JSON.stringify({ email_address: [email] }),
  });
  assert.equal(made.status, 200);
}

test('the first synced user is visible; a second start goes on with the same data', async () => {
  const state = mkdtempSync(path.join(os.tmpdir(), 'rollcall-dev-'));
  try {
    const first = new Dev(state, { ROLLCALL_SYNC_INTERVAL: '1s' });
    const [, id] = await first.said(
      /first synced user visible: (user_\w+) is public\.users id [0-9a-f-]{36}/,
    );
    assert.ok(id);
    const [, clerk] = await first.said(/Clerk +(http:\/\/\S+)/);
    const [, auth] = await first.said(/Auth users +curl (http:\/\/\S+)/);
    assert.deepEqual(Object.keys(await (await fetch(auth)).json()), ['total', 'users']);
    const [, postgres] = await first.said(/psql '([^']+)'/);
    // What the terminal says one may ask of the gate.
    const [, tokens] = await first.said(/token +curl -sX POST '(\S+)'/);
    const [, decide] = await first.said(/gate +curl -i (\S+) /);
    const asked = async (headers) => {
      const said = { 'x-forwarded-uri': '/', 'x-forwarded-method': 'GET', ...headers };
      return (await fetch(decide, { headers: said })).status;
    };
    assert.equal(await asked({}), 401);
    await until(async () => {
      const jwt = await (await fetch(tokens, { method: 'POST' })).text();
      return (await asked({ authorization: `Bearer ${jwt}` })) === 200;
    }, 'a token of the simulated Clerk to be let through');
    const made = await fetch(`${clerk}/v1/users`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_rollcall_dev', 'content-type': 'application/json' },
      body: JSON.stringify({
        email_address: ['ada@example.com'],
        first_name: 'Ada',
        last_name: 'Lovelace',
      }),
    });
    assert.equal(made.status, 200);
    const user = await made.json();
    await first.said(
      new RegExp(`row +${user.id} +applied: ada@example.com \\| Ada Lovelace \\| user`),
    );
    await until(async () => {
      const { users } = await (await fetch(auth)).json();
      return users.some((one) => one.app_metadata.clerk_id === user.id);
    }, 'Ada in the simulated Supabase Auth');
    await first.said(/pass +full +\d users seen, \d changed/);
    await createUnheard(first, 'unheard@example.com');
    await first.said(/pass +incremental +\d users seen, 1 changed/);
    assert.equal(await first.stop(), 0, first.output);

    const second = new Dev(state);
    await second.said(/first synced user visible/);
    const count = spawnSync(
      'psql',
      [postgres, '-Atc', `SELECT name FROM public.users WHERE clerk_id = '${user.id}'`],
      { encoding: 'utf8' },
    );
    assert.equal(count.stdout.trim(), 'Ada Lovelace', count.stderr);
    // The simulated Auth began empty.
    const [, refilled] = await second.said(/Auth users +curl (http:\/\/\S+)/);
    await until(async () => {
      const { users } = await (await fetch(refilled)).json();
      return users.some((one) => one.app_metadata.clerk_id === user.id);
    }, 'Ada in the simulated Supabase Auth once more');
    // Killed outright it leaves no server behind, and the next start waits for the one that ends.
    const socket = /host=([^&]+)/.exec(postgres)[1];
    second.child.kill('SIGKILL');
    await second.closed;
    const third = new Dev(state);
    await third.said(/first synced user visible/);
    third.child.kill('SIGKILL');
    await third.closed;
    await until(() => spawnSync('pgrep', ['-f', socket]).status !== 0, 'the server to be gone');

    // A new folder of the same name has a new Clerk, so its database is new too.
    rmSync(state, { recursive: true });
    const fresh = new Dev(state);
    await fresh.said(/first synced user visible/);
    const [, again] = await fresh.said(/psql '([^']+)'/);
    const kept = spawnSync(
      'psql',
      [again, '-Atc', `SELECT count(*) FROM public.users WHERE clerk_id = '${user.id}'`],
      { encoding: 'utf8' },
    );
    assert.equal(kept.stdout.trim(), '0', kept.stderr);
    assert.equal(await fresh.stop(), 0, fresh.output);
    // As root the data is not below `state`.
    rmSync(path.join('/var/tmp', path.basename(socket)), { recursive: true, force: true });
    rmSync(socket, { recursive: true, force: true });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});

test('a stop that work outlives is said, and leaves nothing behind', async () => {
  const state = mkdtempSync(path.join(os.tmpdir(), 'rollcall-dev-'));
  const dev = new Dev(state, { ROLLCALL_SERVE_DRAIN_TIMEOUT: '200ms' });
  let locker;
  let socket;
  try {
    await dev.said(/first synced user visible/);
    const [, clerk] = await dev.said(/Clerk +(http:\/\/\S+)/);
    const [, postgres] = await dev.said(/psql '([^']+)'/);
    socket = /host=([^&]+)/.exec(postgres)[1];
    // While another session holds the table no change of a user can be applied.
    locker = spawn('psql', [postgres, '-At'], { stdio: ['pipe', 'pipe', 'ignore'] });
    locker.stdin.write("BEGIN; LOCK TABLE public.users; SELECT 'locked';\n");
    await once(locker.stdout, 'data');
    const made = await fetch(`${clerk}/v1/users`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_rollcall_dev', 'content-type': 'application/json' },
      body: JSON.stringify({ email_address: ['grace@example.com'] }),
    });
    const user = await made.json();
    await dev.said(new RegExp(`USER_CREATED +${user.id} +stored as job`));
    assert.equal(await dev.stop(), 0, dev.output);
    assert.match(dev.output, /stopped before all work had ended/);
    locker.kill('SIGKILL');
    await once(locker, 'close');
    assert.notEqual(spawnSync('pgrep', ['-f', socket]).status, 0, 'a server is left');
  } finally {
    locker?.kill('SIGKILL');
    dev.child.kill('SIGKILL');
    if (socket) {
      // As root the data is not below `state`.
      rmSync(path.join('/var/tmp', path.basename(socket)), { recursive: true, force: true });
      rmSync(socket, { recursive: true, force: true });
    }
    rmSync(state, { recursive: true, force: true });
  }
});
