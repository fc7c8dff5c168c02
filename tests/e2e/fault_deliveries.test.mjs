// Messages as a network and a busy sender make them: replayed under new ids, in every order, hours
// late. The row ends up as the newest word has it, and a deleted user stays deleted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { breaches, watch } from '../convergence/watch.mjs';
import { Polled } from './polling.mjs';
import { Postgres, wrongClock } from './postgres.mjs';
import { Service, deletedEvent, freshDatabase, userEvent } from './service.mjs';
import { WEBHOOK_SECRET, until } from './simulator.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

const first = 1_700_000_000_000;

function* permutations(list) {
  if (list.length === 0) yield list;
  for (const [at, one] of list.entries()) {
    for (const rest of permutations(list.toSpliced(at, 1))) yield [one, ...rest];
  }
}

class Stand {
  static async start() {
    const stand = new Stand();
    stand.database = await freshDatabase(postgres);
    stand.service = await Service.start(postgres.url(stand.database));
    return stand;
  }

  async deliver(...bodies) {
    for (const body of bodies) assert.equal((await this.service.deliver(body)).status, 202);
  }

  query(text) {
    return postgres.query(this.database, text);
  }

  quiet() {
    return until(
      async () =>
        (await this.query("SELECT 1 FROM job_queue WHERE status <> 'COMPLETED'")).length === 0,
      'all jobs to be done',
    );
  }
}

// fault 2
test('a replay under new ids writes no row', async () => {
  const stand = await Stand.start();
  try {
    const life = [
      userEvent('user.created', 'user_again', first),
      userEvent('user.updated', 'user_again', first + 1000, { first: 'Ada' }),
      userEvent('user.updated', 'user_again', first + 2000, { first: 'Eve', role: 'admin' }),
      userEvent('user.created', 'user_gone', first),
      deletedEvent('user_gone', first + 1000),
    ];
    await stand.deliver(...life);
    await stand.quiet();
    const state = () =>
      stand.query(
        `SELECT u.*, u.xmin::text AS written, l.version, l.deleted_at AS deleted
         FROM users u JOIN rollcall.ledger l USING (clerk_id) ORDER BY clerk_id COLLATE "C"`,
      );
    const told = async () =>
      (await stand.query('SELECT action, target FROM rollcall.audit_log ORDER BY id')).map(
        ({ action, target }) => `${action} ${target}`,
      );
    const before_ = await state();
    const toldBefore = await told();
    assert.ok(toldBefore.includes('role.granted user_again'), `${toldBefore}`);
    for (let round = 0; round < 3; round += 1) await stand.deliver(...life);
    await stand.deliver(...life.toReversed());
    await stand.quiet();
    assert.deepEqual(await state(), before_);
    assert.deepEqual(await told(), toldBefore, 'what did not happen is not told either');
    const [{ jobs }] = await stand.query('SELECT count(*)::int AS jobs FROM job_queue');
    assert.equal(jobs, 5 * life.length, 'each is a message of its own');
  } finally {
    await stand.service.stop('SIGKILL');
  }
});

// fault 3
test('in every order of creation, changes and deletion the newest word counts', async () => {
  const stand = await Stand.start();
  try {
    const life = (user, last) => [
      userEvent('user.created', user, first),
      userEvent('user.updated', user, first + 1000, { first: 'Second', role: 'admin' }),
      userEvent('user.updated', user, first + 2000, { first: 'Third' }),
      ...last,
    ];
    const living = [];
    const gone = [];
    for (const order of permutations([0, 1, 2])) {
      const user = `user_living${order.join('')}`;
      living.push(user);
      await stand.deliver(...order.map((at) => life(user, [])[at]));
    }
    for (const order of permutations([0, 1, 2, 3])) {
      const user = `user_gone${order.join('')}`;
      gone.push(user);
      const events = life(user, [deletedEvent(user, first + 3000)]);
      await stand.deliver(...order.map((at) => events[at]));
    }
    await stand.quiet();
    const rows = await stand.query(
      `SELECT clerk_id, name, role::text FROM users WHERE deleted_at IS NULL
       ORDER BY clerk_id COLLATE "C"`,
    );
    const wanted = living.map((clerk_id) => ({ clerk_id, name: 'Third Hopper', role: 'user' }));
    assert.deepEqual(rows, wanted);
    const tombs = await stand.query(
      'SELECT clerk_id FROM rollcall.ledger WHERE deleted_at IS NOT NULL ORDER BY 1',
    );
    assert.deepEqual(tombs.map((tomb) => tomb.clerk_id).toSorted(), gone.toSorted());
  } finally {
    await stand.service.stop('SIGKILL');
  }
});

