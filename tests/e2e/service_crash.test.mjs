// Nothing acknowledged is lost: kill -9 with hundreds of deliveries in flight, PostgreSQL stopped
// hard under load, two instances on one database.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PgProxy } from './pg_proxy.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freshDatabase, messageId, migrate, userEvent } from './service.mjs';
import { SECRET_KEY, Simulator, until, within } from './simulator.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// Sends `count` events of distinct users, as Svix would: what is not answered 2xx comes again with
// the same id, later. `round` makes the ids.
class Sender {
  constructor(round) {
    this.round = round;
    this.acknowledged = new Set();
    this.waiting = [];
  }

  add(count) {
    for (let i = 0; i < count; i += 1) {
      const user = `user_${this.round}x${this.waiting.length}`;
      this.waiting.push({
        user,
        id: messageId(),
        body: userEvent('user.created', user, 1_700_000_000_000 + i),
      });
    }
    return this;
  }

  // One try for everything that is not acknowledged; `during` runs while they are in flight.
  async send(service, during = async () => {}) {
    const open = this.waiting.filter((one) => !this.acknowledged.has(one.user));
    const sent = open.map(async (one) => {
      const answer = await service.deliver(one.body, { id: one.id }).catch(() => null);
      if (answer?.status === 202) this.acknowledged.add(one.user);
      return answer?.status;
    });
    await during();
    return Promise.all(sent);
  }

  // Again and again, as Svix would: a disk that stalls longer than an answer may take is a 503.
  async sendAll(service) {
    await until(
      async () => {
        const statuses = await this.send(service);
        const odd = statuses.find((status) => status !== 202 && status !== 503);
        assert.equal(odd, undefined, `an answer ${odd}`);
        return this.acknowledged.size === this.waiting.length;
      },
      'everything acknowledged',
    );
  }
}

async function everyoneIsThere(database, sender) {
  const users = [...sender.acknowledged];
  await until(
    async () => {
      const [{ n }] = await postgres.query(
        database,
        'SELECT count(*)::int n FROM public.users WHERE clerk_id = ANY($1)',
        [users],
      );
      return n === users.length;
    },
    `${users.length} acknowledged users to be rows`,
    60_000,
  );
  const [{ n }] = await postgres.query(
    database,
    "SELECT count(*)::int n FROM job_queue WHERE status = 'FAILED'",
  );
  assert.equal(n, 0);
}

test('kill -9 with hundreds of deliveries in flight, again and again', async () => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database));
  const sender = new Sender('kill');
  try {
    for (let round = 0; round < 5; round += 1) {
      sender.add(400);
      const enough = sender.acknowledged.size + 60 * round;
      await sender.send(service, async () => {
        await until(() => sender.acknowledged.size >= enough, 'some of them to be acknowledged');
        await service.kill();
      });
      const left = sender.waiting.length - sender.acknowledged.size;
      assert.ok(left > 0, 'the kill came in time to interrupt something');
      service.launch();
      await service.ready();
    }
    await sender.sendAll(service);
    await everyoneIsThere(database, sender);
    // What was stored before a kill and sent again is one job.
    const [{ jobs, events }] = await postgres.query(
      database,
      'SELECT count(*)::int jobs, count(DISTINCT event_id)::int events FROM job_queue',
    );
    assert.equal(jobs, events);
    assert.equal(jobs, sender.waiting.length);
  } finally {
    await service.kill();
  }
});

// fault 14
test('PostgreSQL stopped hard and started again under load', async () => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database));
  const sender = new Sender('stop').add(300);
  try {
    const statuses = await sender.send(service, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      postgres.down('immediate');
    });
    assert.ok(
      statuses.every((status) => status === 202 || status === 503),
      `${[...new Set(statuses)]}`,
    );
    // While it is away: 503 with Retry-After within two seconds, alive, not ready.
    await within(2_000, 'the answer', (number) => {
      const answer = service.deliver(userEvent('user.created', `user_away${number}`, 1), {});
      return async () => {
        const away = await answer;
        assert.equal(away.status, 503);
        return Number(away.headers['retry-after']) > 0;
      };
    });
    assert.equal((await service.get('/livez')).status, 200);
    await until(async () => (await service.get('/readyz')).status === 503, 'not ready');
    postgres.up();
    await service.ready();
    await sender.sendAll(service);
    await everyoneIsThere(database, sender);
  } finally {
    await service.stop();
  }
});

