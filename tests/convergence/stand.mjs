// One seed's world: a database behind a proxy, the simulated Clerk and Supabase Auth, and the
// service's processes between them.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { ended, start } from '../e2e/child.mjs';
import { Service, freePort } from '../e2e/service.mjs';
import { SECRET_KEY, Simulator, WEBHOOK_SECRET, binary, until } from '../e2e/simulator.mjs';
import { Keeper } from './keeper.mjs';

const SUPABASE_SECRET_KEY = 'sb_secret_rollcall_simulator';

// So that an hour's waiting takes no hour; none of it changes what must come out.
const HURRY = {
  ROLLCALL_JOBS_LEASE: '1s',
  ROLLCALL_JOBS_BACKOFF_BASE: '20ms',
  ROLLCALL_JOBS_BACKOFF_MAX: '200ms',
  ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
  // Ten tries take a quarter of an hour elsewhere, and a second here: shorter than some faults.
  ROLLCALL_JOBS_MAX_ATTEMPTS: '200',
  ROLLCALL_CLERK_TIMEOUT: '1s',
  ROLLCALL_CLERK_RATE_LIMIT: '1000000',
  ROLLCALL_SYNC_FULL_INTERVAL: '1d',
  ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000000',
  ROLLCALL_WEBHOOKS_FAILURES_PER_MINUTE: '1000000',
  ROLLCALL_WEBHOOKS_FAILURES_BURST: '1000000',
};
const SPEED = '2000';
const HASTEN_EVERY = 500; // ms

const isWaiting = "status IN ('PENDING', 'PROCESSING')";

export class Stand {
  static async start(plan, { postgres, proxy, template }) {
    const stand = new Stand();
    Object.assign(stand, { plan, postgres, proxy, keepers: [], findings: [], resent: new Set() });
    stand.database = `seed_${plan.seed}`;
    await postgres.query('postgres', `DROP DATABASE IF EXISTS ${stand.database} WITH (FORCE)`);
    // As files: a sequence that is copied page by page forgets its next values in a crash (they
    // are taken as logged, which they are for the template alone).
    const create = `CREATE DATABASE ${stand.database} TEMPLATE ${template} STRATEGY FILE_COPY`;
    await postgres.query('postgres', create);
    stand.postgresLogBegan = postgres.log().length;
    stand.simulator = await Simulator.start(
      ...['--seed', String(plan.seed), '--users', String(plan.users), '--speed', SPEED],
      // Its port closes and opens again: one that no connection gets meanwhile.
      ...['--supabase-listen', `127.0.0.1:${await freePort()}`],
      ...(plan.bare ? ['--supabase-bare'] : []),
    );
    const { environment } = stand.simulator;
    await until(() => environment.SUPABASE_SERVICE_ROLE_KEY, 'the lines about Supabase');
    stand.env = {
      ...HURRY,
      ...plan.env,
      ROLLCALL_MODE: plan.mode,
      CLERK_API_URL: stand.simulator.url,
      CLERK_SECRET_KEY: plan.mode === 'webhook' ? '' : SECRET_KEY,
      CLERK_WEBHOOK_SECRET: plan.mode === 'polling' ? '' : WEBHOOK_SECRET,
      SUPABASE_URL: environment.SUPABASE_URL,
      SUPABASE_SERVICE_ROLE_KEY: plan.secretKey
        ? SUPABASE_SECRET_KEY
        : environment.SUPABASE_SERVICE_ROLE_KEY,
    };
    await stand.simulator.control('PUT', '/faults', plan.faults);
    const count = plan.processes.length;
    if (plan.spool) stand.spool = mkdtempSync(path.join(os.tmpdir(), 'rollcall-seed-'));
    for (const [at, roles] of plan.processes.entries()) {
      const launches = plan.launches.filter((_, launch) => launch % count === at);
      const env = { ...stand.env, ROLLCALL_SERVE_ROLES: roles, ...stand.#spooling(at) };
      stand.keepers.push(await Keeper.start(stand.url, env, launches));
    }
    await stand.deliverTo(stand.keepers[0]);
    await stand.#begun();
    return stand;
  }

  // What happens before the first pass is found by that alone.
  async #begun() {
    if (this.plan.mode === 'webhook') return;
    const completed = "SELECT 1 FROM rollcall.sync_runs WHERE status = 'completed'";
    await until(async () => (await this.query(completed)).length > 0, 'the first pass');
  }

