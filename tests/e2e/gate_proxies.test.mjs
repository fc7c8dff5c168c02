// The configurations of examples/ in front of `/gate/decide`: nginx and Caddy run with them as they
// stand, but for addresses. What the application behind them sees is what counts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ended, isRunning, release, start } from './child.mjs';
import { Publisher, issuer, party, tokenOf } from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freePort, freshDatabase, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import YAML from 'yaml';

const examples = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../examples');
const IDENTITY = ['user-id', 'subject', 'session', 'org', 'role', 'access', 'rule', 'path'];
const POLICY = `version = 1
default = "protected"
[[rule]]
id = "health"
path = "/health"
access = "public"
[[rule]]
id = "admin"
path = "/admin/**"
access = "admin"
`;
const HOST = 'app.example.com';

// Whatever says who calls, from where or for what, as attackers spell it.
const NAMES = [
  ...IDENTITY.map((name) => `X-Rollcall-${name}`),
  'X-Auth-Request-User',
  'X-Auth-Request-Email',
  'X-Forwarded-User',
  'X-Forwarded-Uri',
  'X-Forwarded-Method',
  'X-Forwarded-Email',
  'Forwarded',
  'X-Envoy-External-Address',
  'X-User-Id',
  'Remote-User',
  'X-Original-URI',
  'X-Original-URL',
  'X-Original-Method',
  'X-Rewrite-URL',
  'X-Real-IP',
  'True-Client-IP',
  'X-HTTP-Method',
  'X-HTTP-Method-Override',
  'X-Method-Override',
];
const SPELLINGS = [
  (name) => name,
  (name) => name.toLowerCase(),
  (name) => name.toUpperCase(),
  (name) => name.replaceAll('-', '_'),
  (name) => name.replace('-', '_'),
  (name) => name.replace(/-(?=[^-]*$)/, '_').toLowerCase(),
];
const SPOOFED = 'spoofed';

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-proxies-'));
let postgres;
let database;
let publisher;
let service;
let application;
let seen;
const rows = {};

// Keeps the requests that were let through.
async function startApplication() {
  seen = [];
  application = http.createServer({ maxHeaderSize: 2 ** 16 }, (request, response) => {
    seen.push({ method: request.method, url: request.url, raw: request.rawHeaders });
    request.resume().on('end', () => response.end('the application'));
  });
  application.listen(0, '127.0.0.1');
  await once(application, 'listening');
}

async function addUser(id, more) {
  const answer = await service.deliver(userEvent('user.created', id, Date.now(), more));
  assert.equal(answer.status, 202);
  const found = () => postgres.query(database, 'SELECT * FROM users WHERE clerk_id = $1', [id]);
  rows[id] = await until(async () => (await found())[0], id);
}

before(async () => {
  const policy = path.join(folder, 'policy.toml');
  writeFileSync(policy, POLICY);
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start();
  await startApplication();
  service = await Service.start(postgres.url(database), {
    ROLLCALL_GATE_POLICY: policy,
    ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
    ROLLCALL_GATE_JWKS_URL: publisher.url,
    ROLLCALL_GATE_ISSUER: issuer,
    CLERK_AUTHORIZED_PARTIES: party,
  });
  await addUser('user_ada');
  await addUser('user_root', { public_metadata: { role: 'admin' } });
  await until(() => service.log.includes('jwks_taken'), 'the keys');
});
after(async () => {
  await service?.stop();
  await publisher?.stop();
  application?.closeAllConnections();
  application?.close();
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

// A proxy with a configuration of examples/, at a port of its own.
class Proxy {
  static async start(file, command, wrap) {
    const proxy = new Proxy();
    proxy.port = await freePort();
    let text = readFileSync(path.join(examples, file), 'utf8');
    for (const [from, to] of [
      ['127.0.0.1:8080', `127.0.0.1:${service.port}`],
      ['127.0.0.1:3000', `127.0.0.1:${application.address().port}`],
      [/\b(127\.0\.0\.1|example\.com):8000/, `$1:${proxy.port}`],
    ]) {
      const next = text.replace(from, to);
      assert.notEqual(next, text, `${file} has ${from}`);
      text = next;
    }
    const words = wrap(text);
    proxy.log = '';
    proxy.child = start(command, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        // nginx of Debian is among the programs that an ordinary user's PATH leaves out.
        PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
        HOME: folder,
        XDG_DATA_HOME: folder,
        XDG_CONFIG_HOME: folder,
      },
    });
    for (const pipe of [proxy.child.stdout, proxy.child.stderr]) {
      pipe.on('data', (chunk) => (proxy.log += chunk));
    }
    release(proxy.child);
    await until(async () => {
      if (!isRunning(proxy.child)) throw new Error(`${command} ended: ${proxy.log}`);
      return proxy.ask('/health').catch(() => undefined);
    }, command);
    return proxy;
  }

  // The bytes of a request as they are; `fields` are [name, value], repeated ones too.
  ask(target, { method = 'GET', token, fields = [], body = '' } = {}) {
    const lines = [`${method} ${target} HTTP/1.1`, `Host: ${HOST}`, 'Connection: close'];
    if (token) lines.push(`Authorization: Bearer ${token}`);
    for (const [name, value] of fields) lines.push(`${name}: ${value}`);
    if (body) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
    seen.length = 0;
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.port, '127.0.0.1');
      let text = '';
      socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')));
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('error', reject);
      socket.on('end', () => {
        const [head, ...rest] = text.split('\r\n\r\n');
        const [first, ...named] = head.split('\r\n');
        const headers = {};
        for (const line of named) {
          const colon = line.indexOf(':');
          headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
        }
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
        if (!status) return reject(new Error(`no status: ${text}`));
        resolve({ status, headers, body: rest.join('\r\n\r\n'), passed: seen.map(asSeen) });
      });
      socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
    });
  }

  async stop() {
    if (isRunning(this.child)) this.child.kill('SIGTERM');
    await ended(this.child);
  }
}

