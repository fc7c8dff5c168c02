// Processes that stand still for longer than what they hold lasts, and then go on as if nothing had
// happened: another has it by then, and their word does not count any more.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, freshDatabase, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

const standsStill = (service) =>
  readFileSync(`/proc/${service.child.pid}/stat`, 'utf8').split(') ')[1].startsWith('T');

// fault 13
test('who is paused for longer than a lease ends no job of another', async () => {
  const polled = await Polled.start(postgres, 3);
  try {
    polled.full();
    const env = { ROLLCALL_JOBS_LEASE: '1s', ROLLCALL_SYNC_INTERVAL: '1d' };
    const first = await polled.serve(env);
    assert.equal(await first.stop(), 0);
    first.launch({ failpoint: 'worker.before_end:stop' });
    await first.ready();
    const [{ clerk_id: user }] = await polled.truth();
    await polled.change('PATCH', `/users/${user}`, { first_name: 'Renamed' });
    const [{ id }] = await polled.query(
      "SELECT rollcall.enqueue('REFRESH_USER', jsonb_build_object('clerk_id', $1::text)) id",
      [user],
    );
    await until(() => standsStill(first), 'the first to take the job and stand still');
    const job = async () => (await polled.query('SELECT * FROM job_queue WHERE id = $1', [id]))[0];
    assert.equal((await job()).status, 'PROCESSING');
    const second = await polled.serve(env);
    await until(async () => (await job()).status === 'COMPLETED', 'the second to take it over');
    const done = await job();
    assert.equal(done.attempts, 2);
    first.child.kill('SIGCONT');
    await until(
      () => /"event":"job_(end_refused|lease_lost)"/.test(first.log),
      'the first to notice that it is too late',
    );
    assert.deepEqual(await job(), done, 'its end changed nothing');
    for (const service of [first, second]) assert.equal(await service.stop(), 0, service.log);
    await polled.equal();
  } finally {
    await polled.stop();
  }
});

for (const place of ['worker.after_claim', 'worker.before_end']) {
  // fault 13
  test(`who is paused at ${place} leaves nothing old in Supabase Auth`, async () => {
    const database = await freshDatabase(postgres);
    const auth = await Auth.start();
    const env = {
      ...auth.environment,
      ROLLCALL_SUPABASE_TIMEOUT: '500ms',
      ROLLCALL_JOBS_LEASE: '2s',
      ROLLCALL_JOBS_POLL_INTERVAL: '100ms',
    };
    const first = await Service.start(postgres.url(database), env);
    let second;
    try {
      assert.equal(await first.stop(), 0);
      first.launch({ failpoint: `${place}:stop` });
      await first.ready();
      const names = async () => (await auth.users()).map((user) => user.user_metadata.name);
      const deliver = async (service, type, version, name) => {
        const body = userEvent(type, 'user_paused', version, { first: name, last: '' });
        assert.equal((await service.deliver(body)).status, 202);
      };
      await deliver(first, 'user.created', 1, 'Older');
      await until(() => standsStill(first), 'the first to take the job and stand still');
      second = await Service.start(postgres.url(database), env);
      await deliver(second, 'user.updated', 2, 'Newer');
      await until(async () => (await names()).includes('Newer'), 'the copy of the newer row');
      const ofMirror = "SELECT id FROM job_queue WHERE job_type = 'MIRROR_USER'";
      const ended = () => postgres.query(database, `${ofMirror} AND status = 'COMPLETED'`);
      await until(async () => (await ended()).length > 0, 'the end of the second');
      const before_ = (await postgres.query(database, ofMirror)).length;
      first.child.kill('SIGCONT');
      await until(
        () => /"event":"job_(end_refused|lease_lost)"/.test(first.log),
        'the first to notice that it is too late',
      );
      const open = () =>
        postgres.query(database, "SELECT status FROM job_queue WHERE status <> 'COMPLETED'");
      // What it wrote may have come after the newer: the copy is written once more.
      await until(async () => (await ended()).length > before_, 'one more look at the copy');
      await until(async () => (await open()).length === 0, 'the last job');
      assert.deepEqual(await names(), ['Newer']);
      for (const service of [first, second]) assert.equal(await service.stop(), 0, service.log);
    } finally {
      for (const service of [first, second]) await service?.stop('SIGKILL');
      await auth.stop();
    }
  });
}

const leads = async (service) =>
  /rollcall_leader\{role="sync"\} 1/.test(await service.metrics().catch(() => ''));

// What a later pass makes good again, but nobody may do: the database notes each.
const NOTES = `
  CREATE TABLE notes (what text, clerk_id text);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO notes VALUES (TG_ARGV[0], NEW.clerk_id);
      RETURN NULL;
    END $$;
  CREATE TRIGGER went_back AFTER UPDATE ON rollcall.ledger FOR EACH ROW
    WHEN (NEW.version < OLD.version) EXECUTE FUNCTION note('went back');
  CREATE TRIGGER revived AFTER UPDATE ON rollcall.ledger FOR EACH ROW
    WHEN (OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION note('revived')`;

// A lease, in seconds by the database's clock.
async function lease(polled, name) {
  const [one] = await polled.query(
    `SELECT holder, fence::int, extract(epoch FROM until)::float8 AS until
     FROM rollcall.leases WHERE name = $1`,
    [name],
  );
  return one;
}

