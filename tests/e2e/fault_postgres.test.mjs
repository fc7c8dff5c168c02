// PostgreSQL as it is on bad days: cut off in the middle, locked, full, read-only, at odds with
// other sessions. Nothing that was acknowledged is lost, what cannot be stored is not acknowledged,
// and all of it goes on by itself.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';

import { PgProxy } from './pg_proxy.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, freshDatabase, messageId, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import { Traffic } from './traffic.mjs';

const pollSeconds = 1; // of a worker that hears of no job

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// A database, a service, and whom it said it knows.
class Stand {
  static async start(env = {}, proxied = false, server = postgres) {
    const stand = new Stand();
    stand.server = server;
    stand.database = await freshDatabase(server);
    stand.proxy = proxied ? await PgProxy.start(server) : null;
    const url = (stand.proxy ?? server).url(stand.database);
    stand.service = await Service.start(url, { ROLLCALL_JOBS_POLL_INTERVAL: '100ms', ...env });
    stand.sent = 0;
    stand.sessions = [];
    return stand;
  }

  async stop(signal = 'SIGTERM') {
    for (const session of this.sessions) await session.end().catch(() => {});
    const code = await this.service.stop(signal);
    await this.proxy?.stop();
    return code;
  }

  query(text, values) {
    return this.server.query(this.database, text, values);
  }

  // A session that stays open until the end of the stand.
  async session() {
    const client = new pg.Client({
      host: this.server.folder,
      user: 'postgres',
      database: this.database,
    });
    client.on('error', () => {});
    await client.connect();
    this.sessions.push(client);
    return client;
  }

  // An event of a new user: {user, id, body}.
  next(options) {
    const user = `user_stand${(this.sent += 1)}`;
    const body = userEvent('user.created', user, 1_700_000_000_000, options);
    return { user, id: messageId(), body };
  }

  // One attempt; the status.
  attempt(event) {
    return this.service.deliver(event.body, { id: event.id }).then((answer) => {
      if (answer.status === 503) assert.ok(Number(answer.headers['retry-after']) > 0);
      return answer.status;
    });
  }

  // As Clerk: again until it is acknowledged. Nothing but 202 and 503 is ever said.
  deliver(event = this.next()) {
    return until(async () => {
      const status = await this.attempt(event);
      assert.ok(status === 202 || status === 503, `answered ${status}`);
      return status === 202 && event;
    }, `${event.user} to be acknowledged`);
  }

  many(count, options) {
    return Promise.all(Array.from({ length: count }, () => this.deliver(this.next(options))));
  }

  // Everybody has a row, nothing waits, nothing was given up, and each message is one job.
  async settles() {
    const left = () =>
      this.query("SELECT job_type, status, error FROM job_queue WHERE status <> 'COMPLETED'");
    await until(async () => (await left()).length === 0, 'the last job').catch(async () =>
      assert.deepEqual(await left(), []),
    );
    const [counts] = await this.query(
      `SELECT (SELECT count(*)::int FROM users) users, count(event_id)::int jobs,
              count(DISTINCT event_id)::int events FROM job_queue`,
    );
    assert.deepEqual(counts, { users: this.sent, jobs: this.sent, events: this.sent });
  }

  alive() {
    return this.service.get('/livez').then((answer) => assert.equal(answer.status, 200));
  }
}

async function withStand(run, ...args) {
  const stand = await Stand.start(...args);
  try {
    await run(stand);
  } catch (error) {
    await stand.stop('SIGKILL');
    throw error;
  }
  assert.equal(await stand.stop(), 0, stand.service.log);
}