// Fields by name as application servers with CGI's rules take them: one for all spellings.
function asSeen({ method, url, raw }) {
  const fields = {};
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at].toLowerCase().replaceAll('_', '-');
    (fields[name] ??= []).push(raw[at + 1]);
  }
  return { method, url, fields };
}

const identityOf = ({ fields }) =>
  Object.fromEntries(IDENTITY.map((name) => [name, (fields[`x-rollcall-${name}`] ?? []).join()]));

function nginx(text) {
  writeFileSync(path.join(folder, 'rollcall.conf'), text);
  mkdirSync(path.join(folder, 'nginx'), { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/nginx/${name};`)
    .join(' ');
  const main = path.join(folder, 'nginx.conf');
  writeFileSync(
    main,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr;
events {}
http { access_log off; ${temporary} include ${folder}/rollcall.conf; }
`,
  );
  // The workers of root's nginx are somebody else.
  if (process.getuid() === 0) writeFileSync(main, `user root;\n${readFileSync(main, 'utf8')}`);
  return ['-c', main, '-e', 'stderr', '-p', folder];
}

function caddy(text) {
  const file = path.join(folder, 'Caddyfile');
  writeFileSync(file, text);
  return ['run', '--adapter', 'caddyfile', '--config', file];
}

for (const [file, command, wrap] of [
  ['nginx/rollcall.conf', 'nginx', nginx],
  ['caddy/Caddyfile', 'caddy', caddy],
]) {
  describe(file, () => {
    let proxy;
    before(async () => {
      proxy = await Proxy.start(file, command, wrap);
    });
    after(() => proxy?.stop());

    test('who has a good token passes, and the application learns who it is', async () => {
      const token = tokenOf('user_ada', { o: { id: 'org_1', rol: 'admin', slg: 'one' } });
      for (const method of ['GET', 'POST', 'DELETE']) {
        const body = method === 'POST' ? '{"order":1}' : '';
        const answer = await proxy.ask('/orders/1?x=%20y', { method, token, body });
        assert.equal(answer.status, 200, answer.body);
        assert.match(answer.body, /the application/);
        assert.equal(answer.passed.length, 1);
        const [passed] = answer.passed;
        assert.deepEqual([passed.method, passed.url], [method, '/orders/1?x=%20y']);
        assert.deepEqual(identityOf(passed), {
          'user-id': rows.user_ada.id,
          subject: 'user_ada',
          session: 'sess_ada',
          org: 'org_1',
          role: 'user',
          access: 'protected',
          rule: 'default',
          path: '/orders/1',
        });
      }
    });

    test('what the proxy takes of a head is not too much for the gate', async () => {
      const fields = [1, 2, 3].map((n) => ['Cookie', `c${n}=${'x'.repeat(7000)}`]);
      const long = `/orders?x=${'y'.repeat(6000)}`;
      const answer = await proxy.ask(long, { token: tokenOf('user_ada'), fields });
      assert.equal(answer.status, 200, answer.body);
      assert.equal((await proxy.ask(long, { fields })).status, 401);
    });

    test('without a good token it is 401 with the challenge, and goes no further', async () => {
      const none = await proxy.ask('/orders');
      assert.equal(none.status, 401);
      assert.equal(none.headers['www-authenticate'], 'Bearer realm="rollcall"');
      const now = Math.floor(Date.now() / 1000);
      for (const token of ['rubbish', tokenOf('user_ada', { exp: now - 60 })]) {
        const bad = await proxy.ask('/orders', { token });
        assert.equal(bad.status, 401);
        assert.match(bad.headers['www-authenticate'], /error="invalid_token"/);
        assert.deepEqual(bad.passed, []);
      }
      assert.deepEqual(none.passed, []);
    });

    test('who may not is 403', async () => {
      const user = await proxy.ask('/admin/users', { token: tokenOf('user_ada') });
      assert.deepEqual([user.status, user.passed], [403, []]);
      const admin = await proxy.ask('/admin/users', { token: tokenOf('user_root') });
      assert.equal(admin.status, 200);
      assert.equal(identityOf(admin.passed[0]).role, 'admin');
    });

    test('a public route asks for nothing, and nobody is named there', async () => {
      for (const token of [undefined, 'rubbish', tokenOf('user_root')]) {
        const answer = await proxy.ask('/health', { token });
        assert.equal(answer.status, 200);
        const { path: judged, ...rest } = identityOf(answer.passed[0]);
        assert.equal(judged, '/health');
        assert.equal(Object.values(rest).join(''), '');
      }
    });

    test('what a client says of itself does not arrive, however it is spelled', async () => {
      for (const spelling of SPELLINGS) {
        const names = NAMES.map(spelling);
        for (const [target, token] of [
          ['/health', undefined],
          ['/orders', tokenOf('user_ada')],
        ]) {
          const fields = names.flatMap((name) => [[name, SPOOFED], [name, SPOOFED]]);
          // Named as of this connection alone they must not take the gate's word with them.
          fields.push(['Connection', names.join(', ')]);
          const answer = await proxy.ask(target, { token, fields });
          assert.equal(answer.status, 200, `${names[0]}: ${answer.status} ${answer.body}`);
          const [passed] = answer.passed;
          const found = Object.entries(passed.fields).filter(
            ([name, values]) => name !== 'connection' && values.join().includes(SPOOFED),
          );
          assert.deepEqual(found, [], names[0]);
          const subject = target === '/health' ? '' : 'user_ada';
          assert.equal(identityOf(passed).subject, subject, names[0]);
        }
      }
    });

    test('a path is judged as it is passed on: odd ones are refused', async () => {
      const token = tokenOf('user_ada');
      for (const target of [
        '//admin/users',
        '/health/../admin/users',
        '/health/%2e%2e/admin/users',
        '/health%2f..%2fadmin',
        '/%2561dmin/users',
        '/health;x=1',
        '/health%00',
        '/admin%5cusers',
        '/admin//users',
        '/%ff',
      ]) {
        const answer = await proxy.ask(target, { token });
        assert.ok([400, 403].includes(answer.status), `${target}: ${answer.status}`);
        assert.deepEqual(answer.passed, [], target);
      }
      // Spelled in another way it is the same path: it needs an admin.
      for (const target of ['/%61dmin/users', '/admin/%75sers']) {
        const answer = await proxy.ask(target, { token });
        assert.deepEqual([answer.status, answer.passed], [403, []], target);
      }
    });

    test('two targets, or two tokens, let nobody in', async () => {
      const fields = [
        ['X-Original-URI', '/health'],
        ['X-Forwarded-Uri', '/health'],
        ['X-Original-URL', '/health'],
      ];
      const answer = await proxy.ask('/orders', { fields });
      assert.deepEqual([answer.status, answer.passed], [401, []]);
      const both = [['Authorization', `Bearer ${tokenOf('user_root')}`]];
      const twice = await proxy.ask('/orders', { token: tokenOf('user_ada'), fields: both });
      assert.ok([400, 401].includes(twice.status), `${twice.status}`);
      assert.deepEqual(twice.passed, []);
    });
  });
}

// Neither Traefik nor Envoy runs here: what their files say is compared with what the gate does.
const yaml = (file) => YAML.parse(readFileSync(path.join(examples, file), 'utf8'));
const sorted = (names) => names.map((name) => name.toLowerCase()).toSorted();
const GATES_WORD = sorted(IDENTITY.map((name) => `X-Rollcall-${name}`));
// Beside what is named here a proxy sets its own.
const STRIPPED = sorted(NAMES).filter((name) => name !== 'x-envoy-external-address');

test('traefik: strips first, asks with what the gate needs, takes all that it says', () => {
  const { entryPoints } = yaml('traefik/traefik.yml');
  assert.equal(entryPoints.web.forwardedHeaders.insecure, false);
  assert.equal(entryPoints.web.http.underscoreHeadersStrategy, 'delete');
  const { routers, middlewares, services, serversTransports } = yaml('traefik/dynamic.yml').http;
  for (const router of Object.values(routers)) {
    assert.deepEqual(router.middlewares, ['strip', 'gate']);
    const { serversTransport } = services[router.service].loadBalancer;
    assert.ok(serversTransports[serversTransport].forwardingTimeouts.dialTimeout);
  }
  const removed = middlewares.strip.headers.customRequestHeaders;
  const gone = sorted(Object.keys(removed));
  for (const name of [...STRIPPED, 'connection']) assert.ok(gone.includes(name), name);
  assert.deepEqual([...new Set(Object.values(removed))], ['']);
  const { forwardAuth } = middlewares.gate;
  assert.equal(new URL(forwardAuth.address).pathname, '/gate/decide');
  assert.equal(forwardAuth.trustForwardHeader, false);
  assert.ok(!forwardAuth.forwardBody);
  assert.deepEqual(sorted(forwardAuth.authResponseHeaders), GATES_WORD);
  assert.ok(forwardAuth.authRequestHeaders.includes('Authorization'));
  // One that is a target would stand beside Traefik's own.
  for (const name of forwardAuth.authRequestHeaders) assert.doesNotMatch(name, /^X-/i);
});

test('envoy: strips first, and the gate answers what it would ask', async () => {
  const { listeners, clusters } = yaml('envoy/envoy.yaml').static_resources;
  const [{ typed_config: manager }] = listeners[0].filter_chains[0].filters;
  assert.equal(manager.common_http_protocol_options.headers_with_underscores_action, 'DROP_HEADER');
  assert.deepEqual(
    manager.http_filters.map((filter) => filter.name.split('.').at(-1)),
    ['header_mutation', 'ext_authz', 'router'],
  );
  const [mutation, authz] = manager.http_filters.map((filter) => filter.typed_config);
  const steps = mutation.mutations.request_mutations;
  const removed = steps.filter((step) => step.remove).map((step) => step.remove);
  for (const name of STRIPPED) assert.ok(removed.includes(name), name);
  assert.equal(authz.failure_mode_allow, false);
  const { server_uri: server, path_prefix: prefix } = authz.http_service;
  const back = authz.http_service.authorization_response;
  assert.ok(clusters.some((cluster) => cluster.name === server.cluster && cluster.connect_timeout));
  assert.equal(server.timeout, '5s');
  const names = (list) => sorted(list.patterns.map((pattern) => pattern.exact));
  assert.deepEqual(names(back.allowed_upstream_headers), GATES_WORD);
  assert.ok(names(back.allowed_client_headers).includes('www-authenticate'));

  const request = { ':PATH': '/admin/1?x=%20y', ':METHOD': 'DELETE', ':AUTHORITY': HOST };
  const headers = { Authorization: `Bearer ${tokenOf('user_root')}` };
  const allowed = names(authz.allowed_headers);
  for (const { append } of steps.filter((step) => step.append)) {
    assert.equal(append.append_action, 'OVERWRITE_IF_EXISTS_OR_ADD');
    assert.ok(allowed.includes(append.header.key), append.header.key);
    headers[append.header.key] = request[/^%REQ\((.*)\)%$/.exec(append.header.value)[1]];
  }
  const ask = (more) =>
    service.request('DELETE', `${prefix}${request[':PATH']}`, { headers: { ...headers, ...more } });
  const answer = await ask({});
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['x-rollcall-path'], '/admin/1');
  assert.equal((await ask({ Authorization: `Bearer ${tokenOf('user_ada')}` })).status, 403);
});

// The last, since a gate that comes back has yet to fetch its keys.
test('while the gate is away nobody passes, public routes neither', async () => {
  for (const [file, command, wrap] of [
    ['nginx/rollcall.conf', 'nginx', nginx],
    ['caddy/Caddyfile', 'caddy', caddy],
  ]) {
    const proxy = await Proxy.start(file, command, wrap);
    try {
      await service.stop();
      const token = tokenOf('user_ada');
      for (const target of ['/health', '/orders']) {
        const answer = await proxy.ask(target, { token });
        assert.ok(answer.status >= 500, `${command} ${target}: ${answer.status}`);
        assert.deepEqual(answer.passed, []);
      }
    } finally {
      service.launch();
      await service.ready();
      await proxy.stop();
    }
  }
});
