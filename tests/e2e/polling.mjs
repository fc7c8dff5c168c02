// A database, a simulated Clerk and the built binary's `sync` and `audit` between them.
import assert from 'node:assert/strict';

import { start } from './child.mjs';
import { Service, freshDatabase, rollcall } from './service.mjs';
import { SECRET_KEY, Simulator, binary, faultsBinary, until } from './simulator.mjs';
import { table, truth } from './truth.mjs';

export class Polled {
  // `users` people in Clerk, nobody in the database, and no webhooks.
  static async start(postgres, users, ...flags) {
    const polled = new Polled();
    polled.services = [];
    polled.postgres = postgres;
    polled.database = await freshDatabase(postgres);
    const seed = flags.includes('--seed') ? [] : ['--seed', '7'];
    polled.sim = await Simulator.start('--users', String(users), ...seed, ...flags);
    polled.env = {
      DATABASE_URL: postgres.url(polled.database),
      CLERK_API_URL: polled.sim.url,
      CLERK_SECRET_KEY: SECRET_KEY,
      ROLLCALL_CLERK_RATE_LIMIT: '100000',
    };
    return polled;
  }

  // A service that polls, and takes webhooks only if `env` says so. Ends with this.
  async serve(env = {}) {
    const service = await Service.start(this.env.DATABASE_URL, {
      ...this.env,
      ROLLCALL_MODE: 'polling',
      CLERK_WEBHOOK_SECRET: '',
      ...env,
    });
    this.services.push(service);
    return service;
  }

  async stop() {
    for (const service of this.services) await service.stop('SIGKILL');
    return this.sim.stop();
  }

  run(args, env = {}) {
    const done = rollcall(args, { ...this.env, ...env });
    return {
      ...done,
      get json() {
        return JSON.parse(done.stdout);
      },
    };
  }

  sync(...args) {
    return this.run(['sync', '--json', ...args]);
  }

  // A complete pass that must complete.
  full(env = {}) {
    const done = this.run(['sync', '--full', '--json'], env);
    assert.equal(done.code, 0, done.stdout + done.stderr);
    return done.json;
  }

  audit() {
    return this.run(['audit', '--json']);
  }

  // A run that goes on beside the test: `ended` gives code and output.
  begin(args, env = {}) {
    const child = start(env.ROLLCALL_FAILPOINT ? faultsBinary() : binary(), args, {
      env: { PATH: process.env.PATH, ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (output.stdout += chunk));
    child.stderr.on('data', (chunk) => (output.stderr += chunk));
    const ended = child.closed.then(([code, signal]) => ({ code, signal, ...output }));
    return { child, ended };
  }

  query(text, values) {
    return this.postgres.query(this.database, text, values);
  }

  // Users seen by the run under way, as its record has it.
  seenSoFar() {
    return until(
      async () =>
        (await this.query("SELECT 1 FROM rollcall.sync_runs WHERE status = 'running' AND seen > 0"))
          .length > 0,
      'a run under way that has seen users',
      30_000,
    );
  }

  // A change in Clerk that no webhook tells of.
  async change(method, path, body) {
    const answer = await this.sim.raw(method, path, {
      body,
      headers: { 'content-type': 'application/json' },
    });
    return { ok: answer.ok, user: await answer.json().catch(() => ({})) };
  }

  // What is alive in the table, and the same of Clerk's.
  table() {
    return table(this.postgres, this.database);
  }

  truth() {
    return truth(this.sim.url);
  }

  async living() {
    return (await this.query('SELECT count(*)::int n FROM users WHERE deleted_at IS NULL'))[0].n;
  }

  // The table equals Clerk: by our own comparison, when none of a service's is under way, and by
  // Clerk's SDK.
  async equal(message) {
    const audit = await until(() => {
      const done = this.audit();
      return done.code !== 75 && done;
    }, 'a turn to compare');
    assert.equal(audit.code, 0, `${message ?? ''} ${audit.stdout}${audit.stderr}`);
    assert.deepEqual(await this.table(), await this.truth(), message);
  }

  // Rows of the mirror written so far. Sessions give their numbers up when they end.
  async rowsWritten() {
    await until(
      async () =>
        (
          await this.query(
            `SELECT 1 FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'rollcall-cli'`,
          )
        ).length === 0,
      'the end of the sessions',
    );
    const [{ written }] = await this.query(
      `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::int written FROM pg_stat_user_tables
       WHERE relname IN ('users', 'ledger')`,
    );
    return written;
  }
}
