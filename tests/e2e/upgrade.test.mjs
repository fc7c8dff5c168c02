// From the previous build to this one on a live database: old and new beside each other behind a
// load balancer, while users come, change and go and passes run. And the way back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Balancer } from './balancer.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, patient, userEvent } from './service.mjs';
import { SECRET_KEY, Simulator, WEBHOOK_SECRET, binary, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';
import { table, truth } from './truth.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const previous = process.env.ROLLCALL_PREVIOUS ?? path.join(root, 'build/previous/rollcall');

let postgres;
before(async () => {
  assert.ok(
    existsSync(previous),
    `no ${previous}: "./dev test e2e" builds it from an earlier commit, which the clone must have`,
  );
  postgres = await Postgres.start();
  // So that the log has the SQLSTATE of whatever goes wrong.
  await postgres.query('postgres', "ALTER SYSTEM SET log_line_prefix = 'state=%e '");
  await postgres.query('postgres', 'SELECT pg_reload_conf()');
});
after(() => postgres?.remove());

// A command of `program` to its end, beside what goes on here.
async function run(program, args, env) {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  return { code, output };
}

async function migrate(program, url) {
  const { code, output } = await run(program, ['migrate'], { DATABASE_URL: url });
  assert.equal(code, 0, output);
}

// People who come, change and go in Clerk, one thing after the other, about fifty a second.
class Life {
  constructor(sim) {
    this.sim = sim;
    this.people = [];
    this.done = 0;
    this.problems = [];
  }

  start() {
    this.going = true;
    this.ended = this.live().catch((error) => this.problems.push(error.message));
    return this;
  }

  async live() {
    for (; this.going; this.done += 1) {
      const pause = new Promise((resolve) => setTimeout(resolve, 20));
      await this.next(this.done);
      await pause;
    }
  }

  async next(n) {
    const { people } = this;
    if (n % 5 < 2 || people.length < 10) {
      const user = await this.clerk('POST', '/users', { email_address: [`p${n}@example.com`] });
      people.push(user.id);
    } else if (n % 5 < 4) {
      await this.clerk('PATCH', `/users/${people[n % people.length]}`, { first_name: `Name${n}` });
    } else {
      const [gone] = people.splice(n % people.length, 1);
      await this.clerk('DELETE', `/users/${gone}`);
    }
  }

  async clerk(method, where, body) {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.sim.raw(method, where, { body, headers });
    assert.ok(answer.ok, `${method} ${where}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  }

  // Until so much more has happened.
  goesOn(steps) {
    const goal = this.done + steps;
    return until(() => {
      assert.deepEqual(this.problems, []);
      return this.done >= goal;
    }, `${steps} more changes in Clerk`);
  }

  async stop() {
    this.going = false;
    await this.ended;
    assert.deepEqual(this.problems, []);
  }
}

const errors = (service) =>
  service.log.split('\n').filter((line) => /"level":"error"|"event":"bug"/.test(line));

// fault 40
test('two of the previous build are replaced one by one, and nobody notices', async () => {
  const database = await postgres.create();
  const url = postgres.url(database);
  await migrate(previous, url);
  const sim = await Simulator.start('--users', '50', '--seed', '7', '--quiet-users');
  const auth = await Auth.of(sim);
  const balancer = await Balancer.start();
  const services = [];
  const start = async (program, env = {}) => {
    const service = await Service.start(
      url,
      {
        ...patient,
        ROLLCALL_MODE: 'hybrid',
        CLERK_API_URL: sim.url,
        CLERK_SECRET_KEY: SECRET_KEY,
        CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
        ROLLCALL_CLERK_RATE_LIMIT: '100000',
        ROLLCALL_SYNC_INTERVAL: '1s',
        ROLLCALL_SYNC_FULL_INTERVAL: '3s',
        ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000',
        ROLLCALL_SERVE_SHUTDOWN_DELAY: '3s',
        ...env,
      },
      { program },
    );
    services.push(service);
    balancer.add(service);
    await until(() => balancer.takes(service), 'requests for the new one');
    return service;
  };
  const end = async (service) => {
    service.child.kill('SIGTERM');
    const [code] = await service.closed;
    assert.equal(code, 0, service.log);
    balancer.remove(service);
  };
  try {
    const old = [await start(previous), await start(previous)];
    await sim.control('PATCH', '/endpoint', { url: `${balancer.url}/webhooks/clerk` });
    const life = new Life(sim).start();
    await life.goesOn(50);
    await migrate(binary(), url);
    await life.goesOn(50);
    const mirror = auth.environment;
    const first = await start(binary(), mirror);
    await life.goesOn(50);
    await end(old[0]);
    await life.goesOn(50);
    const second = await start(binary(), mirror);
    await end(old[1]);
    const known = new Set(life.people);
    await life.goesOn(50);
    await life.stop();

    const messages = await until(async () => {
      const all = await sim.messages('?limit=10000');
      return all.every((message) => message.status !== 'pending') && all;
    }, 'the last delivery');
    const attempts = messages.flatMap((message) => message.attempts);
    assert.ok(attempts.length >= 250, `${attempts.length} deliveries`);
    const refused = attempts.filter(({ status }) => status !== 202);
    assert.deepEqual(refused, [], balancer.failures.join(' '));

    const open = () =>
      postgres.query(
        database,
        "SELECT id, job_type, status, error FROM job_queue WHERE status <> 'COMPLETED'",
      );
    await until(async () => (await open()).length === 0, 'all jobs to be done').catch(async () =>
      assert.deepEqual(await open(), []),
    );
    assert.deepEqual(await table(postgres, database), await truth(sim.url));
    // Who came since there are only such as know of the mirror has a copy.
    const copies = async () => (await auth.users()).map((user) => user.app_metadata.clerk_id);
    const born = life.people.filter((id) => !known.has(id));
    assert.ok(born.length > 0);
    const soon = new Set(await copies());
    for (const id of born) assert.ok(soon.has(id), `no copy of ${id}`);
    // By what a comparison finds, so has who was there before, and who was deleted by one that
    // knew of no mirror has none.
    let audit;
    await until(
      async () => {
        audit = await run(binary(), ['audit', '--mirror'], {
          DATABASE_URL: url,
          CLERK_API_URL: sim.url,
          CLERK_SECRET_KEY: SECRET_KEY,
          ROLLCALL_CLERK_RATE_LIMIT: '100000',
          ROLLCALL_SYNC_DELETE_GUARD_USERS: '1000',
          ...mirror,
        });
        return audit.code === 0;
      },
      'the mirror to equal the table',
      60_000,
    ).catch(() => assert.equal(audit.code, 0, audit.output));
    // By its own word, and by both sides themselves; who has no address may have no copy.
    const living = await table(postgres, database);
    const all = new Set(await copies());
    for (const { clerk_id: id, email } of living) assert.ok(all.has(id) || email === null, id);
    const ids = new Set(living.map((row) => row.clerk_id));
    for (const id of all) assert.ok(ids.has(id), `a copy of ${id}, who is gone`);
    for (const service of services) assert.deepEqual(errors(service), []);
    assert.doesNotMatch(postgres.log(), /state=42/, 'a statement that does not fit the schema');

    for (const service of [first, second]) await end(service);
  } finally {
    await balancer.stop();
    for (const service of services) await service.stop('SIGKILL');
    await sim.stop();
  }
});

async function newDatabase() {
  const database = await postgres.create();
  await migrate(binary(), postgres.url(database));
  return database;
}

// What keeps one from getting ready.
const refusal = (service) =>
  until(
    () => /"event":"schema_not_ready","message":"([^"]*)/.exec(service.log)?.[1],
    'a word about the schema',
  );

// fault 40
test('a build does not start on a later schema, and does no harm there', async () => {
  const database = await newDatabase();
  const url = postgres.url(database);
  const service = await Service.start(url, {}, { program: previous, waitUntilReady: false });
  try {
    assert.match(await refusal(service), /schema step 0009_mirror, which this rollcall does not/);
    assert.equal((await service.get('/readyz')).status, 503);
    assert.equal((await service.get('/livez')).status, 200);
    // Who sends past /readyz all the same is stored, for a build that may apply it.
    const stored = await service.deliver(userEvent('user.created', 'user_early', 1));
    assert.equal(stored.status, 202);
    const { code, output } = await run(previous, ['migrate'], { DATABASE_URL: url });
    assert.equal(code, 75, output);
    assert.equal(await service.stop(), 0);
    const jobs = await postgres.query(database, 'SELECT status FROM job_queue');
    assert.deepEqual(jobs, [{ status: 'PENDING' }]);
  } finally {
    await service.stop('SIGKILL');
  }
});

// fault 40
test('unless all that it does not know says that it is compatible', async () => {
  const database = await newDatabase();
  await postgres.query(
    database,
    `INSERT INTO rollcall.schema_steps (name, checksum, compatible)
     VALUES ('9998_later', 'x', true), ('9999_latest', 'y', true)`,
  );
  const service = await Service.start(postgres.url(database));
  try {
    assert.equal((await service.deliver(userEvent('user.created', 'user_kept', 1))).status, 202);
    assert.equal(await service.stop(), 0);
    await postgres.query(
      database,
      "UPDATE rollcall.schema_steps SET compatible = false WHERE name = '9999_latest'",
    );
    service.log = '';
    service.launch();
    assert.match(await refusal(service), /schema step 9999_latest, which this rollcall does not/);
  } finally {
    await service.stop('SIGKILL');
  }
});

// fault 40
test('queues, jobs and runs of kinds that a later build has are nobody to this one', async () => {
  const database = await newDatabase();
  await postgres.query(
    database,
    `ALTER FUNCTION rollcall.queue_depths() RENAME TO queue_depths_of_before;
     CREATE FUNCTION rollcall.queue_depths()
     RETURNS TABLE (queue text, ready bigint, scheduled bigint, running bigint, retry bigint,
                    dead bigint, oldest_seconds double precision)
     LANGUAGE sql AS $$
         SELECT * FROM rollcall.queue_depths_of_before()
         UNION ALL VALUES ('later', 1::bigint, 2::bigint, 3::bigint, 4::bigint, 5::bigint, 6.0)
     $$;
     INSERT INTO public.job_queue (job_type, payload, status, attempts, lease_until, leased_by)
     VALUES ('LATER_KIND', '{}', 'PENDING', 0, NULL, NULL),
            ('LATER_KIND', '{}', 'PROCESSING', 1, '-infinity', 'later'),
            ('LATER_KIND', '{}', 'FAILED', 1, NULL, NULL);`,
  );
  const service = await Service.start(postgres.url(database));
  try {
    const later = userEvent('user.created', 'user_later', 1);
    assert.equal((await service.deliver(later)).status, 202);
    await until(
      async () => (await postgres.query(database, 'SELECT 1 FROM users')).length === 1,
      'the row of a user',
    );
    // The depths are asked for at the start, and time and again.
    const depth = /rollcall_queue_jobs\{queue="users",state="ready"\} 0/;
    await until(
      async () => depth.test(await service.metrics()),
      'the depth of a queue that it knows',
    );
    assert.doesNotMatch(await service.metrics(), /queue="later"/);
    const status = { authorization: `Bearer ${ADMIN_TOKEN}` };
    assert.equal((await service.get('/statusz', service.adminPort, status)).status, 200);
    assert.deepEqual(errors(service), []);
    assert.equal(await service.stop(), 0);
    const untouched = await postgres.query(
      database,
      `SELECT status FROM job_queue WHERE job_type = 'LATER_KIND' ORDER BY attempts, status`,
    );
    assert.deepEqual(untouched.map((job) => job.status), ['PENDING', 'FAILED', 'PROCESSING']);
  } finally {
    await service.stop('SIGKILL');
  }
});

test('the policies that the previous build made are made anew', async () => {
  const database = await postgres.create();
  const url = postgres.url(database);
  await migrate(previous, url);
  const policies = () =>
    postgres.query(
      database,
      `SELECT policyname, qual FROM pg_policies WHERE tablename = 'users' ORDER BY policyname`,
    );
  assert.match((await policies())[0].qual, /auth\.jwt\(\)/);
  const { code, output } = await run(binary(), ['migrate'], { DATABASE_URL: url });
  assert.equal(code, 0, output);
  assert.match(output, /^done: policies users_select_own and users_update_own on public\.users$/m);
  assert.doesNotMatch(output, /^note: policy/m);
  const qual = '(id = ( SELECT rollcall.user_id() AS user_id))';
  assert.deepEqual(await policies(), [
    { policyname: 'users_select_own', qual },
    { policyname: 'users_update_own', qual },
  ]);
  const again = await run(binary(), ['migrate'], { DATABASE_URL: url });
  assert.match(again.output, /^up to date$/m);
});
