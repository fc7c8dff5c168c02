// Reverse proxy mode of the real binary before a real Node server: who comes through, as whom, and
// that bodies, events and WebSockets do, of whatever size.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';

import { Publisher, issuer, party, tokenOf } from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freePort, freshDatabase, rollcall, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const POLICY = `version = 1
default = "protected"
[[rule]]
id = "open"
path = "/open/**"
access = "public"
[[rule]]
id = "admin"
path = "/admin/**"
access = "admin"
`;
const MIB = 1024 * 1024;

// The application: what it does is said by the path.
class Application {
  // With `tls`, key and certificate, by https.
  static async start(tls) {
    const application = new Application();
    application.seen = [];
    application.sockets = new Set();
    application.gone = 0;
    const listener = (request, response) => {
      application.seen.push(request);
      application.answer(request, response);
    };
    application.server = tls ? https.createServer(tls, listener) : http.createServer(listener);
    application.server.on('connection', (socket) => {
      application.sockets.add(socket);
      socket.on('close', () => application.sockets.delete(socket));
    });
    application.ws = new WebSocketServer({ server: application.server });
    application.ws.on('connection', (socket, request) => {
      application.seen.push(request);
      socket.on('message', (data, binary) => socket.send(data, { binary }));
      socket.on('error', () => {});
    });
    application.server.listen(0, '127.0.0.1');
    await once(application.server, 'listening');
    const { port: bound } = application.server.address();
    application.url = tls ? `https://localhost:${bound}` : `http://127.0.0.1:${bound}`;
    return application;
  }

  answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    response.on('close', () => {
      if (!response.writableFinished) this.gone += 1;
    });
    if (pathname.endsWith('/hash')) {
      const hash = createHash('sha256');
      request.on('data', (piece) => hash.update(piece));
      request.on('end', () => response.end(hash.digest('hex')));
    } else if (pathname.endsWith('/big')) {
      let left = Number(searchParams.get('mib'));
      const piece = Buffer.alloc(MIB, 'x');
      response.setHeader('Content-Length', left * MIB);
      const more = () => {
        while (left > 0) {
          left -= 1;
          if (!response.write(piece)) return response.once('drain', more);
        }
        return response.end();
      };
      more();
    } else if (pathname.endsWith('/events')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      this.events = response;
    } else if (pathname.endsWith('/never')) {
      this.waiting = true;
    } else {
      const fields = [];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        fields.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
      }
      response.end(JSON.stringify({ method: request.method, url: request.url, fields }));
    }
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-proxy-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, database, publisher, application, service, port;

async function startService(more = {}) {
  const listen = await freePort();
  const started = await Service.start(postgres.url(database), {
    ROLLCALL_GATE_POLICY: policyFile,
    ROLLCALL_GATE_LISTEN: `127.0.0.1:${listen}`,
    ROLLCALL_GATE_UPSTREAM: application.url,
    ROLLCALL_GATE_JWKS_URL: publisher.url,
    ROLLCALL_GATE_ISSUER: issuer,
    CLERK_AUTHORIZED_PARTIES: party,
    ...more,
  });
  return [started, listen];
}

// A request through the proxy; `body` may be a stream's writer.
function ask(target, { token, method = 'GET', headers = {}, body, at = port, agent } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        port: at,
        host: '127.0.0.1',
        path: target,
        method,
        agent,
        headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      },
      (response) => {
        const pieces = [];
        response.on('data', (piece) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          resolve({ status: response.statusCode, headers: response.headers, text });
        });
      },
    );
    request.on('error', reject);
    if (typeof body === 'function') body(request);
    else request.end(body);
  });
}

const told = (answer) => {
  const { method, url, fields } = JSON.parse(answer.text);
  const all = (name) => fields.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);
  return { method, url, fields, all };
};

const residentMiB = (pid) => {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1];
  return Number(kib) / 1024;
};

before(async () => {
  writeFileSync(policyFile, POLICY);
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start();
  application = await Application.start();
  [service, port] = await startService();
  await until(() => service.log.includes('jwks_taken'), 'the keys');
  const created = await service.deliver(userEvent('user.created', 'user_ada', Date.now()));
  assert.equal(created.status, 202);
  const rows = () =>
    postgres.query(database, 'SELECT id FROM users WHERE clerk_id = $1', ['user_ada']);
  await until(async () => (await rows()).length > 0, 'the user');
});
after(async () => {
  await service?.stop();
  await application?.stop();
  await publisher?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});

