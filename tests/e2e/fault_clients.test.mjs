// Clients that are up to no good, or just broken: bodies that end early, never end or nest without
// end, clients that send a byte a second, thousands that say nothing. The service refuses, stays
// small, and answers the others.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { isRunning } from './child.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freshDatabase, patient, signed, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import { hmac } from './svix_bytes.mjs';

let postgres;
let service;
let database;
before(async () => {
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  service = await Service.start(postgres.url(database), patient);
});
after(async () => {
  const code = await service?.stop();
  postgres?.remove();
  assert.equal(code, 0, service.log);
});

// The most memory that the service ever had, in MiB.
function memory() {
  const status = readFileSync(`/proc/${service.child.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)[1]) / 1024;
}

let sent = 0;
async function isServed() {
  const begun = Date.now();
  const answer = await service.deliver(userEvent('user.created', `user_other${(sent += 1)}`, 1));
  assert.equal(answer.status, 202);
  assert.ok(Date.now() - begun < 10_000, `${Date.now() - begun} ms`);
}

// Connections from an address that nobody else comes from.
async function connect(count, localAddress = '127.0.0.2') {
  const sockets = Array.from({ length: count }, () => {
    const where = { host: '127.0.0.1', port: service.port, localAddress };
    const socket = net.connect(where);
    socket.on('error', () => {});
    return socket;
  });
  await Promise.all(
    sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])),
  );
  return sockets;
}

const head = (body, length = body.length) =>
  [
    'POST /webhooks/clerk HTTP/1.1',
    'host: rollcall',
    `content-length: ${length}`,
    ...Object.entries(signed(body)).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');

// Svix's own library signs text only.
function signedBytes(bytes) {
  const headers = signed('');
  const signature = hmac(headers['svix-id'], headers['svix-timestamp'], bytes);
  return { ...headers, 'svix-signature': signature };
}

const jobs = async () =>
  (await postgres.query(database, 'SELECT count(*)::int n FROM job_queue'))[0].n;

// All that comes back on a connection until it is closed.
async function answerOn(socket) {
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  if (!socket.closed) await once(socket, 'close');
  return text;
}

// What a connection of its own is answered; "" when it is closed, or waits in vain for a while.
async function askOnce(localAddress = '127.0.0.2') {
  const [socket] = await connect(1, localAddress);
  socket.setTimeout(20_000, () => socket.destroy());
  socket.write('GET /livez HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n');
  return answerOn(socket);
}

// fault 8
test('bodies that are no event are refused, and cost no memory', async () => {
  await isServed();
  const known = await jobs();
  const smallest = memory();
  const body = userEvent('user.created', 'user_half', 1);
  for (let i = 0; i < 50; i += 1) {
    const [socket] = await connect(1);
    socket.end(head(body) + body.slice(0, 40 + i));
    const answer = await answerOn(socket);
    assert.match(answer, /^(HTTP\/1\.1 4\d\d |$)/, 'nothing, or that it is bad');
  }
  // Before a byte of it came, and without a length.
  const mebibyte = 2 ** 20;
  const [declared, endless] = await connect(2);
  const told = [declared, endless].map(answerOn);
  declared.write(head('', 10 * mebibyte));
  endless.write(head('').replace('content-length: 0', 'transfer-encoding: chunked'));
  endless.write(`${(2 * mebibyte).toString(16)}\r\n${'x'.repeat(2 * mebibyte)}\r\n`);
  for (const answer of await Promise.all(told)) assert.match(answer, /^HTTP\/1\.1 413 /);
  const huge = 'x'.repeat(10 * mebibyte);
  const sent = Array.from({ length: 20 }, () =>
    service.deliver(huge, { headers: signed('x') }).catch((error) => error),
  );
  for (const answer of await Promise.all(sent)) {
    // It may hang up on who goes on sending.
    assert.ok(answer.status === 413 || answer instanceof Error, `${answer.status}`);
  }
  const text = { ...signed(body), 'content-type': 'text/plain' };
  assert.equal((await service.deliver(body, { headers: text })).status, 415);
  assert.equal(await jobs(), known, 'none of them was stored');

  // What is signed is kept for a person, whatever it is: it may have been meant.
  const odd = [
    Buffer.concat([Buffer.from('{"type":"user.created","data":{"id":"'), Buffer.from([0xff])]),
    '['.repeat(200_000),
    '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000),
    `{"type":"user.created","data":{"id":"user_deep","x":${'['.repeat(50_000)}`,
    ...['', 'null', '7', '"user.created"', '[]', '{}', '{"type":7}', '{"type":"user.created"}'],
    ...['[]', '{}', '{"id":7}', '{"id":null}', '"user_a"'].map(
      (data) => `{"type":"user.created","data":${data}}`,
    ),
  ];
  for (const one of odd) {
    const answer = await service.deliver(one, { headers: signedBytes(one) });
    assert.equal(answer.status, 202, `${one.slice(0, 50)}: ${answer.text}`);
    assert.match(answer.text, /kept for review/);
  }
  const unsigned = signed('something else');
  for (const one of odd) {
    assert.equal((await service.deliver(one, { headers: unsigned })).status, 401);
  }
  assert.equal(await jobs(), known + odd.length);
  const [{ kept }] = await postgres.query(
    database,
    "SELECT count(*)::int AS kept FROM job_queue WHERE status = 'FAILED'",
  );
  assert.equal(kept, odd.length, 'and nobody works on them');
  assert.ok(memory() - smallest < 64, `${memory() - smallest} MiB more`);
  await isServed();
});

// How long signed deliveries take, in ms: the 99th of a hundred. All of them are taken.
async function p99() {
  const took = [];
  for (let i = 0; i < 200; i += 1) {
    const begun = performance.now();
    await isServed();
    took.push(performance.now() - begun);
  }
  return took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)];
}

// fault 9
test('a byte a second and ten thousand who say nothing are nobody else’s trouble', async (t) => {
  const quiet = await p99();
  const smallest = memory();
  const body = userEvent('user.created', 'user_slow', 1);
  const slow = await connect(50);
  const bytes = head(body) + body;
  let at = 0;
  const dripping = setInterval(() => {
    for (const socket of slow) if (!socket.destroyed) socket.write(bytes.slice(at, at + 1));
    at += 1;
  }, 1000);
  const halfOpen = await connect(50);
  for (const socket of halfOpen) socket.write('POST /webhooks/clerk HTTP/1.1\r\nhost: r\r\n');
  const silent = [];
  try {
    for (let n = 0; n < 10; n += 1) silent.push(...(await connect(1000, `127.0.1.${n + 1}`)));
    const open = () => silent.filter((socket) => !socket.destroyed).length;
    const most = open();
    const beside = await p99();
    t.diagnostic(`p99 ${quiet.toFixed(0)} ms, beside ${most} idle ones ${beside.toFixed(0)} ms`);
    assert.ok(beside < Math.max(3 * quiet, 10_000), `${beside} ms instead of ${quiet} ms`);
    // A connection that is new finds its place among them: the longest idle make room.
    await until(async () => (await askOnce('127.0.0.3')).startsWith('HTTP/1.1 200 '), 'a place');
    // Those who began a request and do not get on with it are told to go, and so are the silent.
    const all = [...slow, ...halfOpen, ...silent];
    for (const socket of all) socket.resume();
    await until(() => all.every((socket) => socket.destroyed), 'them to be cut');
    assert.ok(memory() - smallest < 256, `${memory() - smallest} MiB more`);
    await isServed();
  } finally {
    clearInterval(dripping);
    for (const socket of [...slow, ...silent, ...halfOpen]) socket.destroy();
  }
});

// fault 42
test('without descriptors it sheds load, and takes it again when there are some', async () => {
  await isServed();
  const { pid } = service.child;
  const open = () => readdirSync(`/proc/${pid}/fd`).length;
  const limit = (files) => {
    const done = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${files}`]);
    assert.equal(done.status, 0, String(done.stderr));
  };
  const before_ = /Max open files\s+(\d+)\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`));
  const few = open() + 20;
  service.log = '';
  limit(`${few}:${before_[2]}`);
  const many = await connect(60);
  const failures = () => service.log.match(/"event":"http_accept_failed"/g)?.length ?? 0;
  try {
    await until(() => open() >= few - 1 && failures() > 0, 'no descriptor to be left');
    // The connection that the tests have is served all the same, and who is new gets a place from
    // those who say nothing, in turn.
    for (let i = 0; i < 20; i += 1) await isServed();
    await until(async () => (await askOnce('127.0.0.3')).startsWith('HTTP/1.1 200 '), 'a place');
    assert.equal(isRunning(service.child), true);
  } finally {
    for (const socket of many) socket.destroy();
    limit(`${before_[1]}:${before_[2]}`);
  }
  for (let i = 0; i < 100; i += 1) await isServed();
  const known = failures();
  for (const answer of await Promise.all(Array.from({ length: 100 }, () => askOnce()))) {
    assert.match(answer, /^HTTP\/1\.1 200 /);
  }
  assert.equal(failures(), known, 'there are enough again');
});
