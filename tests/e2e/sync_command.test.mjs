// `rollcall sync` and `rollcall audit` from a shell: what they print and the codes they exit with.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, rollcall } from './service.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function with_(users, work, ...flags) {
  const polled = await Polled.start(postgres, users, ...flags);
  try {
    await work(polled);
  } finally {
    await polled.stop();
  }
}

describe('sync', () => {
  test('prints the object of the contract and keeps a row for it', () =>
    with_(25, async (polled) => {
      const first = polled.sync();
      assert.equal(first.code, 0, first.stderr);
      const { duration_seconds: seconds, pages, requests, ...summary } = first.json;
      assert.deepEqual(summary, {
        mode: 'full', // there was nothing to start from
        status: 'completed',
        seen: 25,
        created: 25,
        updated: 0,
        unchanged: 0,
        deleted: 0,
        restored: 0,
        held_deletes: 0,
        error: null,
      });
      assert.ok(seconds > 0 && pages > 0 && requests > pages);
      const second = polled.sync();
      assert.equal(second.code, 0, second.stderr);
      assert.equal(second.json.mode, 'incremental');
      const history = polled.run(['sync', '--history', '--json'], { CLERK_SECRET_KEY: '' });
      assert.equal(history.code, 0, history.stderr);
      const [latest, before_] = history.json.runs;
      assert.equal(latest.mode, 'incremental');
      assert.equal(latest.trigger, 'cli');
      assert.equal(before_.created, 25);
      const text = polled.run(['sync', '--history', '--limit', '1']).stdout.trim().split('\n');
      assert.equal(text.length, 2);
      assert.match(text[1], /incremental\s+cli\s+completed/);
    }));

  test('tells people in words, and says how far it is', () =>
    with_(3, async (polled) => {
      const done = polled.run(['sync', '--full']);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /^completed \(full\)\n {2}3 users seen: 3 created/);
      assert.match(done.stderr, /^\d of 3 users \(\d+%\)/m);
      assert.doesNotMatch(done.stderr, /\x1b/, 'no bar where nobody looks');
    }));

  test('--dry-run names each field, writes nothing and has no row', () =>
    with_(5, async (polled) => {
      polled.full();
      const equal = polled.sync('--dry-run');
      assert.equal(equal.code, 0, equal.stderr);
      assert.deepEqual(equal.json.differences, []);
      const [{ clerk_id: edited }, { clerk_id: gone }] = await polled.table();
      await polled.query("UPDATE users SET name = 'By Hand' WHERE clerk_id = $1", [edited]);
      await polled.change('DELETE', `/users/${gone}`);
      const { user: born } = await polled.change('POST', '/users', {
        email_address: ['new@example.com'],
      });
      const written = await polled.rowsWritten();
      const done = polled.sync('--dry-run');
      assert.equal(done.code, 1, done.stderr);
      const kinds = Object.fromEntries(done.json.differences.map((d) => [d.clerk_id, d.kind]));
      assert.deepEqual(kinds, { [edited]: 'different', [gone]: 'extra', [born.id]: 'missing' });
      const { fields } = done.json.differences.find((d) => d.clerk_id === edited);
      assert.deepEqual(Object.keys(fields), ['name']);
      assert.equal(fields.name.table, 'By Hand');
      const text = polled.run(['sync', '--dry-run']);
      assert.equal(text.code, 1);
      assert.match(text.stdout, /^ {2}name {2}"By Hand" -> ".+"$/m);
      assert.match(text.stdout, /different: 1 missing, 1 different, 1 extra; 5 users seen/);
      assert.equal(await polled.rowsWritten(), written);
      const runs = await polled.query('SELECT 1 FROM rollcall.sync_runs');
      assert.equal(runs.length, 1, 'only the pass that was none');
      polled.full();
      await polled.equal();
    }));

  test('--user --dry-run shows the difference of one, and writes nothing', () =>
    with_(12, async (polled) => {
      polled.full();
      const [{ clerk_id: edited }, { clerk_id: gone }, { clerk_id: other }] = await polled.table();
      await polled.query("UPDATE users SET name = 'By Hand' WHERE clerk_id IN ($1, $2)", [
        edited,
        other,
      ]);
      await polled.change('DELETE', `/users/${gone}`);
      const written = await polled.rowsWritten();
      const done = polled.sync('--user', edited, '--dry-run');
      assert.equal(done.code, 1, done.stderr);
      const { differences, mode, status, seen, updated, pages } = done.json;
      assert.deepEqual(
        { mode, status, seen, updated, pages },
        { mode: 'user', status: 'completed', seen: 1, updated: 0, pages: 0 },
      );
      assert.deepEqual(
        differences.map((d) => [d.clerk_id, d.kind, Object.keys(d.fields)]),
        [[edited, 'different', ['name']]],
      );
      const text = polled.run(['sync', '--dry-run', '--user', edited]);
      assert.match(text.stdout, /^ {2}name {2}"By Hand" -> ".+"$/m);
      assert.match(text.stdout, /^different: 0 missing, 1 different, 0 extra; 1 user seen$/m);
      assert.equal(text.stderr, '');
      await polled.sim.faults({ api_404: 1 });
      const doubted = polled.sync('--user', edited, '--dry-run');
      assert.equal(doubted.json.differences[0].kind, 'different', 'asked for again');
      const extra = polled.sync('--user', gone, '--dry-run');
      assert.equal(extra.code, 1, extra.stderr);
      assert.equal(extra.json.differences[0].kind, 'extra');
      const nobody = polled.run(['sync', '--user', 'user_nobody', '--dry-run']);
      assert.equal(nobody.code, 0, nobody.stderr);
      assert.equal(nobody.stdout, 'equal: neither Clerk nor the table has this user\n');
      assert.equal(await polled.rowsWritten(), written);
      const [{ runs, absences }] = await polled.query(
        `SELECT (SELECT count(*)::int FROM rollcall.sync_runs) AS runs,
                (SELECT count(*)::int FROM rollcall.absences) AS absences`,
      );
      assert.deepEqual({ runs, absences }, { runs: 1, absences: 0 });
    }));

  test('--user counts requests as passes do, and says what the guard holds back', () =>
    with_(12, async (polled) => {
      polled.full();
      const [{ clerk_id: one }, { clerk_id: two }, { clerk_id: three }] = await polled.table();
      assert.equal(polled.sync('--user', one).json.requests, 1);
      await polled.sim.faults({ api_429: 2, retry_after_seconds: 1 });
      const repeated = polled.sync('--user', one);
      assert.equal(repeated.json.requests, 3, repeated.stdout + repeated.stderr);
      await polled.change('DELETE', `/users/${two}`);
      await polled.change('DELETE', `/users/${three}`);
      await polled.query(
        `INSERT INTO rollcall.absences (clerk_id, first_seen_at, concluded_at)
         SELECT 'user_gone_' || n, now(), now() FROM generate_series(1, 10) AS n`,
      );
      const held = polled.sync('--user', two);
      assert.equal(held.code, 1, held.stderr);
      assert.equal(held.json.status, 'completed');
      assert.equal(held.json.held_deletes, 1);
      assert.match(held.stderr, /the deletion is held back.*\n.*rollcall sync --full/);
      const both = polled.full();
      assert.equal(both.deleted, 2);
      await polled.equal();
    }));

  test('--user asks for one, and for who is not there twice', () =>
    with_(12, async (polled) => {
      polled.full();
      const [{ clerk_id: one }, { clerk_id: two }] = await polled.table();
      await polled.change('PATCH', `/users/${one}`, { first_name: 'Renamed' });
      const changed = polled.sync('--user', one);
      assert.equal(changed.code, 0, changed.stderr);
      assert.equal(changed.json.mode, 'user');
      assert.equal(changed.json.updated, 1);
      await polled.sim.faults({ api_404: 1 });
      const doubted = polled.sync('--user', one);
      assert.equal(doubted.code, 0, doubted.stderr);
      assert.equal(doubted.json.deleted, 0);
      assert.equal((await polled.sim.control('GET', '/faults')).api_404, false, 'it was met');
      await polled.change('DELETE', `/users/${two}`);
      const gone = polled.sync('--user', two);
      assert.equal(gone.code, 0, gone.stderr);
      assert.equal(gone.json.deleted, 1);
      await polled.equal();
    }));
});

