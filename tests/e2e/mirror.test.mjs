// The mirror: people come, change and go in the simulated Clerk, webhooks tell the service, and the
// simulated Supabase Auth, seen through its own control routes, ends up equal.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stand } from './mirror_stand.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, CRON_SECRET, Service, freshDatabase, rollcall } from './service.mjs';
import { until } from './simulator.mjs';

const FOREIGN = '11111111-1111-4111-8111-111111111111';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function withStand(run, ...args) {
  const stand = await Stand.start(postgres, ...args);
  try {
    await run(stand);
  } catch (error) {
    await stand.service.stop('SIGKILL');
    await stand.sim.stop();
    throw error;
  }
  await stand.stop();
}

// A life from beginning to end, in each way there is to Supabase Auth.
for (const [way, args, env] of [
  ['a JWT', [], {}],
  ['a secret key', [], { SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_rollcall_simulator' }],
  ['no gateway', ['--supabase-bare'], {}],
]) {
  test(`created, changed, banned and deleted, with ${way}`, () =>
    withStand(
      async (stand) => {
        const ann = await stand.person('Ann@example.com', { first_name: 'Ann', last_name: 'Lee' });
        const made = await stand.mirrored(ann.id, () => true, 'a copy');
        assert.equal(made.email, 'ann@example.com');
        assert.ok(made.email_confirmed_at);
        assert.equal(made.user_metadata.full_name, 'Ann Lee');
        assert.equal(made.user_metadata.name, 'Ann Lee');
        assert.equal(made.app_metadata.role, 'user');
        assert.equal(made.app_metadata.provider, 'email', 'what Auth itself wrote stays');

        await stand.clerk('PATCH', `/users/${ann.id}/metadata`, {
          public_metadata: { role: 'admin' },
        });
        await stand.mirrored(ann.id, (u) => u.app_metadata.role === 'admin', 'the role');
        await stand.clerk('PATCH', `/users/${ann.id}`, { first_name: '', last_name: '' });
        await stand.mirrored(ann.id, (u) => !u.user_metadata.full_name, 'the name taken away');

        for (const [put, lift] of [['ban', 'unban'], ['lock', 'unlock']]) {
          await stand.clerk('POST', `/users/${ann.id}/${put}`);
          await stand.mirrored(ann.id, (u) => u.banned_until, put);
          await stand.clerk('POST', `/users/${ann.id}/${lift}`);
          await stand.mirrored(ann.id, (u) => !u.banned_until, lift);
        }

        await stand.move(ann, 'lee@example.com');
        const moved = await stand.mirrored(
          ann.id, (u) => u.email === 'lee@example.com', 'the new address');
        assert.equal(moved.id, made.id);
        assert.ok(moved.email_confirmed_at);

        await stand.clerk('DELETE', `/users/${ann.id}`);
        await until(async () => !(await stand.copy(ann.id)), 'the copy to go', 30_000);
        await stand.quiet();
        const { on, circuit, pending, dead } = await stand.status();
        assert.deepEqual({ on, circuit, pending, dead },
          { on: true, circuit: 'closed', pending: 0, dead: 0 });
        assert.doesNotMatch(stand.service.log, /example\.com|sb_secret_|eyJ/);
      },
      args,
      env,
    ));
}

test('a phone number alone will do, and nothing at all is skipped and seen', () =>
  withStand(async (stand) => {
    const ben = await stand.person(null, { phone_number: ['+15550100'], first_name: 'Ben' });
    const copy = await stand.mirrored(ben.id, () => true, 'a copy by phone');
    assert.equal(copy.phone, '15550100');
    assert.ok(!copy.email);
    const eve = await stand.person(null, { username: 'eve' });
    await until(async () => (await stand.status()).skipped === 1, 'a skipped user', 30_000);
    await stand.move(eve, 'eve@example.com');
    await stand.mirrored(eve.id, (u) => u.email === 'eve@example.com', 'a copy after all');
    await until(async () => (await stand.status()).skipped === 0, 'nobody skipped', 30_000);
  }));

test('who signed up in Auth with an address of another is not let in by its adoption', () =>
  withStand(async (stand) => {
    await stand.auth.admin().createUser({
      id: FOREIGN,
      email: 'vic@example.com',
      password: 'somebody elses',
      email_confirm: false,
    });
    const squatter = ['vic@example.com', 'somebody elses'];
    assert.equal(await stand.auth.refusal(...squatter), 'email_not_confirmed');
    const vic = await stand.person('vic@example.com', {
      first_name: 'Vic',
      public_metadata: { role: 'admin' },
    });
    const copy = await stand.mirrored(vic.id, (u) => u.app_metadata.role, 'an adoption');
    assert.equal(copy.id, FOREIGN);
    assert.ok(copy.email_confirmed_at);
    assert.equal(await stand.auth.refusal(...squatter), 'invalid_credentials');
    const [{ detail }] = await stand.query(
      "SELECT detail FROM rollcall.audit_log WHERE action = 'mirror.adopted' AND target = $1",
      [vic.id],
    );
    assert.deepEqual(detail, { auth_id: FOREIGN, password: 'replaced' });

    // Whose address Auth has confirmed keeps what is theirs.
    await stand.auth.admin().createUser({
      email: 'lee@example.com',
      password: 'ones own',
      email_confirm: true,
    });
    const lee = await stand.person('lee@example.com');
    await stand.mirrored(lee.id, () => true, 'another adoption');
    assert.equal(await stand.auth.refusal('lee@example.com', 'ones own'), undefined);

    // By a number the squatter could still sign in: a person decides.
    await stand.auth.addUser({ email: 'kim@example.com', phone: '15550199' });
    const kim = await stand.person('kim@example.com');
    const letter = await stand.dead(kim.id);
    assert.match(letter.error, /never confirmed.*sign in by phone/);
    assert.equal(await stand.copy(kim.id), undefined);
  }));

test('an Auth user who was there is adopted when nobody else owns it', () =>
  withStand(async (stand) => {
    await stand.auth.addUser({
      id: FOREIGN,
      email: 'ann@example.com',
      app_metadata: { plan: 'gold' },
      user_metadata: { theme: 'dark' },
    });
    const ann = await stand.person('ann@example.com', { first_name: 'Ann' });
    const adopted = await stand.mirrored(ann.id, (u) => u.user_metadata.full_name, 'an adoption');
    assert.equal(adopted.id, FOREIGN);
    assert.equal(adopted.app_metadata.plan, 'gold', 'what others wrote stays');
    assert.equal(adopted.user_metadata.theme, 'dark');

    // One that bears the same Clerk id already, as after a restored database.
    await stand.quiet();
    await stand.query('TRUNCATE rollcall.mirror_users');
    await stand.clerk('PATCH', `/users/${ann.id}`, { first_name: 'Anna' });
    const again = await stand.mirrored(
      ann.id, (u) => u.user_metadata.full_name === 'Anna', 'the same one');
    assert.equal(again.id, FOREIGN);

    // One that is another Clerk user's: theirs, by a row that has the address too.
    const eve = await stand.person('eve@example.com');
    await stand.mirrored(eve.id, () => true, 'a copy of Eve');
    await stand.auth.addUser({
      email: 'bob@example.com',
      app_metadata: { clerk_id: 'user_of_another_instance' },
    });
    await stand.query(
      `INSERT INTO users (clerk_id, email, "updatedAt")
       VALUES ('user_of_another_instance', 'Bob@example.com', now())`);
    const bob = await stand.person('bob@example.com');
    const { id, error } = await stand.dead(bob.id);
    assert.match(error, new RegExp(`${bob.id}.*user_of_another_instance`));
    assert.doesNotMatch(error, /@/);
    assert.equal((await stand.query('SELECT email FROM users WHERE clerk_id = $1', [bob.id]))[0]
      .email, 'bob@example.com', 'the row is right all the same');

    // Once the other row has another address, the job can be tried again.
    await stand.query(
      `UPDATE users SET email = 'rob@example.com' WHERE clerk_id = 'user_of_another_instance'`);
    const retried = rollcall(['jobs', 'retry', id], {
      DATABASE_URL: postgres.url(stand.database),
    });
    assert.equal(retried.code, 0, retried.stderr);
    await stand.mirrored(bob.id, (u) => u.email === 'bob@example.com', 'Bob after all');
  }));

for (const opaque of [false, true]) {
  // fault 29
  test(`two who swap addresses, ${opaque ? 'the cause hidden' : 'the cause told'}`, () =>
    withStand(async (stand) => {
      await stand.sim.faults({ auth_opaque: opaque });
      const ann = await stand.person('ann@example.com');
      const ben = await stand.person('ben@example.com');
      for (const one of [ann, ben]) await stand.mirrored(one.id, () => true, 'a copy');
      await stand.move(ann, 'between@example.com');
      await stand.move(ben, 'ann@example.com');
      const between = await stand.clerk('GET', `/users/${ann.id}`);
      await stand.move(between, 'ben@example.com');
      await stand.mirrored(ann.id, (u) => u.email === 'ben@example.com', "Ben's address at Ann's");
      await stand.mirrored(ben.id, (u) => u.email === 'ann@example.com', "Ann's address at Ben's");
      await stand.quiet();
      assert.equal((await stand.status()).dead, 0);
    }));
}

// fault 33
test('an outage holds up no row, costs probes only, and is caught up with', () =>
  withStand(async (stand) => {
    const ann = await stand.person('ann@example.com');
    await stand.mirrored(ann.id, () => true, 'a copy');
    const before = (await stand.auth.counts()).requests.total;
    const began = Date.now();
    await stand.sim.faults({ auth_500: true });
    const made = [];
    for (let i = 0; i < 30; i += 1) made.push(await stand.person(`p${i}@example.com`));
    await until(
      async () => (await stand.query('SELECT count(*)::int n FROM users'))[0].n === 31,
      'all rows while Auth is sick',
      60_000,
    );
    await until(async () => (await stand.status()).circuit !== 'closed', 'an open circuit', 30_000);
    await until(
      async () => (await stand.status()).waits?.reason === 'circuit_open',
      'why Auth is not asked',
      30_000,
    );
    await until(
      async () => (await stand.status()).pending === made.length,
      'the count of those who wait to be exact',
    );
    // Those that opened the circuit, two for each user then under way, at most a probe a second.
    const asked = (await stand.auth.counts()).requests.total - before;
    const probes = 1 + (Date.now() - began) / 1000;
    assert.ok(asked <= 5 + 2 * 8 + probes, `${asked} requests to one who is sick`);

    await stand.sim.faults({ auth_500: false, auth_down: true });
    await stand.clerk('DELETE', `/users/${made[0].id}`);
    await stand.sim.faults({ auth_down: false });
    await stand.quiet();
    const addresses = (await stand.auth.users()).map((user) => user.email).sort();
    const rows = await stand.query(
      'SELECT email FROM users WHERE deleted_at IS NULL ORDER BY email COLLATE "C"');
    assert.deepEqual(addresses, rows.map((row) => row.email));
    const { circuit, dead } = await stand.status();
    assert.deepEqual({ circuit, dead }, { circuit: 'closed', dead: 0 });
    const attempts = await stand.query(
      `SELECT max(attempts) n FROM job_queue WHERE job_type = 'MIRROR_USER'`);
    assert.equal(attempts[0].n, 1, 'an outage burns no attempt');
    const metrics = await stand.service.metrics();
    assert.match(metrics, /rollcall_circuit_state\{upstream="supabase_auth"} 0/);
  }));

test('an Auth whose database takes no write burns no attempt either', () =>
  withStand(async (stand) => {
    await stand.sim.faults({ auth_read_only: true });
    const made = [];
    for (let i = 0; i < 12; i += 1) made.push(await stand.person(`p${i}@example.com`));
    await until(
      () =>
        stand.some(
          `SELECT 1 FROM job_queue WHERE job_type = 'MIRROR_USER' AND status = 'PENDING'
           HAVING max(fence) >= 3`),
      'a third try',
      120_000,
    );
    await stand.sim.faults({ auth_read_only: false });
    await stand.quiet();
    await stand.equal();
    const [{ n, dead }] = await stand.query(
      `SELECT max(attempts) n, count(*) FILTER (WHERE status = 'FAILED')::int dead
       FROM job_queue WHERE job_type = 'MIRROR_USER'`);
    assert.deepEqual({ n, dead }, { n: 1, dead: 0 });
  }));

test('where only a scheduler calls, calls are what ends an outage too', () =>
  withStand(
    async (stand) => {
      const call = async () => {
        const answer = await stand.service.get('/api/cron/process-jobs', stand.service.port, {
          authorization: `Bearer ${CRON_SECRET}`,
        });
        assert.equal(answer.status, 200);
      };
      await stand.sim.faults({ auth_500: true });
      const made = [];
      for (let i = 0; i < 10; i += 1) made.push(await stand.person(`p${i}@example.com`));
      const opened = async () => {
        await call();
        return (await stand.status()).circuit !== 'closed';
      };
      await until(opened, 'an open circuit', 60_000);
      await stand.sim.faults({ auth_500: false });
      const copied = async () => {
        await call();
        return (await stand.auth.users()).length === made.length;
      };
      await until(copied, 'a copy of everybody', 60_000);
    },
    [],
    { ROLLCALL_SERVE_ROLES: 'ingest scheduler' },
  ));

test('answers that are lost make no second user', () =>
  withStand(async (stand) => {
    await stand.sim.faults({ auth_drop: 3 });
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push(await stand.person(`p${i}@example.com`));
    for (const one of made) await stand.mirrored(one.id, (u) => u.email, 'a copy');
    await stand.quiet();
    assert.equal((await stand.auth.users()).length, made.length);
    assert.equal((await stand.status()).dead, 0);
  }));

test('what Auth carries out when nobody waits for it any more does not stand', () =>
  withStand(
    async (stand) => {
      const ann = await stand.person('ann@example.com', { first_name: 'Ann' });
      await stand.mirrored(ann.id, () => true, 'a copy');
      await stand.quiet();
      const under_way = (user) =>
        until(
          () =>
            stand.some(
              `SELECT 1 FROM job_queue WHERE job_type = 'MIRROR_USER' AND status = 'PROCESSING'
               AND subject = '${user.id}'`),
          'its job to run');
      await stand.sim.faults({ auth_slow: 2, slow_seconds: 8 });
      const ben = await stand.person('ben@example.com');
      await under_way(ben);
      await stand.clerk('DELETE', `/users/${ben.id}`);
      await stand.clerk('PATCH', `/users/${ann.id}`, { first_name: 'Old' });
      await under_way(ann);
      await stand.clerk('PATCH', `/users/${ann.id}`, { first_name: 'New' });
      await stand.quiet();
      const [one, ...others] = await stand.auth.users();
      assert.equal(one.user_metadata.full_name, 'New');
      assert.deepEqual(others, [], 'nobody who was deleted');
      const { requests } = await stand.auth.counts();
      assert.equal(requests.create, 2, "Ben's came, after all");
    },
    [],
    { ROLLCALL_SUPABASE_TIMEOUT: '4s' },
  ));

test('with one of the two settings the mirror is off, and says so', async () => {
  const database = await freshDatabase(postgres);
  const service = await Service.start(postgres.url(database), {
    SUPABASE_URL: 'https://example.supabase.co',
  });
  try {
    assert.match(service.log, /"event":"mirror_off".*SUPABASE_SERVICE_ROLE_KEY is missing/);
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await service.get('/statusz', service.adminPort, headers);
    assert.deepEqual(answer.json.mirror, { on: false });
    assert.match(await service.metrics(), /rollcall_mirror_users_total\{action="created"} 0/);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});