test('who has a good token comes through, and the application knows who it is', async () => {
  const token = tokenOf('user_ada');
  const rows = await postgres.query(database, 'SELECT id FROM users WHERE clerk_id = $1', [
    'user_ada',
  ]);
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    const seen = told(await ask('/%6frders/1?x=%2F', { token, method, headers: { accept: 'a' } }));
    assert.equal(seen.method, method);
    assert.equal(seen.url, '/orders/1?x=%2F');
    assert.deepEqual(seen.all('x-rollcall-user-id'), [rows[0].id]);
    assert.deepEqual(seen.all('x-rollcall-subject'), ['user_ada']);
    assert.deepEqual(seen.all('x-rollcall-session'), ['sess_ada']);
    assert.deepEqual(seen.all('x-rollcall-access'), ['protected']);
    assert.deepEqual(seen.all('x-rollcall-rule'), ['default']);
    assert.deepEqual(seen.all('x-rollcall-path'), ['/orders/1']);
    assert.deepEqual(seen.all('x-forwarded-for'), ['127.0.0.1']);
    assert.deepEqual(seen.all('x-forwarded-proto'), ['http']);
    assert.deepEqual(seen.all('host'), [`127.0.0.1:${port}`]);
    assert.deepEqual(seen.all('accept'), ['a']);
  }
});

test('nobody says who they are but the gate, in whatever spelling', async () => {
  const forged = {
    'X-Rollcall-User-Id': 'forged',
    'x-ROLLCALL-user-id': 'forged',
    X_Rollcall_User_Id: 'forged',
    'X-Rollcall_Role': 'forged',
    'X-Rollcall-Anything': 'forged',
    'X-Auth-Request-User': 'forged',
    X_Forwarded_User: 'forged',
    'X-Forwarded-For': 'forged',
    'X-Forwarded-Host': 'forged',
    'X-Forwarded-Proto': 'https',
    Forwarded: 'for=forged',
    'X-Real-IP': 'forged',
    'Remote-User': 'forged',
    'X-Original-URL': '/forged',
    'X-HTTP-Method-Override': 'DELETE',
    'X-User-Id': 'forged',
    Connection: 'close, X-Rollcall-User-Id, X-Rollcall-Subject, X-Forwarded-For',
  };
  for (const [target, token] of [
    ['/open/x', undefined],
    ['/x', tokenOf('user_ada')],
  ]) {
    const seen = told(await ask(target, { token, headers: forged }));
    assert.ok(!JSON.stringify(seen.fields).includes('forged'), JSON.stringify(seen.fields));
    for (const name of ['user-id', 'subject', 'session', 'org', 'role', 'access', 'rule']) {
      assert.equal(seen.all(`x-rollcall-${name}`).length, 1, name);
    }
    assert.deepEqual(seen.all('x-rollcall-subject'), [token ? 'user_ada' : '']);
    assert.deepEqual(seen.all('x-forwarded-for'), ['127.0.0.1']);
    assert.deepEqual(seen.all('x-forwarded-proto'), ['http']);
    assert.deepEqual(seen.all('x-http-method-override'), []);
  }
});

test('who may not is refused here, and the application hears nothing', async () => {
  const before = application.seen.length;
  const none = await ask('/x');
  assert.equal(none.status, 401);
  assert.equal(none.headers['www-authenticate'], 'Bearer realm="rollcall"');
  assert.equal(JSON.parse(none.text).code, 'missing_token');
  const bad = await ask('/x', { token: 'a.b.c', method: 'POST', body: 'x'.repeat(1000) });
  assert.equal(bad.status, 401);
  assert.match(bad.headers['www-authenticate'], /error="invalid_token"/);
  const admin = await ask('/admin/x', { token: tokenOf('user_ada') });
  assert.equal(admin.status, 403);
  assert.equal(JSON.parse(admin.text).code, 'not_admin');
  for (const odd of [
    '/open/../x',
    '/open/%2e%2e/x',
    '/open/%2fx',
    '/open//x',
    '/open/;/x',
    '/open/%5c',
    '/open/%00',
    '/open/%ff',
    'http://evil.example/open/x',
  ]) {
    const answer = await ask(odd, { token: tokenOf('user_ada') });
    assert.equal(answer.status, 400, odd);
  }
  for (const where of ['/x', '/open/x', '/open/../x']) {
    const trace = await ask(where, { token: tokenOf('user_ada'), method: 'TRACE' });
    assert.equal(trace.status, 405);
    assert.equal(JSON.parse(trace.text).title, 'Method Not Allowed');
    assert.ok(!trace.headers.allow.includes('TRACE'));
    assert.ok(!trace.text.includes('Bearer'));
  }
  const [fresh, at] = await startService({ ROLLCALL_GATE_JWKS_URL: 'http://127.0.0.1:1/jwks' });
  try {
    const keyless = await ask('/x', { at, token: tokenOf('user_ada') });
    assert.equal(keyless.status, 503);
    assert.ok(Number(keyless.headers['retry-after']) > 0);
    assert.equal(JSON.parse(keyless.text).code, 'jwks_unavailable');
  } finally {
    await fresh.stop();
  }
  assert.equal(application.seen.length, before);
});

