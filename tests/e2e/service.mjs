// The built binary's `rollcall serve` as a black box, and Clerk's side of the webhook, signed by
// the real svix library.
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import { createServer } from 'node:net';
import { Webhook } from 'svix';

import { ended, isRunning, release, start } from './child.mjs';
import { binary, faultsBinary, until } from './simulator.mjs';

export const WEBHOOK_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
export const ADMIN_TOKEN = 'admin-token-of-the-tests';
export const CRON_SECRET = 'cron-key-of-the-tests';

// For who is answered 202 or has failed: how fast the disk of a machine under load commits is not
// what is looked at there.
export const patient = { ROLLCALL_WEBHOOKS_ANSWER_TIMEOUT: '10s' };

// The latest ports are held for this process alone by a datagram socket of the same number, which
// is in nobody's way and goes with the process: test files that run side by side draw from the
// same ports, and a service may come to its own later, or leave it for a while.
const holders = [];
const held_max = 500;

async function hold(port) {
  const holder = createSocket({ type: 'udp4', exclusive: true }).unref();
  holder.bind(port, '127.0.0.1');
  await once(holder, 'listening');
  holders.push(holder);
  if (holders.length > held_max) holders.shift().close();
}

// A port that nobody has, below those that the kernel gives to connections: it stays free until
// the service takes it, and while the service is away.
export async function freePort() {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    try {
      await hold(port);
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    } catch {
      continue;
    }
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

// Runs a command of the binary to its end.
export function rollcall(args, env = {}, input) {
  const done = spawnSync(binary(), args, {
    encoding: 'utf8',
    input,
    timeout: 60_000,
    env: { PATH: process.env.PATH, ...env },
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

export function migrate(url, env = {}) {
  const done = rollcall(['migrate'], { DATABASE_URL: url, ...env });
  if (done.code !== 0) throw new Error(`migrate: ${done.code} ${done.stdout}${done.stderr}`);
  return done.stdout;
}

// A new database of `postgres` with the schema in it; its name.
export async function freshDatabase(postgres) {
  const database = await postgres.create();
  migrate(postgres.url(database));
  return database;
}

export class Service {
  // In webhook mode unless `env` says otherwise; of this build unless `program` is another.
  static async start(
    url,
    env = {},
    { waitUntilReady = true, program = binary(), failpoint } = {},
  ) {
    const service = new Service();
    service.program = program;
    service.port = await freePort();
    service.adminPort = await freePort();
    service.env = {
      PATH: process.env.PATH,
      DATABASE_URL: url,
      ROLLCALL_MODE: 'webhook',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ROLLCALL_LISTEN: `127.0.0.1:${service.port}`,
      ROLLCALL_ADMIN_LISTEN: `127.0.0.1:${service.adminPort}`,
      ROLLCALL_ADMIN_TOKEN: ADMIN_TOKEN,
      CRON_SECRET,
      ROLLCALL_LOG_FORMAT: 'json',
      ...env,
    };
    service.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    service.log = '';
    service.launch({ failpoint });
    if (waitUntilReady) await service.ready();
    return service;
  }

  // With `prefix`, the words of a command that becomes the service in the end; with `failpoint`,
  // the program that has fail points, and this one armed.
  launch({ prefix = [], failpoint } = {}) {
    const program = failpoint ? faultsBinary() : this.program;
    const [command, ...words] = [...prefix, program, 'serve'];
    const env = failpoint ? { ...this.env, ROLLCALL_FAILPOINT: failpoint } : this.env;
    this.child = start(command, words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr.on('data', (chunk) => (this.log += chunk));
    release(this.child);
  }

  // Its end, as [code, signal].
  get closed() {
    return ended(this.child);
  }

  ready() {
    return until(
      async () => {
        if (!isRunning(this.child)) throw new Error(`serve ended: ${this.log}`);
        return (await this.get('/readyz', this.adminPort).catch(() => ({}))).status === 200;
      },
      'the service to be ready',
      30_000,
    );
  }

  // As the power would: nothing is drained.
  async kill() {
    this.child.kill('SIGKILL');
    await this.closed;
  }

  async stop(signal = 'SIGTERM') {
    if (isRunning(this.child)) this.child.kill(signal);
    const [code] = await this.closed;
    this.agent.destroy();
    return code;
  }

  // `timeout`: how long the answer may take; a pass by the cron route takes as long as it does.
  request(method, path, { port = this.port, headers = {}, body, timeout = 30_000 } = {}) {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { agent: this.agent, host: '127.0.0.1', port, method, path, headers, timeout },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({
              status: response.statusCode,
              headers: response.headers,
              text,
              get json() {
                return JSON.parse(text);
              },
            });
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('time-out')));
      request.on('error', reject);
      request.end(body);
    });
  }

  get(path, port = this.port, headers = {}) {
    return this.request('GET', path, { port, headers });
  }

  // Delivers exact bytes, signed by svix unless headers are given.
  deliver(body, { id, headers, path = '/webhooks/clerk' } = {}) {
    return this.request('POST', path, { body, headers: headers ?? signed(body, id) });
  }

  metrics() {
    return this.get('/metrics', this.adminPort).then((answer) => answer.text);
  }
}

let messages = 0;
export const messageId = () => `msg_e2e${process.pid}${String((messages += 1)).padStart(12, '0')}`;

// The headers of a delivery, as Svix sends them.
export function signed(body, id = messageId(), { secret = WEBHOOK_SECRET, at = new Date() } = {}) {
  return {
    'content-type': 'application/json',
    'user-agent': 'Svix-Webhooks/1.99.1',
    'svix-id': id,
    'svix-timestamp': String(Math.floor(at.getTime() / 1000)),
    'svix-signature': new Webhook(secret).sign(id, at, body),
  };
}

// A user event after Clerk's specification; `version` is updated_at in milliseconds.
export function userEvent(
  type,
  id,
  version,
  { email = `${id}@example.com`, first = 'Grace', last = 'Hopper', role, ...more } = {},
) {
  return JSON.stringify({
    object: 'event',
    type,
    instance_id: 'ins_e2e',
    timestamp: version,
    data: {
      object: 'user',
      id,
      first_name: first,
      last_name: last,
      username: null,
      primary_email_address_id: email === null ? null : 'idn_1',
      email_addresses:
        email === null
          ? []
          : [
              {
                id: 'idn_1',
                object: 'email_address',
                email_address: email,
                verification: { status: 'verified', strategy: 'email_code' },
                linked_to: [],
              },
            ],
      public_metadata: role ? { role } : {},
      private_metadata: {},
      unsafe_metadata: {},
      banned: false,
      locked: false,
      created_at: version,
      updated_at: version,
      ...more,
    },
  });
}

export function deletedEvent(id, at = Date.now()) {
  return JSON.stringify({
    object: 'event',
    type: 'user.deleted',
    instance_id: 'ins_e2e',
    timestamp: at,
    data: { object: 'user', id, deleted: true },
  });
}
