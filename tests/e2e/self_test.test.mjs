// `rollcall doctor --self-test`: a deployment that is well, and each way in which one is not, with
// the step that says so. Between the command and the deployment stands a proxy that can answer in
// its place.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { parse } from 'yaml';

import { Postgres, wrongClock } from './postgres.mjs';
import { ADMIN_TOKEN, Service, WEBHOOK_SECRET, migrate } from './service.mjs';
import { binary, until } from './simulator.mjs';

let postgres, database, url, service, proxy;
before(async () => {
  postgres = await Postgres.start();
  database = await postgres.create();
  url = postgres.url(database);
  migrate(url);
  service = await Service.start(url);
  proxy = await Proxy.start(service.port);
});
after(async () => {
  proxy?.stop();
  await service?.stop();
  postgres?.remove();
});

// What a gateway before the deployment is: it passes requests on, or answers by itself.
class Proxy {
  static async start(port) {
    const self = new Proxy();
    self.answers = {};
    self.paths = [];
    self.server = http.createServer((request, response) => {
      self.paths.push(request.url);
      const own = self.answers[request.url];
      if (own) return response.writeHead(own.status).end(own.body);
      const { method, headers } = request;
      const onward = http.request({ port, method, path: request.url, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    });
    await new Promise((resolve) => self.server.listen(0, '127.0.0.1', resolve));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    return self;
  }
  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

// Runs a command to its end; the proxy goes on meanwhile.
async function rollcall(args, env) {
  const child = spawn(binary(), args, { env: { PATH: process.env.PATH, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

const adminUrl = () => `http://127.0.0.1:${service.adminPort}`;

// The exit code, and the findings: {step: {verdict, message, advice}}.
async function tried(args, env = {}) {
  const { code, stdout, stderr } = await rollcall(['doctor', '--json', ...args], {
    DATABASE_URL: url,
    CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ...env,
  });
  const checks = stdout ? JSON.parse(stdout).checks : [];
  for (const { verdict, advice, check } of checks) {
    if (verdict !== 'ok') assert.ok(advice, `${check}: no advice`);
  }
  return { code, stderr, steps: Object.fromEntries(checks.map((one) => [one.check, one])) };
}

test('a deployment that is well', async () => {
  const { code, steps, stderr } = await tried([
    '--self-test',
    proxy.url,
    '--admin-url',
    `${adminUrl()}/`,
  ]);
  assert.equal(code, 0, JSON.stringify(steps) + stderr);
  assert.deepEqual(Object.keys(steps), [
    'delivery',
    'job',
    'livez',
    'readyz',
    'metrics',
    'schema',
  ]);
  const [job] = await postgres.query(
    database,
    "SELECT status, subject, event_id FROM job_queue WHERE job_type = 'SELF_TEST'",
  );
  assert.equal(job.status, 'COMPLETED');
  assert.equal(job.subject, null);
  assert.match(job.event_id, /^self_test_/);
  const [{ users }] = await postgres.query(database, 'SELECT count(*)::int AS users FROM users');
  assert.equal(users, 0, 'nothing of a user is touched');
});

test('with a path of its own, which is kept', async () => {
  proxy.paths = [];
  const { code } = await tried(['--self-test', `${proxy.url}/api/webhooks/clerk`]);
  assert.equal(code, 0);
  assert.deepEqual(proxy.paths, ['/api/webhooks/clerk', '/livez', '/readyz']);
});

test('another secret, nobody there, another page, an old build, no database', async () => {
  const other = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const wrong = await tried(['--self-test', proxy.url], { CLERK_WEBHOOK_SECRET: other });
  assert.equal(wrong.code, 1);
  assert.match(wrong.steps.delivery.advice, /CLERK_WEBHOOK_SECRET here is not the deployment's/);

  const nobody = await tried(['--self-test', 'http://127.0.0.1:1']);
  assert.equal(nobody.code, 69);
  assert.match(nobody.steps.delivery.message, /no answer/);

  for (const [answer, code, words] of [
    [{ status: 404, body: 'no such page' }, 1, /public address/],
    [{ status: 502, body: '<html>' }, 1, /stands before/],
    [{ status: 503, body: '{}' }, 69, /database/],
    [{ status: 202, body: '{"success":true}' }, 1, /stands before/],
    [
      { status: 200, body: '{"success":true,"message":"Event type not handled"}' },
      1,
      /knows no self-test/,
    ],
  ]) {
    proxy.answers = { '/webhooks/clerk': answer };
    const found = await tried(['--self-test', proxy.url]);
    assert.equal(found.code, code, JSON.stringify(answer));
    assert.match(found.steps.delivery.advice, words);
  }
  proxy.answers = { '/readyz': { status: 503, body: 'draining' } };
  const unready = await tried(['--self-test', proxy.url]);
  assert.equal(unready.code, 1);
  assert.match(unready.steps.readyz.message, /answered 503: draining/);
  proxy.answers = {};
});

test('the database of another deployment, and a wrong admin listener', async () => {
  const elsewhere = postgres.url(await postgres.create());
  migrate(elsewhere);
  const found = await tried(['--self-test', proxy.url, '--wait', '1s'], {
    DATABASE_URL: elsewhere,
  });
  assert.equal(found.code, 1);
  assert.match(found.steps.job.advice, /is not the deployment's database/);
  const metrics = await tried(['--self-test', proxy.url, '--admin-url', proxy.url]);
  assert.equal(metrics.code, 1);
  assert.match(metrics.steps.metrics.advice, /admin listener/);
});

// A gateway that speaks TLS, with a certificate of its own authority for so many days.
async function behindTls(days) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-self-test-'));
  const [key, certificate] = ['key', 'certificate'].map((one) => path.join(folder, one));
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', key, '-out', certificate, '-days', String(days), '-subj', '/CN=test'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1'],
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  const secured = tls.createServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    (client) => {
      const inner = net.connect(Number(new URL(proxy.url).port), '127.0.0.1');
      client.on('error', () => inner.destroy()).pipe(inner);
      inner.on('error', () => client.destroy()).pipe(client);
    },
  );
  await new Promise((resolve) => secured.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${secured.address().port}`,
    trusted: { SSL_CERT_FILE: certificate },
    stop() {
      secured.close();
      rmSync(folder, { recursive: true });
    },
  };
}

test('a certificate: good, near its end, at its end, of nobody who is trusted', async () => {
  const [good, soon] = [await behindTls(90), await behindTls(9)];
  try {
    const well = await tried(['--self-test', good.url], good.trusted);
    assert.equal(well.code, 0, JSON.stringify(well.steps));
    assert.equal(Object.keys(well.steps)[0], 'certificate');
    assert.equal(well.steps.certificate.verdict, 'ok');
    assert.match(well.steps.certificate.message, /^ends in (89|90) days$/);

    const nearly = await tried(['--self-test', soon.url], soon.trusted);
    assert.equal(nearly.code, 0, JSON.stringify(nearly.steps));
    assert.equal(nearly.steps.certificate.verdict, 'warn');
    assert.match(nearly.steps.certificate.message, /^ends in [89] days$/);

    proxy.paths = [];
    for (const [env, words] of [
      [{ ...soon.trusted, ...wrongClock('+30d') }, /certificate has expired/],
      [{ SSL_CERT_FILE: '' }, /self-signed certificate/],
      [good.trusted, /self-signed certificate/],
    ]) {
      const refused = await tried(['--self-test', soon.url], env);
      assert.equal(refused.code, 1, JSON.stringify(refused.steps));
      assert.deepEqual(Object.keys(refused.steps), ['certificate']);
      assert.match(refused.steps.certificate.message, words);
      assert.match(refused.steps.certificate.advice, /renew it/);
    }
    assert.deepEqual(proxy.paths, [], 'what is refused gets no event');
    const plain = await tried(['--self-test', proxy.url.replace('http:', 'https:')]);
    assert.equal(plain.code, 1);
    assert.deepEqual(Object.keys(plain.steps), ['certificate']);
  } finally {
    for (const one of [good, soon]) one.stop();
  }
  const nobody = await tried(['--self-test', 'https://127.0.0.1:1']);
  assert.equal(nobody.code, 69);
  assert.deepEqual(Object.keys(nobody.steps), ['delivery']);
});

// What a pipeline has that cannot reach the database.
test('without the database the job is asked for over the admin API', async () => {
  const away = { DATABASE_URL: '', ROLLCALL_ADMIN_TOKEN: ADMIN_TOKEN };
  const asked = ['--self-test', proxy.url, '--admin-url', adminUrl()];
  const { code, steps } = await tried(asked, away);
  assert.equal(code, 0, JSON.stringify(steps));
  assert.deepEqual(Object.keys(steps), ['delivery', 'job', 'livez', 'readyz', 'metrics']);
  assert.match(steps.job.message, /^ran within/);

  const stranger = await tried(asked, { ...away, ROLLCALL_ADMIN_TOKEN: 'another' });
  assert.equal(stranger.code, 1);
  assert.match(stranger.steps.job.advice, /ROLLCALL_ADMIN_TOKEN here is not/);

  // Given up by a person meanwhile, and never begun.
  const idle = await Service.start(url, { ROLLCALL_SERVE_ROLES: 'ingest' });
  await service.stop();
  try {
    const behind = [
      ...['--self-test', `http://127.0.0.1:${idle.port}`],
      ...['--admin-url', `http://127.0.0.1:${idle.adminPort}`],
    ];
    const late = await tried([...behind, '--wait', '500ms'], away);
    assert.equal(late.code, 75, JSON.stringify(late.steps));
    assert.match(late.steps.job.message, /still PENDING/);
    const open = "job_type = 'SELF_TEST' AND status = 'PENDING'";
    await postgres.query(
      database,
      `SELECT rollcall.cancel_job(id) FROM job_queue WHERE ${open}`,
    );
    const waiting = tried(behind, away);
    await until(
      async () =>
        (
          await postgres.query(
            database,
            `SELECT rollcall.cancel_job(id) FROM job_queue WHERE ${open}`,
          )
        ).length > 0,
      'the job, to cancel it',
    );
    const cancelled = await waiting;
    assert.equal(cancelled.code, 1, JSON.stringify(cancelled.steps));
    assert.match(cancelled.steps.job.message, /is CANCELLED: cancelled on request/);
  } finally {
    await idle.stop();
    service = await Service.start(url);
    proxy.stop();
    proxy = await Proxy.start(service.port);
  }
});

test('a job that the admin listener does not know yet is waited for', async () => {
  let unknown = 2;
  const admin = http.createServer((request, response) => {
    if (request.url === '/metrics') return response.end('rollcall_build_info{} 1\n');
    if (unknown === 0) return response.end('{"status":"COMPLETED"}');
    unknown -= 1;
    response.writeHead(404).end('{"error":"no such job"}');
  });
  await new Promise((resolve) => admin.listen(0, '127.0.0.1', resolve));
  const words = ['--self-test', proxy.url, '--admin-url'];
  words.push(`http://127.0.0.1:${admin.address().port}`);
  const env = { DATABASE_URL: '', ROLLCALL_ADMIN_TOKEN: ADMIN_TOKEN };
  try {
    const late = await tried(words, env);
    assert.equal(late.code, 0, JSON.stringify(late.steps) + late.stderr);
    assert.equal(unknown, 0);
    unknown = Infinity;
    const never = await tried([...words, '--wait', '1s'], env);
    assert.equal(never.code, 1);
    assert.match(never.steps.job.message, /not known to the admin listener/);
    assert.match(never.steps.job.advice, /--admin-url is not the deployment's/);
  } finally {
    admin.closeAllConnections();
    admin.close();
  }
});

test('without a worker the job does not run in time', async () => {
  const idle = await Service.start(url, { ROLLCALL_SERVE_ROLES: 'ingest' });
  await service.stop();
  try {
    const { code, steps } = await tried([
      '--self-test',
      `http://127.0.0.1:${idle.port}`,
      '--wait',
      '500ms',
    ]);
    assert.equal(code, 75, JSON.stringify(steps));
    assert.match(steps.job.message, /still PENDING/);
    assert.match(steps.job.advice, /role worker/);
  } finally {
    await idle.stop();
    service = await Service.start(url);
    proxy.stop();
    proxy = await Proxy.start(service.port);
  }
});

test('what cannot be tried is refused before anything is sent', async () => {
  proxy.paths = [];
  const secretless = await tried(['--self-test', proxy.url], { CLERK_WEBHOOK_SECRET: '' });
  assert.equal(secretless.code, 78);
  assert.match(secretless.stderr, /set CLERK_WEBHOOK_SECRET/);
  const blind = await tried(['--self-test', proxy.url], { DATABASE_URL: '' });
  assert.equal(blind.code, 78);
  assert.match(blind.stderr, /DATABASE_URL, or --admin-url and ROLLCALL_ADMIN_TOKEN/);
  for (const address of ['', 'example.com', 'http://', 'http://ann:canary@127.0.0.1:1']) {
    for (const words of [
      ['--self-test', address],
      ['--self-test', proxy.url, '--admin-url', address],
    ]) {
      const refused = await tried(words);
      assert.equal(refused.code, 2, `${words}: ${refused.stderr}`);
      assert.match(refused.stderr, /not a usable URL|must not be empty/);
      assert.ok(!refused.stderr.includes('canary'));
    }
    assert.equal((await rollcall(['health', '--url', address], {})).code, 2);
  }
  assert.equal((await tried(['--self-test', proxy.url, '--wait', 'long'])).code, 2);
  assert.equal((await tried(['--wait', '1s'])).code, 2);
  assert.deepEqual(proxy.paths, []);
});

test('the example: each step as GitHub would run it', async () => {
  const file = new URL('../../examples/deploy-check/rollcall.yml', import.meta.url);
  const { steps } = parse(readFileSync(file, 'utf8')).jobs.deploy;
  const run = async (step, env = {}) => {
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', step.run], {
      env: {
        PATH: `${path.dirname(binary())}:${process.env.PATH}`,
        DATABASE_URL: url,
        CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
        ROLLCALL_URL: proxy.url,
        PAUSE: '0',
        ...env,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => (output += chunk));
    }
    const [code] = await once(child, 'close');
    return { code, output };
  };
  for (const step of steps) {
    // What the step is given is what the command asks for.
    const given = Object.keys(step.env ?? {});
    if (step.name === 'Try it out') {
      assert.deepEqual(given, ['ROLLCALL_URL', 'CLERK_WEBHOOK_SECRET']);
    }
    const { code, output } = await run(step, { VERSION: '1' });
    assert.equal(code, 0, `${step.name}: ${output}`);
  }
  const check = steps.at(-1);
  proxy.paths = [];
  proxy.answers = { '/webhooks/clerk': { status: 401, body: '{}' } };
  const unset = await run(check, { ROLLCALL_URL: '' });
  assert.equal(unset.code, 1);
  assert.match(unset.output, /::error::set the variable ROLLCALL_URL/);
  const refused = await run(check);
  assert.equal(refused.code, 1);
  assert.match(refused.output, /::error::the self-test of .* ended with 1/);
  assert.equal(proxy.paths.length, 1, 'what is wrong is not tried again');
  proxy.answers = { '/webhooks/clerk': { status: 503, body: '{}' } };
  const away = await run(check);
  assert.equal(away.code, 1);
  assert.match(away.output, /attempt 5: not yet/);
  proxy.answers = {};
});

test('rollcall health: ready, not ready, nobody there', async () => {
  const listen = { ROLLCALL_ADMIN_LISTEN: `0.0.0.0:${service.adminPort}` };
  const ready = await rollcall(['health'], listen);
  assert.equal(ready.code, 0, ready.stderr);
  assert.match(ready.stdout, /\[\+\]database ok/);
  const none = await rollcall(['health', '--url', 'http://127.0.0.1:1'], {});
  assert.equal(none.code, 1);
  assert.match(none.stderr, /no answer/);
  const homeless = await Service.start('postgresql:///x?host=/nowhere', {}, {
    waitUntilReady: false,
  });
  try {
    const started = async () =>
      (await homeless.get('/startupz', homeless.adminPort).catch(() => ({}))).status === 200;
    await until(started, 'the first look at the schema', 60_000);
    const unready = await rollcall(['health'], {
      ROLLCALL_ADMIN_LISTEN: `127.0.0.1:${homeless.adminPort}`,
    });
    assert.equal(unready.code, 1);
    assert.match(unready.stdout, /\[-\]database failed/);
  } finally {
    await homeless.stop();
  }
});
