// One user who changes without end: others come and are through, here and in Supabase Auth, while
// that goes on, and what goes there is as much as its answers allow, not as much as there is news.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, freshDatabase, patient, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

const changes = 1000; // at least: until all the others are through
const others = 20;
const atOnce = 20;
const answerSeconds = 0.5;

// fault 31
test('a thousand changes of one user are few writes to Auth, and nobody waits', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const database = await freshDatabase(postgres);
  const auth = await Auth.start();
  const service = await Service.start(postgres.url(database), {
    ...patient,
    ...auth.environment,
  });
  const query = (text, values) => postgres.query(database, text, values);
  try {
    await auth.faults({ auth_slow: true, slow_seconds: answerSeconds });
    const begun = Date.now();
    const version = 1_700_000_000_000;
    let sent = 0;
    let goesOn = true;
    const change = async () => {
      const burst = Array.from({ length: atOnce }, () => {
        sent += 1;
        const named = { first: `N${sent}`, last: '' };
        return service.deliver(userEvent('user.updated', 'user_hot', version + sent, named));
      });
      for (const answer of await Promise.all(burst)) assert.equal(answer.status, 202);
    };
    const changing = (async () => {
      while (goesOn || sent < changes) await change();
    })();
    const passes = async () => {
      for (let n = 0; n < others; n += 1) {
        const user = `user_cool${n}`;
        const before = sent;
        assert.equal((await service.deliver(userEvent('user.created', user, 1))).status, 202);
        await until(
          async () => (await query('SELECT 1 FROM users WHERE clerk_id = $1', [user])).length > 0,
          `the row of ${user}`,
        );
        await until(
          async () => (await auth.users()).some((one) => one.app_metadata.clerk_id === user),
          `the copy of ${user}`,
        );
        assert.ok(sent > before, 'the other changed meanwhile');
      }
    };
    // Whichever fails first; the one goes on for as long as the others are not through.
    await Promise.race([passes(), changing.then(() => Promise.reject(new Error('it ended')))]);
    goesOn = false;
    await changing;
    assert.ok(sent >= changes, `${sent} changes`);
    await until(
      async () => (await query("SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'")).length === 0,
      'all of it to be done',
    );
    const seconds = (Date.now() - begun) / 1000;
    const [{ name }] = await query("SELECT name FROM users WHERE clerk_id = 'user_hot'");
    assert.equal(name, `N${sent}`);
    const users = await auth.users();
    assert.equal(users.length, others + 1);
    const hot = users.find((user) => user.app_metadata.clerk_id === 'user_hot');
    assert.equal(hot.user_metadata.name, `N${sent}`);
    const writes = (await auth.requests()).filter(
      ({ operation, user_id: id }) => id === hot.id && /create|update/.test(operation),
    );
    // One after the other, never two at once.
    const most = seconds / answerSeconds + 2;
    assert.ok(writes.length <= most, `${writes.length} writes in ${seconds} s`);
    // Waiting jobs of one user are one.
    const [{ jobs }] = await query(
      `SELECT count(*)::int jobs FROM job_queue
       WHERE job_type = 'MIRROR_USER' AND subject = 'user_hot'`,
    );
    assert.ok(jobs <= most, `${jobs} jobs for ${writes.length} writes`);
    t.diagnostic(`${sent} changes, ${writes.length} writes to Auth, ${seconds.toFixed(0)} s`);
    assert.equal(await service.stop(), 0);
  } finally {
    await service.stop('SIGKILL');
    await auth.stop();
  }
});
