// The service under systemd: what it tells the manager, where its secrets may come from, what it
// does without in the sandbox of deploy/systemd/rollcall.service, and how tight that is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, WEBHOOK_SECRET, messageId, migrate, signed, userEvent } from './service.mjs';
import { binary, until } from './simulator.mjs';
import { Manager, Supervisor, unit } from './supervisor.mjs';

let postgres, database, url, folder;
before(async () => {
  postgres = await Postgres.start();
  database = await postgres.create();
  url = postgres.url(database);
  migrate(url);
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-systemd-'));
});
after(() => {
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const RELOADING = 'RELOADING=1\nMONOTONIC_USEC=…';

test('the manager hears ready, reloading and stopping', async () => {
  const manager = await Manager.start(folder);
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
  const manager = await Manager.start(folder);
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

// fault 42
test('a loop that stands still is ended by the watchdog, and nothing is lost', async (t) => {
  const manager = await Manager.start(folder);
  // The second delivery's thread sleeps, which is the loop's.
  const supervisor = await Supervisor.start(manager, url, {}, {
    watchdog: 3000,
    failpoint: 'webhook.verified:sleep=600s:2',
  });
  const { service } = supervisor;
  try {
    await service.ready();
    const bodies = ['user_hung_before', 'user_hung_within'].map((id) =>
      userEvent('user.created', id, 1000));
    const ids = bodies.map(() => messageId());
    assert.equal((await service.deliver(bodies[0], { id: ids[0] })).status, 202);
    const { pid } = service.child;
    const began = performance.now();
    await assert.rejects(service.deliver(bodies[1], { id: ids[1] }), 'the door has died');
    t.diagnostic(`ended after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await until(() => supervisor.ends.length > 0, 'the end of the first process');
    assert.deepEqual(supervisor.ends, [{ code: null, signal: 'SIGABRT', watchdog: true }]);
    await until(() => service.child.pid !== pid, 'the next process');
    await service.ready();
    const again = await service.deliver(bodies[1], { id: ids[1] });
    assert.equal(again.status, 202);
    assert.equal(again.json.duplicate, undefined, 'it was not stored the first time');
    const jobs = () =>
      postgres.query(
        database,
        "SELECT event_id, status FROM job_queue WHERE subject LIKE 'user_hung_%' ORDER BY subject",
      );
    const wanted = ids.map((event_id) => ({ event_id, status: 'COMPLETED' }));
    await until(
      async () => (await jobs()).filter((job) => job.status === 'COMPLETED').length === 2,
      'both users to be worked off',
    );
    assert.deepEqual(await jobs(), wanted);
    const rows = await postgres.query(
      database, "SELECT clerk_id FROM users WHERE clerk_id LIKE 'user_hung_%' ORDER BY 1");
    assert.deepEqual(rows.map((row) => row.clerk_id), ['user_hung_before', 'user_hung_within']);
    // It lives as long as it says that it does.
    const from = manager.told.length;
    await until(() => manager.pings(service, from) > 3, 'signs of life of the next process');
    assert.equal(supervisor.ends.length, 1);
    assert.deepEqual(await supervisor.stop(), { code: 0, signal: null, watchdog: false });
  } finally {
    await supervisor.stop('SIGKILL');
    manager.stop();
  }
});

test('a start does not wait for a database that is away', async () => {
  const manager = await Manager.start(folder);
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
