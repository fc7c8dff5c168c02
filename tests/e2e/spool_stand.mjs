// A PostgreSQL that goes and comes back, and services with a spool before it.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, messageId, migrate, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

// With a folder for the spools.
export class Server {
  static async start() {
    const server = new Server();
    server.postgres = await Postgres.start();
    server.folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-spool-'));
    server.spools = 0;
    server.away = false;
    return server;
  }
  newSpool() {
    this.spools += 1;
    return path.join(this.folder, `spool${this.spools}`);
  }
  down() {
    this.postgres.down('immediate');
    this.away = true;
  }
  up() {
    if (this.away) this.postgres.up();
    this.away = false;
  }
  remove() {
    rmSync(this.folder, { recursive: true, force: true });
    return this.postgres.remove();
  }
}

// A service with a spool of its own on a database of its own, and what was sent to it.
export class Stand {
  static async start(server, { schema = true, env = {} } = {}) {
    const stand = new Stand();
    stand.server = server;
    stand.database = await server.postgres.create();
    stand.url = server.postgres.url(stand.database);
    if (schema) migrate(stand.url);
    stand.dir = server.newSpool();
    stand.env = { ROLLCALL_SPOOL_DIR: stand.dir, ...env };
    stand.service = await Service.start(stand.url, stand.env, { waitUntilReady: schema });
    stand.sent = [];
    return stand;
  }

  // One event, once; its answer, or null when there was none. An acknowledged one is noted.
  async send(one) {
    const answer = await this.service.deliver(one.body, { id: one.id }).catch(() => null);
    if (answer?.status === 202) one.job = answer.json.jobId;
    return answer;
  }
  add(more = {}) {
    const user = `user_${this.sent.length}`;
    const one = { id: messageId(), user, body: userEvent('user.created', user, 1e12, more) };
    this.sent.push(one);
    return one;
  }
  // So many new ones, one after the other, each until it is acknowledged.
  async acknowledge(count) {
    for (let at = 0; at < count; at += 1) {
      const one = this.add();
      await until(async () => (await this.send(one))?.status === 202, 'an acknowledgement');
    }
  }
  async spool() {
    const answer = await this.#admin('/statusz');
    assert.equal(answer.status, 200);
    return answer.json.spool;
  }
  alerts() {
    return this.#admin('/api/v1/alerts');
  }
  #admin(route) {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    return this.service.get(route, this.service.adminPort, headers);
  }
  files() {
    return readdirSync(this.dir).filter((name) => name !== 'lock');
  }
  query(text, values) {
    return this.server.postgres.query(this.database, text, values);
  }
  // Everything that was acknowledged is a job, once, and a row; in the order in which it was sent
  // but for the first ones, which were sent at once.
  async drained(atOnce = 0) {
    await this.service.ready();
    const acknowledged = this.sent.filter((one) => one.job !== undefined);
    await until(
      async () => {
        const [{ n }] = await this.query(
          "SELECT count(*)::int n FROM job_queue WHERE status = 'COMPLETED'",
        );
        return n >= acknowledged.length && (await this.spool()).events === 0;
      },
      'all jobs to be done',
      120_000,
    );
    const jobs = await this.query(
      `SELECT event_id, id::text, extract(epoch FROM created_at) * 1000 AS at
       FROM job_queue ORDER BY created_at`,
    );
    const known = new Map(jobs.map((job) => [job.event_id, job]));
    assert.equal(jobs.length, known.size, 'one job an event');
    let before = 0;
    for (const [at, one] of acknowledged.entries()) {
      const job = known.get(one.id);
      assert.ok(job, `the job of ${one.user}`);
      assert.equal(job.id, one.job, 'the job that the sender was told of');
      if (at < atOnce) continue;
      assert.ok(Number(job.at) >= before, `${one.user} in the order of arrival`);
      before = Number(job.at);
    }
    const rows = await this.query('SELECT clerk_id FROM public.users');
    const there = new Set(rows.map((row) => row.clerk_id));
    for (const one of acknowledged) assert.ok(there.has(one.user), one.user);
  }
  async stop() {
    this.server.up();
    await this.service.stop('SIGKILL');
  }
}