// fault 14
test('a fail-over to a replica loses nothing that was acknowledged', async (t) => {
  const [primary, replica] = await Postgres.start().then(async (one) => [one, await one.replica()]);
  t.after(() => [primary, replica].forEach((one) => one.remove()));
  const database = await freshDatabase(primary);
  const service = await Service.start(
    `postgresql:///${database}?host=${primary.folder},${replica.folder}&user=postgres` +
      '&target_session_attrs=read-write',
  );
  const traffic = new Traffic(service.port, 100, 'failover').start();
  try {
    const accepts = (more) => {
      const goal = traffic.accepted.length + more;
      return until(() => traffic.accepted.length >= goal, `${more} more to be acknowledged`);
    };
    await accepts(200);
    primary.down('immediate');
    await until(() => traffic.answers[503] > 0, 'a refusal while nobody is there');
    replica.promote();
    const promoted = Date.now();
    await accepts(1);
    assert.ok(Date.now() - promoted < 30_000, `${Date.now() - promoted} ms`);
    await accepts(199);
    const answers = await traffic.stop();
    assert.deepEqual(Object.keys(answers).toSorted(), ['202', '503']);
    await until(async () => {
      const [{ n }] = await replica.query(
        database,
        'SELECT count(*)::int n FROM users WHERE clerk_id = ANY($1)',
        [traffic.accepted],
      );
      return n === traffic.accepted.length;
    }, 'a row of whatever was acknowledged');
    assert.equal(await service.stop(), 0);
  } finally {
    await traffic.stop();
    await service.stop('SIGKILL');
  }
});

// fault 14
test('a server that refuses connections is not stormed, however many deliveries wait', () =>
  withStand(
    async (stand) => {
      await stand.many(20);
      stand.proxy.refuse();
      stand.proxy.cut();
      await until(async () => (await stand.attempt(stand.next())) === 503, 'a refusal');
      const [asked, begun] = [stand.proxy.accepted, Date.now()];
      let refused = 1;
      while (Date.now() < begun + 10_000) {
        const statuses = await Promise.all(
          Array.from({ length: 50 }, () => stand.attempt(stand.next())),
        );
        assert.deepEqual([...new Set(statuses)], [503]);
        refused += statuses.length;
      }
      const seconds = (Date.now() - begun) / 1000;
      const attempts = stand.proxy.accepted - asked;
      // Each of a handful of pools, and who listens: first after 100 ms, at last every two seconds.
      const most = 20 * seconds;
      assert.ok(attempts <= most, `${attempts} connections in ${seconds} s for ${refused} events`);
      stand.proxy.refuse(false);
      stand.sent -= refused;
      await stand.many(20);
      await stand.settles();
    },
    {},
    true,
  ));

// fault 15
test('connections are cut in the middle of transactions and after their commits', () =>
  withStand(
    async (stand) => {
      await stand.many(20);
      for (const tag of [/^COMMIT$/, /^BEGIN/, /^INSERT/, /^UPDATE/, /^COMMIT$/]) {
        const before_ = stand.proxy.lost;
        stand.proxy.loseAnswer(tag);
        await until(async () => {
          await stand.many(5);
          return stand.proxy.lost > before_;
        }, `an answer with ${tag}`);
      }
      for (let round = 0; round < 5; round += 1) {
        const sending = stand.many(40);
        stand.proxy.cut();
        await sending;
      }
      await stand.settles();
    },
    {},
    true,
  ));

// fault 16
test('a session that locks the queue makes 503, in time, and for as long only', () =>
  withStand(async (stand) => {
    await stand.many(5);
    const session = await stand.session();
    await session.query('BEGIN');
    await session.query('LOCK TABLE public.job_queue IN ACCESS EXCLUSIVE MODE');
    // More than there are connections.
    const events = Array.from({ length: 60 }, () => stand.next());
    const begun = Date.now();
    const statuses = await Promise.all(events.map((event) => stand.attempt(event)));
    assert.ok(Date.now() - begun < 10_000, `${Date.now() - begun} ms`);
    assert.deepEqual([...new Set(statuses)], [503]);
    await stand.alive();
    await session.query('ROLLBACK');
    await Promise.all(events.map((event) => stand.deliver(event)));
    await stand.settles();
  }));