test('--user says of a refusal whose it is, and no data', () =>
  with_(3, async (polled) => {
    const [{ clerk_id: one, email }] = await polled.truth();
    await polled.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
       AS $$ BEGIN RAISE EXCEPTION 'not %', new.email; END $$;
       CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    const refused = polled.sync('--user', one);
    assert.equal(refused.code, 1, 'Clerk is there');
    assert.equal(refused.json.status, 'failed');
    assert.match(refused.json.error, /^The database refuses this change: .*\(P0001\)$/s);
    assert.equal((refused.stdout + refused.stderr).includes(email), false);
    const service = await polled.serve({ ROLLCALL_SYNC_INTERVAL: '1h' });
    const asked = await service.request('POST', `/api/v1/users/${one}/sync`, {
      port: service.adminPort,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    assert.equal(asked.status, 502, asked.text);
    assert.equal(asked.json.error, refused.json.error);
    const runs = await polled.query(
      "SELECT trigger, status, failure FROM rollcall.sync_runs WHERE mode = 'user' ORDER BY id",
    );
    assert.deepEqual(runs, [
      { trigger: 'cli', status: 'failed', failure: 'refused_rows' },
      { trigger: 'admin', status: 'failed', failure: 'refused_rows' },
    ]);
    const wrong = polled.run(['sync', '--user', one], { CLERK_SECRET_KEY: 'sk_test_wrong' });
    assert.equal(wrong.code, 1, wrong.stdout + wrong.stderr);
    assert.match(wrong.stdout, /Clerk refuses the secret key/);
  }));

describe('audit', () => {
  test('is equal or lists what is not, at most so many', () =>
    with_(8, async (polled) => {
      const empty = polled.run(['audit', '--json', '--limit', '2']);
      assert.equal(empty.code, 1, empty.stderr);
      assert.equal(empty.json.equal, false);
      assert.equal(empty.json.missing.total, 8);
      assert.equal(empty.json.missing.ids.length, 2);
      assert.match(polled.run(['audit', '--limit', '2']).stdout, /… and 6 more/);
      polled.full();
      const equal = polled.audit();
      assert.equal(equal.code, 0, equal.stderr);
      assert.deepEqual(equal.json, {
        equal: true,
        missing: { total: 0, ids: [] },
        extra: { total: 0, ids: [] },
        different: { total: 0, items: [] },
      });
      const [{ clerk_id: id }] = await polled.table();
      await polled.query("UPDATE users SET role = 'admin' WHERE clerk_id = $1", [id]);
      const different = polled.audit();
      assert.equal(different.code, 1, different.stderr);
      assert.equal(different.json.different.total, 1);
      assert.equal(different.json.different.items[0].clerk_id, id);
      assert.deepEqual(different.json.different.items[0].fields.role, {
        table: 'admin',
        clerk: 'user',
      });
    }));
});

describe('deletions that are held', () => {
  const gone = 12;

  async function held(polled) {
    polled.full();
    const rows = await polled.table();
    for (const { clerk_id: id } of rows.slice(0, gone)) {
      await polled.change('DELETE', `/users/${id}`);
    }
    const done = polled.sync('--full');
    assert.equal(done.code, 1, done.stderr);
    assert.equal(done.json.status, 'completed');
    assert.equal(done.json.held_deletes, gone);
    assert.equal(done.json.deleted, 0);
    const run = /rollcall sync --approve-deletes (\d+)/.exec(done.stderr)?.[1];
    assert.ok(run, done.stderr);
    assert.equal(await polled.living(), 40, 'nobody is deleted');
    return run;
  }

  test('go when a person approves', () =>
    with_(40, async (polled) => {
      const run = await held(polled);
      const done = polled.sync('--approve-deletes', run);
      assert.equal(done.code, 0, done.stderr);
      assert.deepEqual(done.json, { deleted: gone, returned: 0, left: 0 });
      await polled.equal();
      assert.equal(polled.sync('--approve-deletes', run).code, 1, 'none wait any more');
    }));

  test('stay when a person discards them, until a pass finds them again', () =>
    with_(40, async (polled) => {
      const run = await held(polled);
      const done = polled.sync('--discard-deletes', run);
      assert.equal(done.code, 0, done.stderr);
      assert.deepEqual(done.json, { discarded: gone });
      assert.equal(await polled.living(), 40);
      assert.equal(polled.sync('--discard-deletes', run).code, 1);
      assert.equal(polled.sync('--full').json.held_deletes, gone);
    }));

  test('are those alone that Clerk still does not know', () =>
    with_(40, async (polled) => {
      const run = await held(polled);
      const [{ clerk_id: back }] = await polled.query(
        'SELECT clerk_id FROM rollcall.held_deletes WHERE run_id = $1 LIMIT 1',
        [run],
      );
      // As if the user had never gone: the row says so, and Clerk has a user to be asked for.
      const [{ clerk_id: living }] = (await polled.truth()).slice(0, 1);
      await polled.query(
        'UPDATE rollcall.held_deletes SET clerk_id = $1 WHERE run_id = $2 AND clerk_id = $3',
        [living, run, back],
      );
      const done = polled.sync('--approve-deletes', run);
      assert.deepEqual(done.json, { deleted: gone - 1, returned: 1, left: 0 }, done.stderr);
    }));
});

describe('exit codes', () => {
  test('2 for what contradicts itself', () => {
    for (const args of [
      ['--full', '--user', 'user_a'],
      ['--approve-deletes', '0'],
      ['--approve-deletes', '1', '--discard-deletes', '1'],
      ['--history', '--full'],
      ['--full', '--user', 'user_a', '--dry-run'],
      ['--history', '--dry-run'],
      ['--user', ''],
      ['--limit', '3'],
    ]) {
      const env = { DATABASE_URL: 'postgresql:///none', CLERK_SECRET_KEY: 'sk_test_a' };
      assert.equal(rollcall(['sync', ...args], env).code, 2, args.join(' '));
    }
  });

  test('2 for what is no number of a run, and says so', () => {
    for (const run of ['-1', 'x', '1.5', '99999999999999999999']) {
      const done = rollcall(['sync', '--approve-deletes', run]);
      assert.equal(done.code, 2, done.stderr);
      assert.match(done.stderr, /--approve-deletes: must be the number of a run/);
    }
  });

  test('78 without a secret key, 1 without a schema, 2 for an id that cannot be', () =>
    with_(1, async (polled) => {
      const keyless = polled.run(['sync'], { CLERK_SECRET_KEY: '' });
      assert.equal(keyless.code, 78);
      assert.match(keyless.stderr, /CLERK_SECRET_KEY/);
      const empty = await postgres.create();
      const bare = polled.run(['audit'], { DATABASE_URL: postgres.url(empty) });
      assert.equal(bare.code, 1);
      assert.match(bare.stderr, /rollcall migrate/);
      assert.equal(polled.sync('--user', 'u'.repeat(256)).code, 2);
    }));

  test('69 while Clerk or the database is away', () =>
    with_(1, async (polled) => {
      const away = { CLERK_API_URL: 'http://127.0.0.1:9' };
      for (const command of ['sync', 'sync --dry-run', 'audit', 'sync --user user_a']) {
        const done = polled.run(command.split(' '), away);
        assert.equal(done.code, 69, `${command}: ${done.stdout}${done.stderr}`);
      }
      const [{ status, error }] = await polled.query(
        'SELECT status, error FROM rollcall.sync_runs ORDER BY id LIMIT 1',
      );
      assert.equal(status, 'failed');
      assert.ok(error);
      const lost = polled.run(['sync'], {
        DATABASE_URL: 'postgresql://postgres@127.0.0.1:9/none',
      });
      assert.equal(lost.code, 69, lost.stderr);
    }));

  // fault 45
  test('1 with a wrong key, or one of another instance', () =>
    with_(2, async (polled) => {
      polled.full();
      const wrong = polled.run(['sync', '--full'], { CLERK_SECRET_KEY: 'sk_test_other' });
      assert.equal(wrong.code, 1, wrong.stderr);
      assert.match(wrong.stdout, /^failed \(full\): /);
      await with_(2, async (other) => {
        const mixed = polled.run(['sync', '--full'], { CLERK_API_URL: other.sim.url });
        assert.equal(mixed.code, 1, mixed.stderr);
        assert.match(mixed.stdout, /Clerk instance/);
      }, '--seed', '8');
      await polled.equal();
    }));

  test('75 while another runs', () =>
    with_(600, async (polled) => {
      await polled.sim.faults({ api_slow: true, slow_seconds: 1 });
      const slow = polled.begin(['sync', '--full']);
      await polled.query('SELECT pg_sleep(0.5)');
      const second = polled.sync();
      assert.equal(second.code, 75, second.stdout + second.stderr);
      assert.equal(polled.audit().code, 75);
      assert.equal((await slow.ended).code, 0);
    }));
});
