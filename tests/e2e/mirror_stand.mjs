// A database, the simulated Clerk and Supabase Auth, and the service between them.
import assert from 'node:assert/strict';

import { ADMIN_TOKEN, Service, freePort, freshDatabase } from './service.mjs';
import { SECRET_KEY, Simulator, WEBHOOK_SECRET, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

export class Stand {
  // `args` are flags of `rollcall sim`.
  static async start(postgres, args = [], env = {}) {
    const stand = new Stand();
    stand.postgres = postgres;
    const listen = ['--supabase-listen', `127.0.0.1:${await freePort()}`];
    stand.database = await freshDatabase(postgres);
    stand.sim = await Simulator.start('--speed', '200', ...listen, ...args);
    stand.auth = await Auth.of(stand.sim);
    stand.service = await Service.start(postgres.url(stand.database), {
      ROLLCALL_MODE: 'hybrid',
      CLERK_API_URL: stand.sim.url,
      CLERK_SECRET_KEY: SECRET_KEY,
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
      ROLLCALL_SYNC_INTERVAL: '1h',
      ...stand.auth.environment,
      ...env,
    });
    await stand.sim.control('PATCH', '/endpoint', {
      url: `http://127.0.0.1:${stand.service.port}/webhooks/clerk`,
    });
    await until(
      () => stand.some("SELECT 1 FROM rollcall.sync_runs WHERE status = 'completed'"),
      'the first pass',
    );
    return stand;
  }

  async stop() {
    const code = await this.service.stop();
    await this.sim.stop();
    assert.equal(code, 0, this.service.log);
  }

  async some(text) {
    return (await this.query(text)).length > 0;
  }
  query(text, values) {
    return this.postgres.query(this.database, text, values);
  }

  // A change in Clerk; the user.
  async clerk(method, path, body) {
    const answer = await this.sim.raw(method, path, {
      body,
      headers: { 'content-type': 'application/json' },
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.json();
  }
  person(email, more = {}) {
    return this.clerk('POST', '/users', { email_address: email ? [email] : [], ...more });
  }
  // An address added, made primary, and the ones before it gone.
  async move(user, email) {
    const { id } = await this.clerk('POST', '/email_addresses', {
      user_id: user.id,
      email_address: email,
      verified: true,
      primary: true,
    });
    for (const old of user.email_addresses) {
      await this.clerk('DELETE', `/email_addresses/${old.id}`);
    }
    return id;
  }

  async copy(clerkId) {
    const copies = (await this.auth.users()).filter(
      (user) => user.app_metadata.clerk_id === clerkId,
    );
    assert.ok(copies.length <= 1, `${clerkId} has ${copies.length} Auth users`);
    return copies[0];
  }
  mirrored(clerkId, condition, what) {
    return until(
      async () => {
        const copy = await this.copy(clerkId);
        return copy && condition(copy) && copy;
      },
      what,
      30_000,
    ).catch((error) => {
      throw new Error(`${error.message}\n${this.service.log}`);
    });
  }
  async dead(clerkId) {
    const rows = await until(
      async () => {
        const found = await this.query(
          `SELECT id, error FROM job_queue
           WHERE job_type = 'MIRROR_USER' AND subject = $1 AND status = 'FAILED'`,
          [clerkId],
        );
        return found.length > 0 && found;
      },
      `a dead letter of ${clerkId}`,
      30_000,
    );
    return rows[0];
  }
  async quiet() {
    await until(
      async () =>
        (
          await this.query("SELECT 1 FROM job_queue WHERE status IN ('PENDING', 'PROCESSING')")
        ).length === 0,
      'an empty queue',
      120_000,
    );
  }
  async status() {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await this.service.get('/statusz', this.service.adminPort, headers);
    const { mirror, circuits } = answer.json;
    assert.deepEqual(Object.keys(circuits), ['clerk', 'supabase_auth']);
    for (const circuit of Object.values(circuits)) {
      assert.deepEqual(Object.keys(circuit), ['state', 'since', 'next_probe_ms', 'failures']);
    }
    return mirror;
  }

  // That everybody in the table has a copy that says the same, and nobody else has one.
  async equal(what) {
    const rows = await this.query(
      `SELECT u.clerk_id, lower(u.email) AS email, u.name, u.role, l.banned OR l.locked AS banned
       FROM users u JOIN rollcall.ledger l USING (clerk_id)
       WHERE u.deleted_at IS NULL ORDER BY u.clerk_id COLLATE "C"`);
    const copies = (await this.auth.users())
      .map((user) => ({
        clerk_id: user.app_metadata.clerk_id,
        email: user.email,
        name: user.user_metadata.full_name ?? null,
        role: user.app_metadata.role,
        banned: Boolean(user.banned_until),
      }))
      .sort((a, b) => (a.clerk_id < b.clerk_id ? -1 : 1));
    assert.deepEqual(copies, rows, what);
  }
}
