// E-mail conflicts while Clerk takes its time: nobody else waits for them, and neither does the end
// of the process.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, freshDatabase, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

test('a Clerk that hangs holds up neither other users nor the end', async () => {
  const database = await freshDatabase(postgres);
  let questions = 0;
  const clerk = http.createServer(() => {
    questions += 1; // and no answer
  });
  await new Promise((resolve) => clerk.listen(0, '127.0.0.1', resolve));
  const service = await Service.start(postgres.url(database), {
    ROLLCALL_MODE: 'hybrid',
    CLERK_SECRET_KEY: 'sk_test_conflicts',
    CLERK_API_URL: `http://127.0.0.1:${clerk.address().port}`,
    ROLLCALL_CLERK_TIMEOUT: '60s',
    ROLLCALL_SERVE_DRAIN_TIMEOUT: '2s',
  });
  const row = async (id) =>
    (await postgres.query(database, 'SELECT email FROM users WHERE clerk_id = $1', [id])).length;
  const create = (id, email) =>
    service.deliver(userEvent('user.created', id, 1_700_000_000_000, { email }));
  try {
    for (let i = 0; i < 20; i += 1) await create(`user_a${i}`, `e${i}@example.com`);
    await until(() => row('user_a19'), 'the holders');
    for (let i = 0; i < 20; i += 1) await create(`user_b${i}`, `e${i}@example.com`);
    await until(() => questions > 0, 'a question');

    // Clerk takes a minute to answer.
    const began = Date.now();
    await create('user_c', 'c@example.com');
    await until(() => row('user_c'), 'the other user');
    assert.ok(Date.now() - began < 20_000, `${Date.now() - began} ms`);

    const ending = Date.now();
    assert.equal(await service.stop(), 0);
    assert.ok(Date.now() - ending < 20_000, `${Date.now() - ending} ms`);
    const jobs = await postgres.query(
      database,
      "SELECT DISTINCT status, attempts FROM job_queue WHERE subject LIKE 'user_b%'",
    );
    assert.deepEqual(jobs, [{ status: 'PENDING', attempts: 0 }]);
  } finally {
    await service.stop();
    clerk.closeAllConnections();
    await new Promise((resolve) => clerk.close(resolve));
  }
});