// fault 17
test('at the strictest isolation conflicts are retried, and no job is given up', () =>
  withStand(async (stand) => {
    await stand.service.stop();
    await stand.query(
      `ALTER DATABASE ${stand.database} SET default_transaction_isolation = 'serializable'`,
    );
    stand.service.launch();
    await stand.service.ready();
    const other = await Service.start(postgres.url(stand.database));
    try {
      for (let round = 0; round < 5; round += 1) await stand.many(40);
      await stand.settles();
      const [{ most }] = await stand.query('SELECT max(attempts) most FROM job_queue');
      assert.equal(most, 1, 'a conflict of transactions is no attempt');
    } finally {
      assert.equal(await other.stop(), 0);
    }
  }));

// fault 17
test('the victim of a deadlock is retried at once', () =>
  withStand(
    async (stand) => {
      const [one, two] = await stand.many(2);
      await stand.settles();
      await stand.service.stop();
      const session = await stand.session();
      // It never looks for deadlocks: the service is the victim.
      await session.query("SET deadlock_timeout = '1h'");
      await session.query('BEGIN');
      const touch = ({ user }) =>
        session.query("UPDATE users SET preferences = '{}' WHERE clerk_id = $1", [user]);
      await touch(two);
      for (const { user } of [one, two]) {
        await stand.query(
          `SELECT rollcall.enqueue('USER_UPDATED', jsonb_build_object(
             'clerk_id', $1::text, 'email', $1 || '@example.com', 'name', 'New',
             'user_role', 'user', 'created_at', '2030-01-01T00:00:00Z', 'retry_count', 0))`,
          [user],
        );
      }
      stand.service.launch();
      const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                       AND wait_event_type = 'Lock'`;
      await until(async () => (await stand.query(waiting)).length > 0, 'the service to wait');
      await touch(one);
      await session.query('COMMIT');
      await stand.settles();
      assert.match(postgres.log(), /deadlock detected/);
      const names = await stand.query('SELECT DISTINCT name FROM users');
      assert.deepEqual(names, [{ name: 'New' }]);
      const [{ most }] = await stand.query('SELECT max(attempts) most FROM job_queue');
      assert.equal(most, 1);
    },
    { ROLLCALL_JOBS_LANES: '1' },
  ));

// fault 18
test('while the users table is locked and an old snapshot is held deliveries are taken', () =>
  withStand(async (stand) => {
    const old = await stand.session();
    await old.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await old.query('SELECT count(*) FROM job_queue');
    const locker = await stand.session();
    await locker.query('BEGIN');
    await locker.query('LOCK TABLE public.users IN ACCESS EXCLUSIVE MODE');
    for (let round = 0; round < 10; round += 1) await stand.many(50);
    const [{ n }] = await stand.query(
      "SELECT count(*)::int n FROM job_queue WHERE status = 'COMPLETED'",
    );
    assert.equal(n, 0);
    await stand.alive();
    // 500 changes wait, and no more sessions with them than the service has connections.
    const [{ sessions }] = await stand.query(
      `SELECT count(*)::int sessions FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'rollcall%'`,
    );
    assert.ok(sessions > 0 && sessions <= 13, `${sessions} sessions`);
    await locker.query('ROLLBACK');
    await stand.settles();
    await old.query('ROLLBACK');
  }));

// fault 19
test('a full disk is a 503, and what was stored before it is worked off', async (t) => {
  const server = await Postgres.start({ disk: '4m' });
  t.after(() => server.remove());
  const run = async (stand) => {
    await stand.query(`CREATE TABLESPACE small LOCATION '${server.small}'`);
    await stand.query('ALTER TABLE public.job_queue SET TABLESPACE small');
    await stand.query('CREATE TABLE ballast TABLESPACE small AS SELECT 1 AS one');
    await stand.many(5);
    const fill = () =>
      stand
        .query('INSERT INTO ballast SELECT 1 FROM generate_series(1, 100000)')
        .then(() => false, (error) => error.code === '53100');
    await until(fill, 'a full disk');
    // What is free in pages that are there is filled up by deliveries.
    const kept = [];
    await until(async () => {
      const event = stand.next();
      const status = await stand.attempt(event);
      kept.push(event);
      return status === 503;
    }, 'a delivery that finds no room');
    await stand.alive();
    await stand.query('DROP TABLE ballast');
    for (const event of kept) await stand.deliver(event);
    await stand.many(20);
    await stand.settles();
  };
  await withStand(run, {}, false, server);
});


// fault 19
test('a database that only reads is a 503 for as long as it does', () =>
  withStand(async (stand) => {
    await stand.many(5);
    const reads = async (only) => {
      await stand.query(
        `ALTER DATABASE ${stand.database} SET default_transaction_read_only = ${only}`,
      );
      // What is open keeps its setting.
      await stand.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
    };
    await reads(true);
    const event = stand.next();
    await until(async () => (await stand.attempt(event)) === 503, 'a refusal');
    for (let i = 0; i < 5; i += 1) assert.equal(await stand.attempt(event), 503);
    await stand.alive();
    const session = await stand.session();
    await session.query('SET default_transaction_read_only = off');
    await session.query(`ALTER DATABASE ${stand.database} RESET default_transaction_read_only`);
    await session.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await stand.deliver(event);
    await stand.settles();
  }));

const hearsNobody = {
  'is cut off whenever it listens': async ({ query, proxy, isListening }) => {
    proxy.deafen();
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query ILIKE 'LISTEN%'`,
    );
    await until(async () => !(await isListening()), 'it to listen no more');
    return false;
  },
  'is not told': ({ proxy }) => {
    proxy.mute();
    return true;
  },
};

