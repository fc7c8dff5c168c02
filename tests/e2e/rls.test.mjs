// Row level security by psql, as PostgREST sets it up: both kinds of claims, four verbs, the own
// row, another's, nobody's; on a plain PostgreSQL and on a database as Supabase hands it over.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Postgres } from './postgres.mjs';
import { migrate, rollcall } from './service.mjs';
import { SECRET_KEY, Simulator } from './simulator.mjs';

const scripts = path.join(path.dirname(fileURLToPath(import.meta.url)), 'rls');

let postgres, sim;
before(async () => {
  postgres = await Postgres.start();
  sim = await Simulator.start('--users', '4', '--seed', '11', '--quiet-users');
});
after(async () => {
  await sim?.stop();
  postgres?.remove();
});

// A script as psql runs it: its standard output, in lines.
function psql(url, file, variables = {}) {
  const words = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const done = spawnSync(
    path.join(postgres.bin, 'psql'),
    ['-X', '-At', '-d', url, ...words, '-f', path.join(scripts, file)],
    { encoding: 'utf8', timeout: 60_000 },
  );
  assert.equal(done.status, 0, `${file}: ${done.stdout}${done.stderr}`);
  return done.stdout.trim().split('\n');
}

const REFUSED = '42501'; // insufficient_privilege, also of a row that no policy lets in
const may = (seen, changed, notes) => [
  `select own 00000 ${seen}`,
  'select other 00000 0',
  `select all 00000 ${seen}`,
  `update own 00000 ${changed}`,
  'update other 00000 0',
  `update all 00000 ${changed}`,
  ...['update role', 'update clerk_id', 'update email', 'insert new', 'insert own'].map(
    (what) => `${what} ${REFUSED} 0`,
  ),
  `delete own ${REFUSED} 0`,
  `delete other ${REFUSED} 0`,
  ...notes,
  'sync_age 00000 1',
];
const SOMEBODY = may(1, 1, [
  'select notes 00000 1',
  'insert notes 00000 1',
  `insert others ${REFUSED} 0`,
  'delete notes 00000 2',
]);
// Without an id there is no owner: a NULL in the column, which the policy meets first.
const NOBODY = may(0, 0, [
  'select notes 00000 0',
  `insert notes ${REFUSED} 0`,
  `insert others ${REFUSED} 0`,
  'delete notes 00000 0',
]);
const ANONYMOUS = SOMEBODY.map((line) => `${line.replace(/ \w+ \d+$/, '')} ${REFUSED} 0`);

// What is the same on both servers; `owner` is who migrates.
function course(title, prepare, role) {
  describe(title, () => {
    let database, url, people;
    const query = (text, values) => postgres.query(database, text, values);
    const fill = () => {
      const env = { DATABASE_URL: url, CLERK_SECRET_KEY: SECRET_KEY, CLERK_API_URL: sim.url };
      const done = rollcall(['sync', '--full'], { ...env, ROLLCALL_MODE: 'polling' });
      assert.equal(done.code, 0, done.stdout + done.stderr);
    };
    const verbs = (subject, as = 'authenticated') => {
      const claims = typeof subject === 'string' ? subject : JSON.stringify(subject);
      return psql(url, 'verbs.sql', {
        role: as,
        claims,
        own: people[0].clerk_id,
        other: people[1].clerk_id,
      });
    };
    const claims = (sub, more) => ({ sub, role: 'authenticated', aud: 'authenticated', ...more });

    before(async () => {
      database = await postgres.create();
      url = postgres.url(database);
      prepare(url);
      url = url.replace('user=postgres', `user=${role}`);
      migrate(url);
      fill();
      people = await query('SELECT id, clerk_id FROM users ORDER BY clerk_id');
      assert.equal(people.length, 4);
      psql(url, 'application.sql');
    });

    test('the own row with either kind of claim, and nothing else', () => {
      for (const sub of [people[0].clerk_id, people[0].id]) {
        assert.deepEqual(verbs(claims(sub)), SOMEBODY, sub);
      }
      // As rollcall's exchange writes them, and as Clerk does.
      assert.deepEqual(verbs(claims(people[0].id, { clerk_sub: people[1].clerk_id })), SOMEBODY);
      assert.deepEqual(verbs(claims(people[0].clerk_id, { sid: 'sess_1', sts: 'x' })), SOMEBODY);
    });

    test('nobody: without claims, with broken ones, of somebody unknown', () => {
      for (const subject of [
        '',
        '{',
        '[]',
        'null',
        '5',
        {},
        { role: 'authenticated' },
        claims(5),
        claims(null),
        claims(''),
        claims([people[0].clerk_id]),
        claims('user_unknown'),
        claims('00000000-0000-4000-8000-000000000000'),
        claims(`${people[0].id} `),
        claims(people[0].clerk_id.toUpperCase()),
      ]) {
        assert.deepEqual(verbs(subject), NOBODY, JSON.stringify(subject));
      }
    });

    test('anon is let at nothing, even with claims of somebody', () => {
      assert.deepEqual(verbs('', 'anon'), ANONYMOUS);
      assert.deepEqual(verbs({ sub: people[0].clerk_id }, 'anon'), ANONYMOUS);
      assert.deepEqual(verbs({ sub: people[0].id, role: 'anon' }, 'anon'), ANONYMOUS);
    });

    test('who is banned, locked or deleted in Clerk is nobody', async () => {
      const both = [claims(people[0].clerk_id), claims(people[0].id)];
      for (const [put, lift] of [
        ['ban', 'unban'],
        ['lock', 'unlock'],
      ]) {
        await sim.raw('POST', `/users/${people[0].clerk_id}/${put}`);
        fill();
        for (const subject of both) assert.deepEqual(verbs(subject), NOBODY, put);
        await sim.raw('POST', `/users/${people[0].clerk_id}/${lift}`);
        fill();
        for (const subject of both) assert.deepEqual(verbs(subject), SOMEBODY, lift);
      }
      await query('UPDATE users SET deleted_at = now() WHERE id = $1', [people[0].id]);
      for (const subject of both) assert.deepEqual(verbs(subject), NOBODY, 'deleted');
      await query('UPDATE users SET deleted_at = NULL WHERE id = $1', [people[0].id]);
    });

    test('rows are as they were, and migrate has nothing to do', async () => {
      const [{ n }] = await query(
        `SELECT count(*)::int AS n FROM users
         WHERE role = 'user' AND preferences ->> 'theme' = 'system'`,
      );
      assert.equal(n, 4);
      assert.equal(migrate(url), 'up to date\n');
    });
  });
}

course('on a plain PostgreSQL', () => {}, 'postgres');
course('as Supabase hands it over', (url) => psql(url, 'supabase.sql'), 'sb_postgres');
