// The comparison of Supabase Auth with the table: users who were there before the mirror was
// switched on, what somebody changes on either side by hand, and `rollcall audit --mirror`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, freePort, migrate, rollcall } from './service.mjs';
import { SECRET_KEY, Simulator, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

test('300 users who were there before it, and what is changed by hand on either side', async () => {
  const database = await postgres.create();
  const url = postgres.url(database);
  const query = (text, values) => postgres.query(database, text, values);
  migrate(url);
  const listen = ['--supabase-listen', `127.0.0.1:${await freePort()}`];
  const sim = await Simulator.start('--users', '300', ...listen);
  let service;
  try {
    const auth = await Auth.of(sim);
    const clerk = { CLERK_API_URL: sim.url, CLERK_SECRET_KEY: SECRET_KEY };
    const audit = (...args) =>
      rollcall(['audit', '--mirror', ...args], { DATABASE_URL: url, ...auth.environment });
    // While the service compares, an audit is told to try again.
    const audited = (...args) =>
      until(() => [audit(...args)].find((done) => done.code !== 75), 'a turn to compare');

    const filled = rollcall(['sync', '--full'], { DATABASE_URL: url, ...clerk });
    assert.equal(filled.code, 0, filled.stderr);
    const off = rollcall(['audit', '--mirror'], { DATABASE_URL: url });
    assert.equal(off.code, 78, off.stderr);
    assert.match(off.stderr, /SUPABASE_URL/);
    const other = { ...auth.environment, SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_somebody_elses' };
    const refused = rollcall(['audit', '--mirror'], { DATABASE_URL: url, ...other });
    assert.equal(refused.code, 78, refused.stderr);
    const empty = audit('--json', '--limit', '2');
    assert.equal(empty.code, 1, empty.stderr);
    const seen = JSON.parse(empty.stdout);
    assert.deepEqual(
      [seen.equal, seen.by, seen.missing.total, seen.missing.ids.length, seen.extra.total],
      [false, 'pages', 300, 2, 0],
    );
    assert.match(audit('--limit', '1').stdout, /^user_\w+ {2}missing\n… and 299 more/);
    await sim.faults({ auth_down: true });
    assert.equal(audit().code, 69);
    await sim.faults({ auth_down: false });
    assert.equal((await auth.users()).length, 0, 'an audit writes nothing there');

    service = await Service.start(url, {
      ...clerk,
      ...auth.environment,
      ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
      ROLLCALL_SUPABASE_COMPARE_INTERVAL: '1s',
    });
    const equal = async () => (await audited()).code === 0;
    await until(equal, 'everybody in Supabase Auth', 120_000);
    const addresses = (users) => users.map((user) => user.email.toLowerCase()).sort();
    const rows = await query('SELECT clerk_id, email FROM users WHERE email IS NOT NULL');
    assert.ok(rows.length > 100);
    const copies = await auth.users();
    // By e-mail, else by phone, else not at all.
    const { skipped } = JSON.parse((await audited('--json')).stdout);
    assert.equal(copies.length + skipped.total, 300);
    assert.deepEqual(addresses(copies.filter((user) => user.email)), addresses(rows));

    // In Auth: one is removed, one becomes an administrator. In the table: one is renamed.
    const [gone, raised, renamed] = rows.map((row) => row.clerk_id);
    const copyOf = async (id) =>
      (await auth.users()).find((user) => user.app_metadata.clerk_id === id);
    await auth.removeUser((await copyOf(gone)).id);
    await auth.raw('PUT', `/admin/users/${(await copyOf(raised)).id}`, {
      body: { app_metadata: { role: 'admin' } },
      headers: { 'content-type': 'application/json' },
    });
    await query("UPDATE users SET name = 'By Hand' WHERE clerk_id = $1", [renamed]);
    const repaired = async () =>
      (await copyOf(gone)) &&
      (await copyOf(raised)).app_metadata.role !== 'admin' &&
      (await copyOf(renamed)).user_metadata.full_name === 'By Hand';
    await until(repaired, 'all three repaired', 60_000);
    await until(equal, 'both sides equal');

    // Rows that are merely missing remove nobody.
    await query('DELETE FROM users WHERE clerk_id = $1', [gone]);
    const missing = JSON.parse((await audited('--json')).stdout);
    assert.deepEqual([missing.extra.total, missing.extra.items[0].clerk_id], [1, gone]);
    const before = Date.now();
    const status = async () => {
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
      const answer = await service.get('/statusz', service.adminPort, headers);
      return answer.json.mirror;
    };
    const compared = async () => {
      const { compared_at: at, drift } = await status();
      return Date.parse(at) > before && drift.extra === 1;
    };
    await until(compared, 'a comparison that finds it');
    assert.ok(await copyOf(gone));
    await until(
      async () => /rollcall_mirror_drift_users\{kind="extra"} 1/.test(await service.metrics()),
      'the metric',
    );
    assert.equal((await status()).by, 'pages');

    await query(`UPDATE rollcall.leases SET holder = 'another', fence = fence + 1,
                 until = now() + interval '1 hour' WHERE name = 'mirror'`);
    assert.equal(audit().code, 75);
    assert.doesNotMatch(service.log, /@example/);
    assert.equal(await service.stop(), 0);
  } finally {
    await service?.stop('SIGKILL');
    await sim.stop();
  }
});
