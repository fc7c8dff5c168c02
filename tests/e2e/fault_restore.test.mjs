// The database is restored from a backup of yesterday: a pass that the service begins by itself
// makes it equal Clerk, and neither the backup nor a webhook that Clerk sends again revives who was
// deleted before it or since, not even for a moment.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { userEvent } from './service.mjs';
import { WEBHOOK_SECRET, until } from './simulator.mjs';

// fault 44
test('a backup of yesterday converges, and revives nobody', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const tool = (name, ...args) => {
    const host = ['-h', postgres.folder, '-U', 'postgres'];
    const done = spawnSync(path.join(postgres.bin, name), [...host, ...args], { encoding: 'utf8' });
    assert.equal(done.status, 0, `${name}: ${done.stderr}`);
    return done.stdout;
  };
  const polled = await Polled.start(postgres, 60, '--quiet-users');
  const hybrid = {
    ROLLCALL_MODE: 'hybrid',
    CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ROLLCALL_SYNC_INTERVAL: '1h',
    ROLLCALL_SYNC_DELETE_GUARD_RATIO: '0.5',
  };
  const serve = async () => {
    const service = await polled.serve(hybrid);
    await polled.sim.control('PATCH', '/endpoint', {
      url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
    });
    return service;
  };
  const delivered = () => polled.sim.messages('?status=delivered');
  const done = async () =>
    (await polled.query("SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'")).length === 0;
  try {
    polled.full();
    const ids = (await polled.truth()).map((user) => user.clerk_id);
    const earlier = ids.slice(-3);
    let service = await serve();
    for (const id of earlier) await polled.change('DELETE', `/users/${id}`);
    await until(async () => (await delivered()).length === 3, 'deletions before the backup');
    await until(done, 'their jobs');
    const backup = tool('pg_dump', polled.database);

    // A day of webhooks: some are deleted, some change, some come; all of it is applied.
    const gone = ids.slice(0, 5);
    for (const id of ids.slice(0, 15)) {
      await polled.change('PATCH', `/users/${id}`, { first_name: 'Today' });
    }
    for (const id of gone) await polled.change('DELETE', `/users/${id}`);
    for (let n = 0; n < 5; n += 1) {
      await polled.change('POST', '/users', { email_address: [`new${n}@example.com`] });
    }
    await until(async () => (await delivered()).length === 28, 'a day of webhooks');
    await until(done, 'its jobs');
    assert.equal(await service.stop(), 0, service.log);
    await polled.equal('before the loss');

    tool('dropdb', polled.database);
    tool('createdb', polled.database);
    const restored = spawnSync(
      path.join(postgres.bin, 'psql'),
      ['-h', postgres.folder, '-U', 'postgres', '-q', '-v', 'ON_ERROR_STOP=1', polled.database],
      { input: backup, encoding: 'utf8' },
    );
    assert.equal(restored.status, 0, restored.stderr);
    assert.equal(await polled.living(), 57, 'as of yesterday');
    // It is a day old, and tells of everybody who comes back from the dead.
    await polled.query(`
      UPDATE rollcall.sync_state SET full_completed_at = full_completed_at - interval '1 day';
      UPDATE rollcall.sync_runs SET started_at = started_at - interval '1 day',
        heartbeat_at = heartbeat_at - interval '1 day',
        finished_at = finished_at - interval '1 day';
      CREATE TABLE revived (clerk_id text);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO revived VALUES (NEW.clerk_id); RETURN NULL; END $$;
      CREATE TRIGGER revived AFTER UPDATE ON rollcall.ledger FOR EACH ROW
        WHEN (OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION note();
      CREATE TRIGGER back AFTER UPDATE ON public.users FOR EACH ROW
        WHEN (OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION note()`);

    // Its own pass, and what Clerk sends again, at once.
    service = await serve();
    await polled.sim.control('POST', '/replay?status=delivered&since=0');
    const again = (message) => message.attempts.length > 1;
    await until(async () => (await delivered()).every(again), 'all to be sent again');
    await until(
      async () =>
        (
          await polled.query(
            `SELECT 1 FROM rollcall.sync_runs
             WHERE trigger <> 'cli' AND mode = 'full' AND status = 'completed'
             AND started_at > now() - interval '1 hour'`,
          )
        ).length > 0,
      'a complete pass by itself',
    );
    await until(done, 'the jobs of that');
    await polled.equal('after a pass');

    // Messages that come later yet, and that the backup knows nothing of.
    const dead = [...earlier, ...gone];
    for (const type of ['user.created', 'user.updated']) {
      for (const id of dead) {
        const answer = await service.deliver(userEvent(type, id, Date.now() - 86_400_000));
        assert.equal(answer.status, 202);
      }
    }
    await until(done, 'their jobs');
    assert.equal(await service.stop(), 0, service.log);
    await polled.equal('afterwards');
    const living = new Set((await polled.table()).map((row) => row.clerk_id));
    for (const id of dead) assert.ok(!living.has(id), `${id} was revived`);
    assert.deepEqual(await polled.query('SELECT * FROM revived'), []);
  } finally {
    await polled.stop();
  }
});
