// The built binary's `rollcall sim` as a black box, and a receiver for what it delivers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { ended, isRunning, release, start } from './child.mjs';

export const SECRET_KEY = 'sk_test_e2e';
export const WEBHOOK_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

// ROLLCALL_BINARY, else whichever build is the newest: never a stale one.
export function binary() {
  if (process.env.ROLLCALL_BINARY) return process.env.ROLLCALL_BINARY;
  const candidates = [
    path.join(root, 'build/dev/rollcall'),
    path.join(root, 'build/release/rollcall'),
  ];
  const built = (candidate) => statSync(candidate).mtimeMs;
  const [found] = candidates
    .filter((candidate) => existsSync(candidate))
    .sort((a, b) => built(b) - built(a));
  if (!found) throw new Error(`no rollcall binary: build it first (${candidates.join(', ')})`);
  return found;
}

// The same program with fail points that can be armed, built beside it.
export function faultsBinary() {
  const found = path.join(path.dirname(binary()), 'rollcall_faults');
  if (!existsSync(found)) throw new Error(`no ${found}: cmake --build … --target rollcall_faults`);
  return found;
}

// Waits until `condition` returns something truthy, and returns that. The limit is for what never
// comes, not for what is slow.
export async function until(condition, what, limit = 60_000) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// `turn(number)` makes something happen and returns the condition that is to hold within `limit`
// milliseconds of it. Has up to three turns: other work of the machine can only make one longer.
export async function within(limit, what, turn) {
  const took = [];
  while (took.length < 3 && !(took.at(-1) < limit)) {
    const condition = await turn(took.length);
    const since = performance.now();
    await until(condition, what);
    took.push(Math.round(performance.now() - since));
  }
  assert.ok(took.at(-1) < limit, `${what}: ${took} ms`);
}

// Runs `rollcall sim` to its end; for what it refuses.
export async function runToEnd(...args) {
  const child = spawn(binary(), ['sim', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  return { code, output };
}

export class Simulator {
  static async start(...args) {
    const all = ['sim', '--listen', '127.0.0.1:0', '--secret-key', SECRET_KEY];
    const child = start(binary(), [...all, '--webhook-secret', WEBHOOK_SECRET, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk) => (errors += chunk));
    const exited = child.closed.then(([code]) => {
      throw new Error(`rollcall sim ended with ${code}: ${errors}`);
    });
    exited.catch(() => {});
    const lines = readline.createInterface({ input: child.stdout });
    // The lines for a shell, as they come.
    const environment = {};
    lines.on('line', (line) => {
      const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
      if (name) environment[name] = value;
    });
    const [first] = await Promise.race([once(lines, 'line'), exited]);
    const url = /^sim listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(first)?.[1];
    if (!url) throw new Error(`unexpected first line: ${first}`);
    release(child);
    return new Simulator(child, url, environment);
  }

  constructor(child, url, environment) {
    this.child = child;
    this.url = url;
    this.environment = environment;
  }

  async stop() {
    if (isRunning(this.child)) this.child.kill('SIGTERM');
    const [code] = await ended(this.child);
    return code;
  }

  // A control route; throws on anything but 200.
  async control(method, path, body) {
    const response = await fetch(`${this.url}/sim${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (response.status !== 200) {
      throw new Error(`${method} /sim${path}: ${response.status} ${text}`);
    }
    return JSON.parse(text);
  }

  faults(changes) {
    return this.control('PATCH', '/faults', changes);
  }

  // The Backend API without the SDK.
  raw(method, path, { body, headers } = {}) {
    return fetch(`${this.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${SECRET_KEY}`, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  messages(query = '') {
    return this.control('GET', `/messages${query}`).then((answer) => answer.messages);
  }
}

// Keeps every delivery: headers, exact body, parsed event.
export class Receiver {
  static async start() {
    const receiver = new Receiver();
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    receiver.server.unref();
    return receiver;
  }

  constructor() {
    this.deliveries = [];
    this.answer = () => ({ status: 200 });
    this.server = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString('utf8');
      const delivery = { method: request.method, headers: request.headers, body, at: Date.now() };
      this.deliveries.push(delivery);
      const { status, headers } = this.answer(delivery, this.deliveries.length);
      response.writeHead(status, headers).end();
    });
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/webhooks/clerk`;
  }

  clear() {
    this.deliveries = [];
    this.answer = () => ({ status: 200 });
  }

  events() {
    return this.deliveries.map((delivery) => JSON.parse(delivery.body));
  }

  count(number) {
    return until(() => this.deliveries.length >= number, `${number} deliveries`);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