test('bodies of any size pass both ways, and are not held', { timeout: 240_000 }, async () => {
  const token = tokenOf('user_ada');
  await ask('/big?mib=8', { token });
  const start = residentMiB(service.child.pid);
  let most = start;
  const watch = setInterval(() => {
    most = Math.max(most, residentMiB(service.child.pid));
  }, 50);
  try {
    const pieces = Array.from({ length: 8 }, () => randomBytes(MIB));
    const total = 256;
    const hash = createHash('sha256');
    for (let i = 0; i < total; i += 1) hash.update(pieces[i % 8]);
    for (const headers of [{ 'content-length': total * MIB }, {}]) {
      const answer = await ask('/hash', {
        token,
        method: 'POST',
        headers,
        body: (request) => {
          let i = 0;
          const more = () => {
            while (i < total) {
              i += 1;
              if (!request.write(pieces[(i - 1) % 8])) return request.once('drain', more);
            }
            return request.end();
          };
          more();
        },
      });
      assert.equal(answer.text, hash.copy().digest('hex'));
    }
    const received = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      http.get({ port, host: '127.0.0.1', path: '/big?mib=1024', headers }, (response) => {
        let bytes = 0;
        response.on('data', (piece) => (bytes += piece.length));
        response.on('end', () => resolve(bytes));
        response.on('error', reject);
      });
    });
    assert.equal(received, 1024 * MIB);
  } finally {
    clearInterval(watch);
  }
  assert.ok(most - start < 64, `${start} MiB before, ${most} MiB at most`);
});

test('events arrive as they are sent, and a client that goes is noticed', async () => {
  const headers = { authorization: `Bearer ${tokenOf('user_ada')}` };
  const request = http.get({ port, host: '127.0.0.1', path: '/events', headers });
  request.on('error', () => {});
  const [response] = await once(request, 'response');
  assert.equal(response.headers['content-type'], 'text/event-stream');
  for (let i = 0; i < 5; i += 1) {
    const arrives = once(response, 'data');
    application.events.write(`data: ${i}\n\n`);
    const [piece] = await arrives;
    assert.equal(piece.toString(), `data: ${i}\n\n`);
  }
  response.on('error', () => {});
  const { gone } = application;
  request.destroy();
  await until(() => application.gone > gone, 'the end at the application');
  assert.match(await service.metrics(), /rollcall_gate_proxy_clients_gone_total [1-9]/);
});

test('WebSockets of the real client and server pass through', async () => {
  const refused = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const [error] = await once(refused, 'error');
  assert.match(error.message, /401/);
  const headers = { authorization: `Bearer ${tokenOf('user_ada')}`, 'x-rollcall-role': 'forged' };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers });
  await once(socket, 'open');
  assert.equal(application.seen.at(-1).headers['x-rollcall-subject'], 'user_ada');
  assert.equal(application.seen.at(-1).headers['x-rollcall-role'], 'user');
  for (const size of [0, 1, 125, 126, 70_000, 5 * MIB]) {
    const sent = randomBytes(size);
    const arrives = once(socket, 'message');
    socket.send(sent);
    const [got] = await arrives;
    assert.ok(sent.equals(got), `${size} bytes`);
  }
  assert.match(await service.metrics(), /rollcall_gate_proxy_tunnels 1/);
  socket.close(4001, 'done');
  const [code] = await once(socket, 'close');
  assert.equal(code, 4001);
  await until(
    async () => /rollcall_gate_proxy_tunnels 0/.test(await service.metrics()),
    'the end of the tunnel',
  );
});

