// The career quiz of examples/, whole: the simulated Clerk, PostgreSQL with the quiz's tables,
// rollcall with its policy, its program, and nginx in front: with the configuration of
// examples/nginx and the lines of the quiz's README, in which only addresses are others.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { ended, isRunning, release, start } from './child.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freePort, freshDatabase } from './service.mjs';
import { Simulator, until } from './simulator.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PARTY = 'https://app.example.com';
const example = path.join(root, 'examples/career-quiz');

// The newest build of the example's program: by itself, or in rollcall's own.
function program() {
  const builds = ['build/examples/career-quiz', 'build/dev/examples/career-quiz/upstream']
    .map((folder) => path.join(root, folder, 'career_quiz'))
    .filter((file) => existsSync(file))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (builds.length === 0) throw new Error('no career_quiz: build examples/career-quiz/upstream');
  return builds[0];
}

const running = async (child, port, ask) => {
  release(child);
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  await until(async () => {
    if (!isRunning(child)) throw new Error(`${child.spawnfile} ended: ${log}`);
    return (await ask(port).catch(() => null)) !== null;
  }, child.spawnfile);
  return child;
};

export class CareerQuiz {
  static async start() {
    const quiz = new CareerQuiz();
    quiz.folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-quiz-'));
    quiz.postgres = await Postgres.start();
    quiz.database = await freshDatabase(quiz.postgres);
    quiz.port = await freePort();
    const events = `http://127.0.0.1:${quiz.port}/api/webhooks/clerk`;
    quiz.sim = await Simulator.start('--webhook-url', events, '--seed', '15');
    await until(() => quiz.sim.environment.CLERK_PUBLISHABLE_KEY, 'the simulator to say its keys');
    quiz.psql(path.join(example, 'schema.sql'));
    quiz.service = await Service.start(quiz.postgres.url(quiz.database), {
      ...quiz.sim.environment,
      ROLLCALL_GATE_POLICY: path.join(example, 'policy.toml'),
      ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
      CLERK_AUTHORIZED_PARTIES: PARTY,
    });
    await until(() => quiz.service.log.includes('jwks_taken'), 'the keys');
    await quiz.serve();
    await quiz.proxy();
    return quiz;
  }

  psql(file) {
    const url = this.postgres.url(this.database);
    const words = ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', file];
    const done = spawnSync(path.join(this.postgres.bin, 'psql'), words, { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
  }

  async serve() {
    this.upstreamPort = await freePort();
    const url = this.postgres.url(this.database).replace('user=postgres', 'user=quiz_app');
    const words = [String(this.upstreamPort), url, path.join(example, 'quiz.html')];
    const child = start(program(), words, { stdio: ['ignore', 'ignore', 'pipe'] });
    const ask = (port) => this.request('GET', '/quiz', { port });
    this.upstream = await running(child, this.upstreamPort, ask);
  }

  // One process in the foreground, with a folder of its own, which any account may start.
  async proxy() {
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${path.join(this.folder, name)};`)
      .join(' ');
    const readme = readFileSync(path.join(example, 'README.md'), 'utf8');
    const [, locations] = /```nginx\n(.*?)```/s.exec(readme);
    let text = readFileSync(path.join(example, '../nginx/rollcall.conf'), 'utf8');
    for (const [from, to] of [
      ['127.0.0.1:8080', `127.0.0.1:${this.service.port}`],
      ['127.0.0.1:3000', `127.0.0.1:${this.upstreamPort}`],
      ['127.0.0.1:8000', `127.0.0.1:${this.port}`],
      ['location / {', `${locations}\nlocation / {`],
    ]) {
      assert.equal(text.split(from).length, 2, `once: ${from}`);
      text = text.replace(from, to);
    }
    const file = path.join(this.folder, 'nginx.conf');
    writeFileSync(file, `events {}\nhttp {\naccess_log off;\n${folders}\n${text}}\n`);
    const own = `daemon off; master_process off; pid ${path.join(this.folder, 'pid')};`;
    const words = ['-p', this.folder, '-e', 'stderr', '-c', file, '-g', own];
    const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const child = start('nginx', words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.nginx = await running(child, this.port, (port) => this.request('GET', '/quiz', { port }));
  }

  // Through nginx, unless `port` says otherwise.
  request(method, where, { token, json, headers = {}, body, port = this.port } = {}) {
    return this.service.request(method, where, {
      port,
      headers: {
        Host: 'app.example.com',
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? body : JSON.stringify(json),
    });
  }

  sql(text, values) {
    return this.postgres.query(this.database, text, values);
  }

  // Somebody signs up. Clerk tells of it through nginx, as it does in life; the row.
  async user(name) {
    const email_address = [`${name}@example.com`];
    const made = await this.sim.raw('POST', '/users', { body: { email_address } });
    assert.equal(made.status, 200);
    const { id } = await made.json();
    return until(async () => {
      const [row] = await this.sql('SELECT * FROM users WHERE clerk_id = $1', [id]);
      return row;
    }, name);
  }

  // A session token of the user in `row`, as a browser of the application has it.
  async token(row) {
    return (await this.sim.control('POST', '/tokens', { user_id: row.clerk_id, azp: PARTY })).jwt;
  }

  async stop() {
    for (const child of [this.nginx, this.upstream]) {
      if (!child) continue;
      child.kill('SIGTERM');
      await ended(child);
    }
    await this.service?.stop();
    await this.sim?.stop();
    this.postgres?.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
