// A change that can never be applied becomes a dead letter, holds up nobody else, and is no reason
// to take an older state for a newer one when a person tries it again.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, migrate, rollcall, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

// fault 30
test('a change that the table refuses holds up nobody, not even the same user', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const database = await postgres.create();
  const url = postgres.url(database);
  migrate(url);
  const query = (text, values) => postgres.query(database, text, values);
  await query("ALTER TABLE users ADD CONSTRAINT no_poison CHECK (name NOT LIKE 'Poison%')");
  const service = await Service.start(url, {
    ROLLCALL_JOBS_MAX_ATTEMPTS: '3',
    ROLLCALL_JOBS_BACKOFF_BASE: '50ms',
    ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
  });
  try {
    const deliver = async (...event) => {
      const answer = await service.deliver(userEvent(...event));
      assert.equal(answer.status, 202);
      return answer.json.jobId;
    };
    const job = async (id) =>
      (await query('SELECT status, attempts, error FROM job_queue WHERE id = $1', [id]))[0];
    const row = async () =>
      (await query("SELECT name FROM users WHERE clerk_id = 'user_sick'"))[0]?.name;
    const becomes = (id, status) =>
      until(async () => (await job(id)).status === status, `${id} to be ${status}`);

    const poison = [];
    for (let n = 1; n <= 3; n += 1) {
      poison.push(await deliver('user.updated', 'user_sick', n, { first: `Poison${n}` }));
    }
    const others = [];
    for (let n = 0; n < 300; n += 1) others.push(await deliver('user.created', `user_well${n}`, 1));
    await until(
      async () => (await query('SELECT count(*)::int n FROM users'))[0].n === others.length,
      'the rows of all others',
    );
    await becomes(poison[2], 'FAILED');
    const given_up = await job(poison[2]);
    assert.match(given_up.error, /no_poison/);
    assert.equal(given_up.attempts, 3, 'as many as it has');
    for (const id of poison) assert.notEqual((await job(id)).status, 'PROCESSING');

    const cure = await deliver('user.updated', 'user_sick', 10, { first: 'Cured', last: '' });
    await becomes(cure, 'COMPLETED');
    assert.equal(await row(), 'Cured');

    // The cause is gone; what was given up is tried again, and is old by now.
    await query('ALTER TABLE users DROP CONSTRAINT no_poison');
    const done = rollcall(['jobs', 'retry', poison[2]], { DATABASE_URL: url });
    assert.equal(done.code, 0, done.stderr);
    await becomes(poison[2], 'COMPLETED');
    assert.equal(await row(), 'Cured');
    assert.equal(await service.stop(), 0);
  } finally {
    await service.stop('SIGKILL');
  }
});
