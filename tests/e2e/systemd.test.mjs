// The service under systemd: what it tells the manager, where its secrets may come from, what it
// does without in the sandbox of deploy/systemd/rollcall.service, and how tight that is.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Postgres } from './postgres.mjs';
import { Service, WEBHOOK_SECRET, messageId, migrate, signed, userEvent } from './service.mjs';
import { binary, until } from './simulator.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const unit = path.join(here, '../../deploy/systemd/rollcall.service');

let postgres, url, folder;
before(async () => {
  postgres = await Postgres.start();
  url = postgres.url(await postgres.create());
  migrate(url);
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-systemd-'));
});
after(() => {
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

// What services say to their manager, in order.
class Manager {
  static async start() {
    const manager = new Manager();
    manager.socket = path.join(mkdtempSync(path.join(folder, 'manager-')), 'notify');
    manager.told = [];
    manager.child = spawn('python3', [path.join(here, 'notify.py'), manager.socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    readline
      .createInterface({ input: manager.child.stdout })
      .on('line', (line) => manager.told.push(JSON.parse(line)));
    await until(() => manager.told.length > 0, 'the socket');
    return manager;
  }

  // The messages of one service, from the place `from` on.
  by(service, from = 0) {
    return this.told
      .slice(from)
      .filter(([pid]) => pid === service.child.pid)
      .map(([, message]) => message.replace(/MONOTONIC_USEC=\d+$/, 'MONOTONIC_USEC=…'));
  }

  states(service, from) {
    return this.by(service, from).filter((message) => message !== 'WATCHDOG=1');
  }

  pings(service, from) {
    return this.by(service, from).filter((message) => message === 'WATCHDOG=1').length;
  }

  stop() {
    this.child.kill('SIGKILL');
  }
}

const RELOADING = 'RELOADING=1\nMONOTONIC_USEC=…';

test('the manager hears ready, reloading and stopping', async () => {
  const manager = await Manager.start();
  const service = await Service.start(url, { NOTIFY_SOCKET: manager.socket });
  try {
    await until(() => manager.states(service).length > 0, 'a word');
    assert.deepEqual(manager.states(service), ['READY=1']);
    service.child.kill('SIGHUP');
    await until(() => manager.states(service).length === 3, 'the reload');
    assert.deepEqual(manager.states(service, 1), ['READY=1', RELOADING, 'READY=1']);
    assert.equal(manager.pings(service), 0, 'nobody asked for signs of life');
    assert.equal(await service.stop(), 0);
    await until(() => manager.states(service).at(-1) === 'STOPPING=1', 'the end');
  } finally {
    await service.stop();
    manager.stop();
  }
});

// fault 42
test('a loop that stands still gives no sign of life', async () => {
  const manager = await Manager.start();
  const env = { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC: '100000' };
  const [stuck, other] = [await Service.start(url, env), await Service.start(url, env)];
  try {
    await until(() => manager.pings(stuck) > 2 && manager.pings(other) > 2, 'signs of life');
    stuck.child.kill('SIGSTOP');
    const state = () => readFileSync(`/proc/${stuck.child.pid}/stat`, 'utf8').split(') ')[1][0];
    await until(() => state() === 'T', 'the service to stand still');
    // What it had said comes before what the other says now.
    const before = manager.told.length;
    other.child.kill('SIGHUP');
    const mark = () =>
      manager.told.findIndex(
        ([pid, message], at) =>
          at >= before && pid === other.child.pid && message.startsWith('RELOADING'),
      );
    await until(() => mark() >= 0, 'the other to reload');
    const from = mark();
    await until(() => manager.pings(other, from) > 5, 'signs of life of the other');
    assert.equal(manager.pings(stuck, from), 0);
    stuck.child.kill('SIGCONT');
    await until(() => manager.pings(stuck, from) > 0, 'signs of life again');
  } finally {
    stuck.child.kill('SIGCONT');
    assert.equal(await stuck.stop(), 0);
    assert.equal(await other.stop(), 0);
    manager.stop();
  }
});

test('a start does not wait for a database that is away', async () => {
  const manager = await Manager.start();
  const service = await Service.start(
    'postgresql://127.0.0.1:1/nowhere',
    { NOTIFY_SOCKET: manager.socket },
    { waitUntilReady: false },
  );
  try {
    await until(() => manager.states(service).length > 0, 'a word');
    assert.deepEqual(manager.states(service), ['READY=1']);
    assert.equal((await service.get('/readyz', service.adminPort)).status, 503);
  } finally {
    await service.stop();
    manager.stop();
  }
});

test('secrets come as credentials, and again on a reload', async () => {
  const credentials = mkdtempSync(path.join(folder, 'credentials-'));
  const put = (name, value) => writeFileSync(path.join(credentials, name), `${value}\n`);
  const newer = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  put('database_url', url);
  put('clerk_webhook_secret', WEBHOOK_SECRET);
  put('rollcall_admin_token', 'token-of-the-credentials');
  const service = await Service.start('', {
    CREDENTIALS_DIRECTORY: credentials,
    CLERK_WEBHOOK_SECRET: '',
    ROLLCALL_ADMIN_TOKEN: '',
  });
  try {
    const body = userEvent('user.created', 'user_credentials', 1000);
    assert.equal((await service.deliver(body)).status, 202);
    const status = (token) =>
      service.get('/statusz', service.adminPort, { authorization: `Bearer ${token}` });
    assert.equal((await status('token-of-the-credentials')).status, 200);
    const withNewer = () =>
      service.deliver(body, { headers: signed(body, messageId(), { secret: newer }) });
    assert.equal((await withNewer()).status, 401);
    put('clerk_webhook_secret', `${newer} ${WEBHOOK_SECRET}`);
    service.child.kill('SIGHUP');
    await until(async () => (await withNewer()).status === 202, 'the new secret');
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

test('it reads no more of /proc than its own process', () => {
  // ProcSubset=pid leaves nothing else there.
  const named = readFileSync(binary()).toString('latin1').match(/\/proc\/[\w/]*/g);
  const others = named.filter((place) => !/^\/proc\/(self\/.*)?$/.test(place));
  assert.ok(named.length > 0);
  assert.deepEqual(others, [], 'a sanitizer reads more: this is for the release build');
});

test('the unit is tight, and systemd understands it', () => {
  // 0 to 100: 15 is what systemd calls safe. `verify` wants the program at its place, so it looks
  // at a copy with one that is there.
  const security = spawnSync(
    'systemd-analyze',
    ['security', '--offline=true', '--threshold=15', '--no-pager', unit],
    { encoding: 'utf8' },
  );
  assert.equal(security.status, 0, security.stdout + security.stderr);
  const copy = path.join(folder, 'rollcall.service');
  writeFileSync(
    copy,
    readFileSync(unit, 'utf8').replace('/usr/bin/rollcall serve', '/bin/true serve'),
  );
  const verify = spawnSync('systemd-analyze', ['verify', '--man=no', copy], { encoding: 'utf8' });
  assert.equal(verify.status, 0, verify.stderr);
  // It looks at what the unit names too; of that, nothing is asked here.
  const warnings = verify.stderr.split('\n').filter((line) => line.includes('rollcall'));
  assert.deepEqual(warnings, []);
});