// fault 14
test('seconds after PostgreSQL is back events are rows again, after however long', async () => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database));
  try {
    postgres.down('immediate');
    const enough = Date.now() + 10_000;
    let sent = 0;
    const deliver = () =>
      service.deliver(userEvent('user.created', `user_back_${(sent += 1)}`, sent), {});
    await until(
      async () => (await deliver()).status === 503 && Date.now() > enough,
      'every wait between two tries to be as long as it gets',
      20_000,
    );
    postgres.up();
    const back = Date.now();
    await until(
      async () => {
        await deliver();
        const [{ n }] = await postgres.query(database, 'SELECT count(*)::int n FROM public.users');
        return n > 0;
      },
      'a row',
      30_000,
    );
    assert.ok(Date.now() - back < 5_000, `${Date.now() - back} ms`);
  } finally {
    await service.stop();
  }
});

test('two instances share one database', async () => {
  const database = await freshDatabase(postgres);
  const services = await Promise.all([
    Service.start(postgres.url(database)),
    Service.start(postgres.url(database)),
  ]);
  const sender = new Sender('two').add(600);
  try {
    // Every event to both at once: one job each, whoever stores it.
    await Promise.all(services.map((service) => sender.send(service)));
    await sender.sendAll(services[0]);
    await everyoneIsThere(database, sender);
    const [{ jobs }] = await postgres.query(database, 'SELECT count(*)::int jobs FROM job_queue');
    assert.equal(jobs, 600);
    const [{ moved }] = await postgres.query(
      database,
      'SELECT count(*)::int moved FROM job_queue WHERE attempts > 1',
    );
    assert.equal(moved, 0);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
});

test('/readyz follows the database within two seconds or so, down and up', async () => {
  const service = await Service.start(postgres.url(await freshDatabase(postgres)));
  const turns = async (status, limit) => {
    const begun = Date.now();
    await until(
      async () => (await service.get('/readyz', service.adminPort)).status === status,
      `/readyz to answer ${status}`,
      limit,
    );
    return Date.now() - begun;
  };
  try {
    postgres.down();
    assert.ok((await turns(503, 10_000)) < 3_000);
    postgres.up();
    await turns(200, 15_000);
    const thaw = await postgres.freeze();
    try {
      assert.ok((await turns(503, 10_000)) < 3_000);
      assert.equal((await service.get('/livez')).status, 200);
    } finally {
      thaw();
    }
    await turns(200, 40_000);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

test('a service that starts before its database or schema waits for both', async () => {
  const database = await postgres.create();
  const service = await Service.start(postgres.url(database), {}, { waitUntilReady: false });
  try {
    await until(
      async () => (await service.get('/livez').catch(() => ({}))).status === 200,
      'alive',
    );
    assert.equal((await service.get('/readyz')).status, 503);
    const early = await service.deliver(userEvent('user.created', 'user_early', 1));
    assert.equal(early.status, 503);
    migrate(postgres.url(database));
    await service.ready();
    assert.equal((await service.deliver(userEvent('user.created', 'user_early', 1))).status, 202);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

test('SIGTERM answers what is in flight, and ends with 0', async () => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database));
  const sender = new Sender('drain').add(300);
  const statuses = await sender.send(service, async () => {
    await until(() => sender.acknowledged.size > 0, 'the first answer');
    service.child.kill('SIGTERM');
  });
  const [code] = await service.closed;
  assert.equal(code, 0);
  const answered = statuses.filter((status) => status !== undefined);
  assert.ok(answered.length > 0);
  assert.ok(
    answered.every((status) => status === 202 || status === 503),
    `${[...new Set(answered)]}`,
  );
  const [{ n }] = await postgres.query(
    database,
    'SELECT count(*)::int n FROM job_queue WHERE subject = ANY($1)',
    [[...sender.acknowledged]],
  );
  assert.equal(n, sender.acknowledged.size);
});

test('SIGTERM before the database has answered: what opens too late begins nothing', async () => {
  const database = await freshDatabase(postgres);
  const proxy = await PgProxy.start(postgres);
  const sim = await Simulator.start();
  proxy.freeze();
  const service = await Service.start(
    proxy.url(database),
    { ROLLCALL_MODE: 'hybrid', CLERK_API_URL: sim.url, CLERK_SECRET_KEY: SECRET_KEY },
    { waitUntilReady: false },
  );
  try {
    await until(
      async () => (await service.get('/livez').catch(() => ({}))).status === 200,
      'alive',
    );
    service.child.kill('SIGTERM');
    await until(() => service.log.includes('"service_draining"'), 'the drain');
    proxy.freeze(false);
    const [code, signal] = await service.closed;
    assert.deepEqual([code, signal], [0, null], service.log);
    assert.ok(!service.log.includes('_duty_taken'), service.log);
    assert.ok(!service.log.includes('"directory_open"'), service.log);
  } finally {
    proxy.freeze(false);
    await service.stop('SIGKILL');
    await sim.stop();
    await proxy.stop();
  }
});
