// From whatever state the database is in, one complete pass makes the table equal Clerk, as Clerk's
// own SDK sees it, and the next one writes not a row; also when the first was killed half way.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { until } from './simulator.mjs';

const users = 1200;

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// Complete, equal, and then nothing left to write.
async function converges(polled) {
  const summary = polled.full({ ROLLCALL_SYNC_DELETE_GUARD_RATIO: '0.5' });
  assert.equal(summary.held_deletes, 0);
  await polled.equal();
  const written = await polled.rowsWritten();
  const second = polled.full();
  assert.equal(second.unchanged, second.seen);
  assert.equal(await polled.rowsWritten(), written, 'the second pass writes nothing');
  return summary;
}

async function changeSome(polled) {
  const rows = await polled.table();
  for (const { clerk_id: id } of rows.slice(0, 10)) {
    await polled.change('PATCH', `/users/${id}`, { first_name: 'Changed' });
  }
  for (const { clerk_id: id } of rows.slice(10, 15)) await polled.change('DELETE', `/users/${id}`);
  for (const { clerk_id: id } of rows.slice(15, 20)) {
    await polled.change('POST', `/users/${id}/ban`);
  }
  for (let i = 0; i < 5; i += 1) {
    await polled.change('POST', '/users', { email_address: [`late${i}@example.com`] });
  }
}

describe('one complete pass', () => {
  let polled;
  before(async () => {
    polled = await Polled.start(postgres, users);
  });
  after(() => polled.stop());

  test('fills an empty database', async () => {
    const summary = await converges(polled);
    assert.equal(summary.created, users);
    assert.equal(summary.seen, users);
  });

  // fault 4
  test('makes up for webhooks that were lost', async () => {
    await changeSome(polled);
    const summary = await converges(polled);
    assert.equal(summary.created, 5);
    assert.equal(summary.updated, 10, 'bans are no column of the table');
    assert.equal(summary.deleted, 5);
  });

  test('repairs rows that were edited, and knows those that were removed, by hand', async () => {
    const ids = (await polled.table()).map((row) => row.clerk_id);
    await polled.query("UPDATE users SET name = 'x', email = NULL WHERE clerk_id = ANY($1)", [
      ids.slice(0, 30),
    ]);
    await polled.query('DELETE FROM users WHERE clerk_id = ANY($1)', [ids.slice(30, 40)]);
    await polled.query('UPDATE users SET deleted_at = now() WHERE clerk_id = ANY($1)', [
      ids.slice(40, 50),
    ]);
    await converges(polled);
  });

  // fault 44
  test('follows a backup that was restored', async () => {
    const tables = ['public.users', 'rollcall.ledger', 'rollcall.sync_state'];
    for (const table of tables) {
      await polled.query(`CREATE TABLE old_${table.replace('.', '_')} AS TABLE ${table}`);
    }
    await changeSome(polled);
    polled.full({ ROLLCALL_SYNC_DELETE_GUARD_RATIO: '0.5' });
    for (const table of tables) {
      const columns = await polled.query(
        `SELECT string_agg(quote_ident(attname), ', ') AS names FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
        [table],
      );
      await polled.query(`DELETE FROM ${table}`);
      await polled.query(
        `INSERT INTO ${table} (${columns[0].names})
         SELECT ${columns[0].names} FROM old_${table.replace('.', '_')}`,
      );
    }
    assert.equal(polled.audit().code, 1);
    await converges(polled);
  });

  test('is not needed for what is new: an incremental one finds it', async () => {
    const [{ clerk_id: id }] = await polled.table();
    await polled.change('PATCH', `/users/${id}`, { first_name: 'Fresh' });
    const { user } = await polled.change('POST', '/users', { email_address: ['n@example.com'] });
    const done = polled.sync();
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.json.mode, 'incremental');
    assert.equal(done.json.created, 1);
    assert.ok(user.id);
    await polled.equal();
  });
});

describe('a pass that is cut short', () => {
  // Slow enough to be met half way, by two workers of one connection each.
  const slow = { ROLLCALL_SYNC_WORKERS: '2' };

  async function halfWay() {
    const polled = await Polled.start(postgres, 6000);
    await polled.sim.faults({ api_slow: true, slow_seconds: 1.5 });
    const run = polled.begin(['sync', '--full', '--json'], slow);
    await polled.seenSoFar();
    return { polled, run };
  }

  // `from`: what it goes on from. Meanwhile five of those that it had seen change and two go.
  async function goesOn(polled, from) {
    await polled.sim.control('PUT', '/faults', {});
    const [one, two, ...others] = (await polled.table()).map((row) => row.clerk_id);
    for (const id of [one, two]) await polled.change('DELETE', `/users/${id}`);
    for (const id of others.slice(0, 5)) {
      await polled.change('PATCH', `/users/${id}`, { first_name: 'Meanwhile' });
    }
    const done = await until(
      () => {
        const next = polled.sync('--full');
        return next.code !== 75 && next;
      },
      'the lease of the one that was killed',
      40_000,
    );
    assert.equal(done.code, 0, done.stdout + done.stderr);
    assert.deepEqual([done.json.seen, done.json.deleted], [5998, 2]);
    assert.ok(done.json.created < 6000, 'it does not begin anew');
    const [run] = await polled.query('SELECT * FROM rollcall.sync_runs ORDER BY id DESC LIMIT 1');
    assert.equal(run.continues, from.id);
    await polled.equal();
  }

  test('by kill -9 is gone on from, and shows as failed', async () => {
    const { polled, run } = await halfWay();
    try {
      run.child.kill('SIGKILL');
      assert.equal((await run.ended).signal, 'SIGKILL');
      const [killed] = await polled.query('SELECT id, status FROM rollcall.sync_runs');
      assert.equal(killed.status, 'running');
      await goesOn(polled, killed);
      const [after_] = await polled.query('SELECT status FROM rollcall.sync_runs WHERE id = $1', [
        killed.id,
      ]);
      assert.equal(after_.status, 'failed');
    } finally {
      await polled.stop();
    }
  });

  test('by Ctrl-C says so, and is gone on from at once', async () => {
    const { polled, run } = await halfWay();
    try {
      run.child.kill('SIGINT');
      const ended = await run.ended;
      assert.equal(ended.code, 1, ended.stderr);
      assert.match(ended.stderr, /stopping; the next complete pass goes on from here/);
      assert.equal(JSON.parse(ended.stdout).status, 'incomplete');
      const [stopped] = await polled.query('SELECT id, status FROM rollcall.sync_runs');
      assert.equal(stopped.status, 'incomplete');
      await goesOn(polled, stopped);
    } finally {
      await polled.stop();
    }
  });
});