// fault 7
test('a door whose clock is minutes wrong takes what is signed within five', async () => {
  const database = await freshDatabase(postgres);
  for (const [offset, wanted] of [
    ['-10m', 401],
    ['-3m', 202],
    ['+3m', 202],
    ['+10m', 401],
  ]) {
    const service = await Service.start(postgres.url(database), wrongClock(offset));
    try {
      const { status } = await service.deliver(userEvent('user.created', `user_${wanted}`, first));
      assert.equal(status, wanted, offset);
      const reason = offset.startsWith('-') ? 'future_timestamp' : 'stale_timestamp';
      if (wanted === 401) assert.match(service.log + (await service.metrics()), new RegExp(reason));
      assert.equal(await service.stop(), 0);
    } finally {
      await service.stop('SIGKILL');
    }
  }
  const users = await postgres.query(database, 'SELECT DISTINCT subject FROM job_queue');
  assert.deepEqual(users, [{ subject: 'user_202' }]);
});

// fault 5
test('a webhook that comes after a newer poll takes nothing back', async () => {
  const polled = await Polled.start(postgres, 5, '--quiet-users');
  try {
    const service = await polled.serve({
      ROLLCALL_MODE: 'hybrid',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ROLLCALL_SYNC_INTERVAL: '1h',
    });
    const [changed, gone] = await polled.truth();
    // Nobody is told, since there is no endpoint yet.
    await polled.change('PATCH', `/users/${changed.clerk_id}`, { first_name: 'Older' });
    await polled.change('PATCH', `/users/${gone.clerk_id}`, { first_name: 'Older' });
    await polled.change('PATCH', `/users/${changed.clerk_id}`, { first_name: 'Newer' });
    await polled.change('DELETE', `/users/${gone.clerk_id}`);
    await until(() => {
      const done = polled.sync('--full');
      return done.code === 0 || (assert.equal(done.code, 75, done.stderr), false);
    }, 'a turn for a pass');
    await polled.equal('after the poll');

    await polled.sim.control('PATCH', '/endpoint', {
      url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
    });
    const late = await polled.sim.messages('?type=user.updated');
    assert.equal(late.length, 3);
    for (const { id } of late) await polled.sim.control('POST', `/messages/${id}/resend`);
    await until(
      async () =>
        (
          await polled.query(
            "SELECT 1 FROM job_queue WHERE job_type = 'USER_UPDATED' AND status = 'COMPLETED'",
          )
        ).length === late.length,
      'the late ones to be worked off',
    );
    // Whom the poll did not list may be asked for once more.
    await until(
      async () =>
        (await polled.query("SELECT 1 FROM job_queue WHERE status IN ('PENDING', 'PROCESSING')"))
          .length === 0,
      'what is doubted to be asked for',
      120_000,
    );
    await polled.equal('after the late webhooks');
  } finally {
    await polled.stop();
  }
});

const lossRate = 0.3;

// A service of both doors that loses three messages of ten, and one's people.
async function lossy(passes) {
  const polled = await Polled.start(postgres, 60, '--quiet-users');
  await watch(postgres, polled.database);
  const service = await polled.serve({
    ROLLCALL_MODE: 'hybrid',
    CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000',
    ...passes,
  });
  await until(async () => (await polled.living()) === 60, 'the first pass');
  await polled.sim.faults({ drop: lossRate });
  await polled.sim.control('PATCH', '/endpoint', {
    url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
  });
  return polled;
}