test('an application that is away is 502, one that is slow 504', async () => {
  const unused = await freePort();
  const [away, at] = await startService({
    ROLLCALL_GATE_UPSTREAM: `http://127.0.0.1:${unused}`,
  });
  try {
    assert.equal((await ask('/open/x', { at })).status, 502);
    assert.match(
      await away.metrics(),
      /rollcall_gate_proxy_upstream_failures_total\{reason="connect"\} 1/,
    );
  } finally {
    await away.stop();
  }
  const [impatient, there] = await startService({ ROLLCALL_GATE_UPSTREAM_TIMEOUT: '1s' });
  try {
    assert.equal((await ask('/open/never', { at: there })).status, 504);
  } finally {
    await impatient.stop();
  }
});

test('an application that speaks TLS is one that proves who it is', async () => {
  const key = path.join(folder, 'key.pem');
  const cert = path.join(folder, 'cert.pem');
  const made = ['-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', ['req', ...made, ...named, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  const secure = await Application.start({ key: readFileSync(key), cert: readFileSync(cert) });
  const upstream = { ROLLCALL_GATE_UPSTREAM: secure.url };
  const [trusting, at] = await startService({ ...upstream, SSL_CERT_FILE: cert });
  const [wary, there] = await startService(upstream);
  try {
    const body = randomBytes(16 * MIB);
    const hash = createHash('sha256').update(body).digest('hex');
    for (const headers of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
      const answer = await ask('/open/hash', { at, method: 'POST', headers, body });
      assert.equal(answer.text, hash);
    }
    assert.equal((await ask('/open/big?mib=16', { at })).text.length, 16 * MIB);
    const socket = new WebSocket(`ws://127.0.0.1:${at}/open/ws`);
    await once(socket, 'open');
    const arrives = once(socket, 'message');
    socket.send(body);
    const [got] = await arrives;
    assert.ok(body.equals(got));
    socket.close();
    await once(socket, 'close');
    assert.equal((await ask('/open/x', { at: there })).status, 502);
  } finally {
    await trusting.stop();
    await wary.stop();
    await secure.stop();
  }
});

test('two requests that only one reader sees do not pass', async () => {
  const before = application.seen.length;
  for (const smuggled of [
    'POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '0\r\n\r\nGET /admin/x HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n',
    'POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'GET /open/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  ]) {
    const socket = net.connect(port, '127.0.0.1');
    socket.end(smuggled);
    let text = '';
    for await (const piece of socket) text += piece;
    assert.match(text, /^HTTP\/1.1 (400|501) /);
    assert.equal(text.match(/HTTP\/1.1 /g).length, 1);
  }
  assert.equal(application.seen.length, before);
});

test('half of the settings is an error that names the other', () => {
  for (const [set, missing] of [
    [{ ROLLCALL_GATE_LISTEN: '127.0.0.1:1' }, 'gate.upstream'],
    [{ ROLLCALL_GATE_UPSTREAM: 'http://app:1' }, 'gate.listen'],
    [
      { ROLLCALL_GATE_LISTEN: '127.0.0.1:1', ROLLCALL_GATE_UPSTREAM: 'http://app/x' },
      'gate.upstream',
    ],
  ]) {
    const neither = { ROLLCALL_GATE_LISTEN: '', ROLLCALL_GATE_UPSTREAM: '' };
    const done = rollcall(['serve'], { ...service.env, ...neither, ...set });
    assert.equal(done.code, 78, done.stderr);
    assert.match(done.stderr, new RegExp(missing));
  }
});

test('SIGTERM lets requests end, and closes WebSockets at its limit', async () => {
  const [draining, at] = await startService({ ROLLCALL_SERVE_DRAIN_TIMEOUT: '2s' });
  await until(() => draining.log.includes('jwks_taken'), 'the keys');
  const headers = { authorization: `Bearer ${tokenOf('user_ada')}` };
  const socket = new WebSocket(`ws://127.0.0.1:${at}/ws`, { headers });
  await once(socket, 'open');
  const closed = once(socket, 'close');
  const request = http.get({ port: at, host: '127.0.0.1', path: '/events', headers });
  const [response] = await once(request, 'response');
  draining.child.kill('SIGTERM');
  await until(() => draining.log.includes('service_draining'), 'the drain');
  await assert.rejects(ask('/open/x', { at, agent: new http.Agent() }), /ECONNREFUSED/);
  application.events.end('data: last\n\n');
  let text = '';
  for await (const piece of response) text += piece;
  assert.equal(text, 'data: last\n\n');
  await closed;
  await draining.closed;
});