const runsOf = (polled, instance) =>
  polled.query(
    `SELECT id, status, failure, extract(epoch FROM started_at)::float8 AS started
     FROM rollcall.sync_runs WHERE instance = $1 ORDER BY id`,
    [instance],
  );

const nameOf = async (service) =>
  (
    await service.get('/statusz', service.adminPort, { authorization: `Bearer ${ADMIN_TOKEN}` })
  ).json.instance;

const often = { ROLLCALL_SYNC_INTERVAL: '1s', ROLLCALL_SYNC_FULL_INTERVAL: '2s' };

// The seconds that another may be late for reasons of this machine's.
const slack = 10;

// fault 21
test('a leader that is killed is followed when its lease lapses, and not before', async () => {
  const polled = await Polled.start(postgres, 20);
  try {
    const killed = await polled.serve(often);
    await until(() => leads(killed), 'one that leads');
    const [dead, heir] = [await nameOf(killed), await polled.serve(often)];
    await until(async () => (await runsOf(polled, dead)).length > 2, 'its passes');
    assert.equal(await leads(heir), false);
    await killed.kill();
    const left = await lease(polled, 'schedule');
    assert.equal(left.holder, dead, 'it was killed with its duty');
    const { user } = await polled.change('POST', '/users', { email_address: ['n@example.com'] });
    await until(() => leads(heir), 'the other to lead');
    const taken = await lease(polled, 'schedule');
    assert.deepEqual([taken.holder, taken.fence], [await nameOf(heir), left.fence + 1]);
    await until(
      async () =>
        (await polled.query('SELECT 1 FROM users WHERE clerk_id = $1', [user.id])).length > 0,
      'what happened since to reach the table',
    );
    const [first] = await runsOf(polled, taken.holder);
    assert.ok(first.started >= left.until, `${first.started} is before ${left.until}`);
    assert.ok(first.started <= left.until + slack, `${first.started} is after ${left.until}`);
    assert.equal(await heir.stop(), 0, heir.log);
    await polled.equal();
  } finally {
    await polled.stop();
  }
});

for (const place of ['pass.after_page', 'pass.before_completed']) {
  // fault 21
  test(`a leader frozen at ${place} is replaced, and what it was at does not count`, async () => {
    const polled = await Polled.start(postgres, 300);
    try {
      await polled.query(NOTES);
      const frozen = await polled.serve(often);
      assert.equal(await frozen.stop(), 0);
      frozen.launch({ failpoint: `${place}:stop` });
      await until(() => standsStill(frozen), 'it to stand still in a pass');
      const duties = [await lease(polled, 'schedule'), await lease(polled, 'sync')];
      const asleep = duties[0].holder;
      const cut = (await runsOf(polled, asleep)).at(-1);
      assert.equal(cut.status, 'running');

      // It has read these; what it knows is old when it wakes.
      const [one, two, three] = (await polled.truth()).map((user) => user.clerk_id);
      await polled.change('PATCH', `/users/${one}`, { first_name: 'Since' });
      await polled.change('DELETE', `/users/${two}`);
      await polled.change('DELETE', `/users/${three}`);
      await polled.change('POST', '/users', { email_address: ['n@example.com'] });
      const heir = await polled.serve(often);
      await until(() => leads(heir), 'another to lead');
      const name = await nameOf(heir);
      const done = async () =>
        (await runsOf(polled, name)).filter((run) => run.status === 'completed');
      await until(async () => (await done()).length > 2, 'passes of the other');
      const lapsed = Math.max(...duties.map((duty) => duty.until));
      const [first] = await runsOf(polled, name);
      assert.ok(first.started >= lapsed, `${first.started} is before ${lapsed}`);
      assert.deepEqual(await polled.table(), await polled.truth());

      const record = async () =>
        (await polled.query('SELECT * FROM rollcall.sync_runs WHERE id = $1', [cut.id]))[0];
      const buried = await record();
      assert.deepEqual([buried.status, buried.failure], ['failed', 'killed']);
      frozen.child.kill('SIGCONT');
      await until(
        () => /"event":"schedule_duty_lost"/.test(frozen.log),
        'the first to know that it does not lead',
      );
      await until(
        () => /"sync_run_ended".*"status":"(failed|incomplete)"/.test(frozen.log),
        'the end of its pass, which completed nothing',
      );
      const more = (await done()).length;
      await until(async () => (await done()).length > more + 2, 'further passes of the other');
      assert.deepEqual(await record(), buried, 'its end changed nothing');
      assert.equal((await runsOf(polled, asleep)).at(-1).id, cut.id, 'it began no other');
      assert.deepEqual([await leads(frozen), await leads(heir)], [false, true]);
      assert.deepEqual(await polled.query('SELECT * FROM notes'), []);
      for (const service of [frozen, heir]) assert.equal(await service.stop(), 0, service.log);
      // No two runs that count were under way at once.
      const overlapping = await polled.query(
        `SELECT a.id, b.id FROM rollcall.sync_runs a JOIN rollcall.sync_runs b
         ON a.id < b.id AND a.status = 'completed' AND b.status = 'completed'
         AND b.started_at < a.finished_at`,
      );
      assert.deepEqual(overlapping, []);
      await polled.equal();
    } finally {
      await polled.stop();
    }
  });
}