// Whatever is lost, the one pass of the schedule's that begins after the last change makes it good.
async function repairedByOnePass(polled, mode) {
  const [{ at }] = await polled.query('SELECT clock_timestamp()::text AS at');
  await until(
    async () => (await polled.sim.control('GET', '')).messages.pending === 0,
    'every message to be delivered or lost',
  );
  const next = `SELECT status, trigger FROM rollcall.sync_runs
                WHERE mode = '${mode}' AND started_at > $1::timestamptz ORDER BY id LIMIT 1`;
  const [pass] = await until(async () => {
    const rows = await polled.query(next, [at]);
    return rows.length > 0 && rows[0].status !== 'running' && rows;
  }, 'the next pass');
  assert.deepEqual(pass, { status: 'completed', trigger: 'schedule' });
  await until(
    async () =>
      (await polled.query("SELECT 1 FROM job_queue WHERE status IN ('PENDING', 'PROCESSING')"))
        .length === 0,
    'an empty queue',
  );
  assert.deepEqual(await polled.table(), await polled.truth(), `after one ${mode} pass`);
  const messages = await polled.sim.messages('?limit=10000');
  const lost = messages.filter((message) => message.status === 'missing');
  assert.ok(lost.length > 0.15 * messages.length, `${lost.length} of ${messages.length} lost`);
  const ended = new Set(
    (await polled.query("SELECT event_id FROM job_queue WHERE status = 'COMPLETED'")).map(
      (job) => job.event_id,
    ),
  );
  const without = messages.filter(({ id, status }) => status === 'delivered' && !ended.has(id));
  assert.deepEqual(without, [], 'what was acknowledged has a job that ended well');
  assert.deepEqual(await breaches({ simulator: polled.sim, query: polled.query.bind(polled) }), []);
  return lost;
}

// The rows that passes had to make good.
async function repaired(polled) {
  const [{ rows }] = await polled.query(
    `SELECT sum(created + updated + deleted)::int AS rows FROM rollcall.sync_runs
     WHERE trigger = 'schedule'`,
  );
  return rows;
}

// fault 4
test('what three of ten lost webhooks told of is there after one incremental pass', async (t) => {
  const polled = await lossy({ ROLLCALL_SYNC_INTERVAL: '2s', ROLLCALL_SYNC_FULL_INTERVAL: '1d' });
  try {
    const ids = (await polled.truth()).map((user) => user.clerk_id);
    for (const [at, id] of ids.entries()) {
      await polled.change('PATCH', `/users/${id}`, { first_name: `Changed${at}` });
      await polled.change('POST', '/users', { email_address: [`n${at}@example.com`] });
      if (at % 3 === 0) await polled.change('POST', `/users/${id}/ban`);
      if (at % 5 === 0) {
        await polled.change('PATCH', `/users/${id}/metadata`, {
          public_metadata: { role: 'admin' },
        });
      }
    }
    const lost = await repairedByOnePass(polled, 'incremental');
    const rows = await repaired(polled);
    t.diagnostic(`${lost.length} messages lost, ${rows} rows made good`);
    assert.ok(rows > 0, 'by passes');
  } finally {
    await polled.stop();
  }
});

// fault 4
test('deletions that lost webhooks told of are found by one complete pass', async (t) => {
  const polled = await lossy({ ROLLCALL_SYNC_INTERVAL: '3s', ROLLCALL_SYNC_FULL_INTERVAL: '3s' });
  try {
    const ids = (await polled.truth()).map((user) => user.clerk_id);
    for (const [at, id] of ids.entries()) {
      const step = [
        () => polled.change('DELETE', `/users/${id}`),
        () => polled.change('PATCH', `/users/${id}`, { first_name: `Changed${at}` }),
        () => polled.change('POST', '/users', { email_address: [`n${at}@example.com`] }),
      ][at % 3];
      await step();
    }
    const lost = await repairedByOnePass(polled, 'full');
    const unheard = lost.filter((message) => message.type === 'user.deleted');
    t.diagnostic(`${unheard.length} deletions and ${lost.length - unheard.length} others lost`);
    assert.ok(unheard.length > 0);
    assert.equal(await polled.living(), 60);
    await polled.equal();
  } finally {
    await polled.stop();
  }
});
