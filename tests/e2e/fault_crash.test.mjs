// The process dies at each place where it could lose or repeat something: what was acknowledged is
// there afterwards, once, and who was deleted stays deleted.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import {
  Service,
  deletedEvent,
  freshDatabase,
  messageId,
  rollcall,
  userEvent,
} from './service.mjs';
import { binary, faultsBinary, until } from './simulator.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// Events on their way from Clerk: what gets no 2xx is sent again, with the same id.
class Deliveries {
  constructor() {
    this.all = [];
  }

  add(user, body) {
    this.all.push({ user, body, id: messageId(), acknowledged: false });
  }

  // One try for all that is open; true when nothing is.
  async send(service) {
    const open = this.all.filter((one) => !one.acknowledged);
    await Promise.all(
      open.map(async (one) => {
        const answer = await service.deliver(one.body, { id: one.id }).catch(() => null);
        if (answer?.status === 202) one.acknowledged = true;
      }),
    );
    return open.every((one) => one.acknowledged);
  }
}

const living = 'SELECT clerk_id FROM public.users WHERE deleted_at IS NULL';

function created(user) {
  return userEvent('user.created', user, 1_700_000_000_000);
}

for (const [failpoint, what] of [
  ['webhook.verified:abort:30', 'between signature and storing'],
  ['intake.before_commit:abort:2', 'before the commit of the webhooks'],
  ['intake.after_commit:abort:2', 'after that commit, before the answers'],
  ['apply.before_batch:abort:25', 'before the changes are applied'],
  ['apply.after_batch:abort:25', 'after they were applied'],
]) {
  // fault 10, 11, 12
  test(`killed ${what} (${failpoint})`, async () => {
    const database = await freshDatabase(postgres);
    const rows = async () =>
      (await postgres.query(database, living)).map((row) => row.clerk_id).toSorted();
    const service = await Service.start(postgres.url(database));
    try {
      // Users who were there before, and are deleted around the crash.
      const deliveries = new Deliveries();
      const doomed = Array.from({ length: 20 }, (_, at) => `user_doomed${at}`);
      for (const user of doomed) deliveries.add(user, created(user));
      await until(() => deliveries.send(service), 'the first users to be acknowledged', 30_000);
      await until(async () => (await rows()).length === doomed.length, 'their rows', 30_000);
      assert.equal(await service.stop(), 0);

      service.launch({ failpoint });
      await service.ready();
      const expected = [];
      let waves = 0;
      await until(
        async () => {
          if (service.child.signalCode !== null || service.child.exitCode !== null) return true;
          const deletes = doomed.slice(waves * 4, waves * 4 + 4);
          for (const user of deletes) deliveries.add(user, deletedEvent(user));
          for (let at = 0; at < 30; at += 1) {
            const user = `user_wave${waves}x${at}`;
            expected.push(user);
            deliveries.add(user, created(user));
          }
          waves += 1;
          await deliveries.send(service);
          return false;
        },
        'the process to come to the place',
        120_000,
      );
      await service.closed;
      assert.equal(service.child.signalCode, 'SIGKILL', service.log);

      service.launch();
      await service.ready();
      for (const user of doomed.slice(waves * 4)) deliveries.add(user, deletedEvent(user));
      // And the oldest news comes once more, as new messages: it resurrects nobody.
      for (const user of doomed) deliveries.add(user, created(user));
      await until(() => deliveries.send(service), 'everything to be acknowledged', 60_000);
      await until(
        async () => {
          const [{ n }] = await postgres.query(
            database,
            "SELECT count(*)::int n FROM job_queue WHERE status <> 'COMPLETED'",
          );
          return n === 0;
        },
        'all jobs to be done',
        60_000,
      );
      assert.deepEqual(await rows(), expected.toSorted());
      const [{ jobs }] = await postgres.query(database, 'SELECT count(*)::int jobs FROM job_queue');
      assert.equal(jobs, deliveries.all.length, 'one job each, however often it was sent');
    } finally {
      await service.stop('SIGKILL');
    }
  });
}

// fault 11
test('a commit whose answer is lost is one job all the same', async () => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database));
  try {
    assert.equal(await service.stop(), 0);
    service.launch({ failpoint: 'intake.after_commit:throw' });
    await service.ready();
    const id = messageId();
    assert.equal((await service.deliver(created('user_lost'), { id })).status, 503);
    const again = await service.deliver(created('user_lost'), { id });
    assert.deepEqual([again.status, again.json.duplicate], [202, true]);
  } finally {
    await service.stop('SIGKILL');
  }
});

for (const place of ['worker.after_claim', 'worker.before_end', 'worker.after_end']) {
  // fault 12
  test(`killed with a leased job at ${place}`, async () => {
    const polled = await Polled.start(postgres, 3);
    try {
      polled.full();
      const service = await polled.serve({
        ROLLCALL_JOBS_LEASE: '2s',
        ROLLCALL_SYNC_INTERVAL: '1d',
      });
      assert.equal(await service.stop(), 0);
      service.launch({ failpoint: `${place}:abort` });
      const [{ clerk_id: user }] = await polled.truth();
      await polled.change('PATCH', `/users/${user}`, { first_name: 'Renamed' });
      const [{ id }] = await polled.query(
        "SELECT rollcall.enqueue('REFRESH_USER', jsonb_build_object('clerk_id', $1::text)) id",
        [user],
      );
      await service.closed;
      assert.equal(service.child.signalCode, 'SIGKILL', service.log);
      service.launch();
      await until(
        async () => {
          const [job] = await polled.query('SELECT status FROM job_queue WHERE id = $1', [id]);
          return job.status === 'COMPLETED';
        },
        'another to take the job over',
        60_000,
      );
      await polled.equal(place);
    } finally {
      await polled.stop();
    }
  });
}

for (const failpoint of [
  'pass.after_page:abort:2',
  'pass.before_save:abort',
  'pass.before_completed:abort',
]) {
  test(`a pass is killed at ${failpoint}`, async () => {
    const polled = await Polled.start(postgres, 1200);
    try {
      // Long enough to keep how far it is.
      await polled.sim.faults({ api_slow: true, slow_seconds: 0.5 });
      const run = polled.begin(['sync', '--full'], {
        ROLLCALL_FAILPOINT: failpoint,
        ROLLCALL_SYNC_WORKERS: '2',
      });
      const { signal, stdout, stderr } = await run.ended;
      assert.equal(signal, 'SIGKILL', stdout + stderr);
      await polled.sim.faults({ api_slow: false });
      // As when the seconds have passed that a dead one holds it.
      await polled.query("UPDATE rollcall.leases SET until = '-infinity'");
      const [{ clerk_id: gone }] = await polled.truth();
      await polled.change('DELETE', `/users/${gone}`);
      polled.full();
      await polled.equal(failpoint);
      const again = polled.full();
      assert.equal(again.unchanged, again.seen);
    } finally {
      await polled.stop();
    }
  });
}

test('the released program has no fail points', () => {
  const variable = 'ROLLCALL_FAILPOINT';
  assert.ok(readFileSync(faultsBinary()).includes(variable));
  assert.ok(!readFileSync(binary()).includes(variable));
  const armed = { [variable]: 'no.such.place:abort' };
  assert.equal(rollcall(['--version'], armed).code, 0);
  const { status, stderr } = spawnSync(faultsBinary(), ['--version'], { env: armed });
  assert.equal(status, 78);
  assert.match(String(stderr), /no\.such\.place/);
});
