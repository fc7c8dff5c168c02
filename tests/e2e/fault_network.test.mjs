// Names that do not resolve, IPv6 alone, and certificates that are not Clerk's: refused with the
// reason, before a word is said, and with the exit code that says to come back. A service does come
// back, by itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres, wrongClock } from './postgres.mjs';
import { until } from './simulator.mjs';

let postgres;
let polled;
let folder;
before(async () => {
  postgres = await Postgres.start();
  polled = await Polled.start(postgres, 5);
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-tls-'));
});
after(async () => {
  await polled?.stop();
  postgres?.remove();
  if (folder) rmSync(folder, { recursive: true });
});

// `rollcall sync` beside what this process serves.
async function sync(env) {
  const { code, stdout, stderr } = await polled.begin(['sync', '--full'], env).ended;
  return { code, said: stdout + stderr };
}

const often = { ROLLCALL_SYNC_INTERVAL: '1s', ROLLCALL_CLERK_TIMEOUT: '1s' };

// Why the passes of services failed so far.
const failures = () =>
  polled
    .query(
      `SELECT error FROM rollcall.sync_runs
       WHERE trigger NOT IN ('cli') AND failure = 'clerk_away' ORDER BY id`,
    )
    .then((runs) => runs.map((run) => run.error));

const target = () => Number(new URL(polled.sim.url).port);

// fault 43
test('a name that does not resolve', async () => {
  const { code, said } = await sync({ CLERK_API_URL: 'https://clerk.invalid' });
  assert.equal(code, 69, said);
  assert.match(said, /clerk\.invalid|resolve|not found/i);
  const known = (await failures()).length;
  const service = await polled.serve({ ...often, CLERK_API_URL: 'https://clerk.invalid' });
  await until(async () => (await failures()).length >= known + 2, 'a second try');
  const [first] = (await failures()).slice(known);
  assert.match(first, /clerk\.invalid|resolve|not found/i);
  assert.equal(await service.stop(), 0, service.log);
});

// fault 43
test('IPv6 alone is enough', async () => {
  const server = net.createServer((client) => {
    const simulator = net.connect(target(), '127.0.0.1');
    client.on('error', () => {}).pipe(simulator).on('error', () => {}).pipe(client);
  });
  server.listen(0, '::1');
  await once(server, 'listening');
  try {
    const { code, said } = await sync({ CLERK_API_URL: `http://[::1]:${server.address().port}` });
    assert.equal(code, 0, said);
    await polled.equal();
  } finally {
    server.close();
  }
});

// A certificate of its own authority for `name`; its files.
function certified(name) {
  const [key, certificate] = ['key', 'certificate'].map((one) =>
    path.join(folder, `${name.replaceAll(':', '_')}.${one}`),
  );
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', key, '-out', certificate, '-days', '30', '-subj', `/CN=${name}`],
    ...['-addext', `subjectAltName=${name}`],
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  return { certificate, pair: { key: readFileSync(key), cert: readFileSync(certificate) } };
}

// Clerk behind TLS with a certificate for `name`, and how often it was asked anything.
async function behindTls(name) {
  const { certificate, pair } = certified(name);
  const clerk = { asked: 0 };
  clerk.server = https.createServer(pair, async (request, response) => {
    clerk.asked += 1;
    const { authorization } = request.headers;
    const answer = await fetch(`${polled.sim.url}${request.url}`, { headers: { authorization } });
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(await answer.text());
  });
  clerk.server.listen(0, '127.0.0.1');
  await once(clerk.server, 'listening');
  clerk.env = {
    CLERK_API_URL: `https://127.0.0.1:${clerk.server.address().port}`,
    SSL_CERT_FILE: certificate,
  };
  clerk.stop = () => {
    clerk.server.closeAllConnections();
    clerk.server.close();
  };
  return clerk;
}

const here = 'IP:127.0.0.1';
const nobody = () => ({ SSL_CERT_FILE: '' });
for (const [what, name, change, wanted, reason] of [
  ['a good certificate is taken', here, () => ({}), 0, /completed/],
  ['one of an unknown authority is refused', here, nobody, 69, /tls: self-signed certificate/],
  ['one of another host is refused', 'DNS:other.example', () => ({}), 69, /tls: .*mismatch/],
  ['one that has expired', here, () => wrongClock('+60d'), 69, /tls: certificate has expired/],
]) {
  // fault 43
  test(what, async () => {
    const before_ = await polled.table();
    const clerk = await behindTls(name);
    try {
      const { code, said } = await sync({ ...clerk.env, ...change() });
      assert.equal(code, wanted, said);
      assert.match(said, reason);
      // Who is not Clerk does not get to see the key.
      if (wanted !== 0) assert.equal(clerk.asked, 0);
      assert.deepEqual(await polled.table(), before_);
    } finally {
      clerk.stop();
    }
  });
}

// fault 43
test('a service that met a wrong certificate goes on by itself with the right one', async () => {
  const clerk = await behindTls('DNS:other.example');
  try {
    const right = certified(here);
    const trusted = path.join(folder, 'trusted');
    writeFileSync(trusted, Buffer.concat([readFileSync(clerk.env.SSL_CERT_FILE), right.pair.cert]));
    const known = (await failures()).length;
    const service = await polled.serve({ ...often, ...clerk.env, SSL_CERT_FILE: trusted });
    await until(async () => (await failures()).length >= known + 2, 'a second try');
    for (const one of (await failures()).slice(known)) {
      assert.match(one, /tls: .*mismatch|circuit open/);
    }
    assert.match(service.log, /tls: .*mismatch/);
    assert.equal(clerk.asked, 0);
    const { user } = await polled.change('POST', '/users', { email_address: ['tls@example.com'] });
    clerk.server.setSecureContext(right.pair);
    await until(
      async () =>
        (await polled.query('SELECT 1 FROM users WHERE clerk_id = $1', [user.id])).length > 0,
      'a pass',
      120_000,
    );
    assert.ok(clerk.asked > 0);
    assert.equal(await service.stop(), 0, service.log);
    await polled.equal();
  } finally {
    clerk.stop();
  }
});