for (const [what, begin] of Object.entries(hearsNobody)) {
  // fault 20
  test(`a worker that ${what} looks for itself, as often as it is told to`, () =>
    withStand(
      async (stand) => {
        // One that only takes deliveries: the worker hears of them by notification, or looks.
        const door = await Service.start(postgres.url(stand.database), {
          ROLLCALL_SERVE_ROLES: 'ingest',
        });
        const isListening = async () => {
          const { service } = stand;
          const token = { authorization: `Bearer ${ADMIN_TOKEN}` };
          return (await service.get('/statusz', service.adminPort, token)).json.listening;
        };
        const came = async () => {
          const event = stand.next();
          assert.equal((await door.deliver(event.body, { id: event.id })).status, 202);
          await until(
            async () =>
              (await stand.query('SELECT 1 FROM users WHERE clerk_id = $1', [event.user])).length,
            'the row of who came while nobody listened',
          );
        };
        try {
          await until(isListening, 'it to listen');
          const { proxy } = stand;
          const seemsToListen = await begin({
            query: (text) => stand.query(text),
            proxy,
            isListening,
          });
          for (let round = 0; round < 10; round += 1) {
            await came();
            assert.equal(await isListening(), seemsToListen);
          }
          const [{ longest }] = await stand.query(
            `SELECT max(extract(epoch FROM processed_at - created_at))::float8 AS longest
             FROM job_queue`,
          );
          assert.equal(proxy.silenced > 0, seemsToListen, 'there was something to hear');
          // The interval, and what this machine may be late by.
          assert.ok(longest <= pollSeconds + 10, `one waited for ${longest} s`);
          proxy.deafen(false);
          proxy.mute(false);
          await until(isListening, 'it to listen again');
          await came();
          await stand.settles();
        } finally {
          assert.equal(await door.stop(), 0);
        }
      },
      {
        ROLLCALL_SERVE_ROLES: 'worker scheduler',
        ROLLCALL_JOBS_POLL_INTERVAL: `${pollSeconds}s`,
      },
      true,
    ));
}