  get url() {
    return this.proxy.url(this.database);
  }

  query(text, values) {
    return this.postgres.query(this.database, text, values);
  }

  // A spool is one process's: the first one's, and in the end the last one's.
  #spooling(at) {
    return this.spool && at === 0 ? { ROLLCALL_SPOOL_DIR: path.join(this.spool, 'spool') } : {};
  }

  async deliverTo({ service, env = service.env }) {
    if (this.plan.mode === 'polling' || !env.ROLLCALL_SERVE_ROLES.includes('ingest')) return;
    await this.simulator.control('PATCH', '/endpoint', {
      url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
      enabled: true,
    });
  }

  // A command, beside the event loop that the proxy lives in.
  async run(args, env = {}) {
    const child = start(binary(), args, {
      env: {
        PATH: process.env.PATH,
        ...this.env,
        DATABASE_URL: this.postgres.url(this.database),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), 60_000);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const [code] = await ended(child);
    clearTimeout(limit);
    return { code, output };
  }

  // All faults are over, what ran has ended, one fresh process works off what there is, what was
  // lost on the way comes again, and a complete pass compares.
  async quiet() {
    await this.simulator.control('PUT', '/faults', { auth_down: false });
    this.proxy.losing = null;
    await Promise.all(this.keepers.map((keeper) => keeper.stop()));
    this.last = await Service.start(this.url, {
      ...this.env,
      ROLLCALL_SERVE_ROLES: 'ingest worker scheduler',
      ROLLCALL_SYNC_INTERVAL: '1d',
      // What is left is not worked off one by one.
      ROLLCALL_JOBS_BATCH: '256',
      ROLLCALL_JOBS_CONCURRENCY: '16',
      ROLLCALL_SUPABASE_CONCURRENCY: '8',
      ...this.#spooling(0),
      ...(this.plan.editsCopies ? { ROLLCALL_SUPABASE_COMPARE_INTERVAL: '1s' } : {}),
    });
    await this.deliverTo({ service: this.last });
    await this.#again('nothing on its way', () => this.#delivered());
    if (this.spool) await this.#again('an empty spool', () => this.#drained());
    // Before the queue is empty: jobs may wait for what only a pass brings.
    if (this.plan.mode !== 'webhook') await this.#pass();
    await this.#workOff();
    if (this.plan.mode !== 'webhook') await this.#followed();
    // What somebody did to the copies is found by a comparison alone.
    if (this.plan.editsCopies) await this.#compared();
  }

  // The comparison of the mirror that follows a pass, which sets dead letters going again.
  async #followed() {
    await this.#again('the comparison after the pass', async () => {
      const [{ followed }] = await this.query(
        `SELECT coalesce(s.compared_at >= y.full_completed_at, false) AS followed
         FROM rollcall.mirror_state s, rollcall.sync_state y`);
      return followed;
    });
    await this.#workOff();
  }

  async #compared() {
    const compared = async () =>
      (await this.query('SELECT compared_at::text AS at FROM rollcall.mirror_state'))[0].at;
    const before = await compared();
    await this.#again('a comparison', async () => (await compared()) !== before);
    await this.#workOff();
  }

  async #drained() {
    return /^rollcall_spool_events 0$/m.test(await this.last.metrics());
  }

  #pass() {
    return this.#again('a complete pass', async () => {
      const { code, output } = await this.run(['sync', '--full', '--json']);
      if (![0, 75].includes(code)) throw new Error(`sync --full: ${code} ${output}`);
      return code === 0;
    });
  }

  // Until nothing waits in the queue, however long it would.
  #workOff() {
    let hastened = 0;
    return this.#again('an empty queue', async () => {
      if (Date.now() - hastened > HASTEN_EVERY) {
        await this.#hasten();
        hastened = Date.now();
      }
      return (await this.#waiting()) === 0;
    });
  }

  async #again(what, condition) {
    try {
      await until(
        async () => {
          if (await condition()) return true;
          await new Promise((resolve) => setTimeout(resolve, 100));
          return false;
        },
        what,
        90_000,
      );
    } catch (error) {
      const left = await this.query(
        `SELECT job_type, status, subject, attempts, error FROM job_queue WHERE ${isWaiting}`);
      throw new Error(`${error.message}: ${JSON.stringify(left)}`);
    }
  }

  // As when the time has passed that a job waits for.
  #hasten() {
    return this.query(
      `WITH hastened AS (
         UPDATE job_queue SET run_at = now() WHERE status = 'PENDING' AND run_at > now()
         RETURNING 1)
       SELECT pg_notify('rollcall_jobs', '') FROM hastened LIMIT 1`);
  }

  async #waiting() {
    const [{ n }] = await this.query(
      `SELECT count(*)::int n FROM job_queue WHERE ${isWaiting}`);
    return n;
  }

  // What was lost or refused comes again, as an operator would ask Svix to send it.
  async #delivered() {
    if (this.plan.mode === 'polling') return true;
    const { messages } = await this.simulator.control('GET', '');
    if (messages.pending > 0) await this.#resend();
    if (!this.plan.replay) return messages.pending === 0;
    if (messages.missing > 0) await this.simulator.control('POST', '/replay?status=missing');
    if (messages.failed > 0) await this.simulator.control('POST', '/replay?status=failed');
    return messages.pending + messages.failed + messages.missing === 0;
  }

  // What waits for its next try comes at once, each once.
  async #resend() {
    const { messages } = await this.simulator.control(
      'GET', '/messages?status=pending&limit=10000');
    for (const { id } of messages.filter((message) => !this.resent.has(message.id))) {
      this.resent.add(id);
      await this.simulator.control('POST', `/messages/${id}/resend`);
    }
  }

  // Everything that says what happened, by name.
  async evidence() {
    const rows = async (table) =>
      this.query(`SELECT * FROM ${table}`).catch((error) => [{ error: String(error) }]);
    const told = (path) => this.simulator.control('GET', path).catch((error) => String(error));
    return {
      'plan.json': this.plan,
      'service.log': [...this.keepers.map((one) => one.service), this.last]
        .filter(Boolean)
        .map((service) => service.log)
        .join('==== next process\n'),
      'postgres.log': this.postgresLog(),
      'users.json': await rows('public.users'),
      'ledger.json': await rows('rollcall.ledger'),
      'mirror_users.json': await rows('rollcall.mirror_users'),
      'jobs.json': await rows('public.job_queue'),
      'sync_runs.json': await rows('rollcall.sync_runs'),
      'absences.json': await rows('rollcall.absences'),
      'held_deletes.json': await rows('rollcall.held_deletes'),
      'clerk.json': await told('/users?limit=1000'),
      'messages.json': await told('/messages?limit=10000'),
      'auth.json': await told('/auth/users'),
      'auth_requests.json': await told('/auth/requests'),
    };
  }

  postgresLog() {
    return this.postgres.log().slice(this.postgresLogBegan);
  }

  async stop() {
    await Promise.all(this.keepers.map((keeper) => keeper.stop('SIGKILL')));
    if (this.last) await this.last.stop('SIGKILL');
    await this.simulator.stop();
    if (this.spool) rmSync(this.spool, { recursive: true, force: true });
    await this.postgres.query(
      'postgres', `DROP DATABASE IF EXISTS ${this.database} WITH (FORCE)`);
  }
}
