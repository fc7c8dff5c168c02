// What `rollcall doctor` says of access to the application's own tables and functions.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { WEBHOOK_SECRET, freshDatabase, migrate, rollcall } from './service.mjs';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

// The findings of one check.
function findings(database, name, change = {}) {
  const env = { CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET, ROLLCALL_MODE: 'webhook', ...change };
  env.DATABASE_URL = postgres.url(database);
  const { code, stdout, stderr } = rollcall(['doctor', '--json'], env);
  const found = JSON.parse(stdout).checks.filter((check) => check.check === name);
  assert.ok(found.length > 0, `${name}: ${stdout}${stderr}`);
  for (const one of found) if (one.verdict !== 'ok') assert.ok(one.advice, one.message);
  return { code, found };
}
const only = (database, name, change) => {
  const { code, found } = findings(database, name, change);
  assert.equal(found.length, 1, JSON.stringify(found));
  return { code, ...found[0] };
};

test('policies that no Clerk id can match', async () => {
  const database = await freshDatabase(postgres);
  const query = (text) => postgres.query(database, text);
  await query(
    `CREATE TABLE notes (id uuid, owner text, clerk_user_id text, user_ref text REFERENCES users
       (clerk_id), person text, short varchar(40));
     ALTER TABLE notes ENABLE ROW LEVEL SECURITY`,
  );
  assert.equal(only(database, 'policies').verdict, 'ok');
  for (const [using, table] of [
    ['auth.uid()::text = clerk_id', 'users'],
    ['clerk_id = auth.uid()::text', 'users'],
    ['(SELECT auth.uid())::text = clerk_id', 'users'],
    ['clerk_id = (SELECT auth.uid()::text)', 'users'],
    ['clerk_id::uuid = auth.uid()', 'users'],
    ['(SELECT auth.uid()) = clerk_id::uuid', 'users'],
    ['auth.uid()::varchar = clerk_user_id', 'notes'],
    ["owner = 'x' OR clerk_user_id = (SELECT cast(auth.uid() AS text))", 'notes'],
    ['user_ref = auth.uid()::text', 'notes'],
    [
      'EXISTS (SELECT FROM users u WHERE u.clerk_id = auth.uid()::text AND u.id = notes.id)',
      'notes',
    ],
  ]) {
    await query(`CREATE POLICY "never fits" ON ${table} FOR SELECT USING (${using})`);
    const { code, verdict, message, advice } = only(database, 'policies');
    assert.deepEqual([code, verdict], [1, 'fail'], using);
    assert.match(message, new RegExp(`"never fits" on ${table}$`), using);
    assert.match(advice, /rollcall\.user_id\(\)/);
    await query(`DROP POLICY "never fits" ON ${table}`);
  }
  await query('CREATE POLICY p ON notes FOR INSERT WITH CHECK (user_ref = auth.uid()::text)');
  assert.match(only(database, 'policies').message, /p on notes$/);
  await query('DROP POLICY p ON notes');
  // What does work, or may: nobody says that these hold Clerk ids.
  for (const using of [
    'auth.uid() = id',
    'id = (SELECT auth.uid())',
    'owner = auth.uid()::text',
    'short = auth.uid()::text',
    "clerk_user_id = (SELECT auth.jwt() ->> 'sub')",
    'clerk_user_id = (SELECT rollcall.clerk_id())',
    'auth.uid()::text = owner AND clerk_user_id IS NOT NULL',
    'clerk_user_id = owner AND id = auth.uid()',
    'id::text = auth.uid()::text',
    "person = auth.uid()::text OR clerk_user_id = 'x'",
  ]) {
    await query(`CREATE POLICY fits ON notes USING (${using})`);
    assert.equal(only(database, 'policies').verdict, 'ok', using);
    await query('DROP POLICY fits ON notes');
  }
  // A column of any name, once the planner has seen Clerk ids in it.
  await query(
    `CREATE POLICY told ON notes USING (person = auth.uid()::text);
     INSERT INTO notes (person) SELECT 'user_' || md5(n::text) FROM generate_series(1, 200) n`,
  );
  assert.equal(only(database, 'policies').verdict, 'ok');
  await query('ANALYZE notes');
  assert.match(only(database, 'policies').message, /told on notes$/);
});

test('policies by the names of an adopted table', async () => {
  const database = await postgres.create();
  const names = {
    ROLLCALL_USERS_TABLE: 'app.people',
    ROLLCALL_USERS_CLERK_ID_COLUMN: 'external_id',
  };
  await postgres.query(
    database,
    `CREATE SCHEMA app;
     CREATE TABLE app.people (id uuid PRIMARY KEY, external_id text UNIQUE, email text UNIQUE,
       name text, role text);
     CREATE TABLE app.others (external_id text)`,
  );
  migrate(postgres.url(database), names);
  await postgres.query(
    database,
    `CREATE POLICY users_select_own ON app.people USING (auth.uid()::text = external_id);
     CREATE POLICY not_clerks ON app.others USING (auth.uid()::text = external_id)`,
  );
  const { verdict, message, advice } = only(database, 'policies', names);
  assert.equal(verdict, 'fail');
  assert.match(message, /: users_select_own on app\.people$/);
  assert.match(advice, /migrate --with-rls/);
  const env = { DATABASE_URL: postgres.url(database), ...names };
  const done = rollcall(['migrate', '--with-rls'], env);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(only(database, 'policies', names).verdict, 'ok');
});

test('tables in public that are open to anon', async () => {
  const database = await freshDatabase(postgres);
  const query = (text) => postgres.query(database, text);
  assert.equal(only(database, 'public_tables').verdict, 'ok');
  // Without a grant a table is nobody's, with or without row level security; another schema is not
  // what PostgREST shows.
  await query(
    `CREATE TABLE closed (x int); CREATE SCHEMA internal; CREATE TABLE internal.open (x int);
     GRANT ALL ON internal.open TO anon; CREATE TABLE users_only (x int);
     GRANT ALL ON users_only TO authenticated; CREATE EXTENSION pg_stat_statements`,
  );
  assert.equal(only(database, 'public_tables').verdict, 'ok');
  for (const grant of [
    'SELECT ON "Open Table" TO anon',
    'SELECT (x) ON "Open Table" TO anon',
    'INSERT ON "Open Table" TO PUBLIC',
    'ALL ON "Open Table" TO anon',
  ]) {
    await query(`CREATE TABLE "Open Table" (x int); GRANT ${grant}`);
    const { code, verdict, message, advice } = only(database, 'public_tables');
    assert.deepEqual([code, verdict], [1, 'fail'], grant);
    assert.match(message, /without row level security: public\."Open Table"$/);
    assert.match(advice, /ENABLE ROW LEVEL SECURITY.*REVOKE ALL/);
    await query('DROP TABLE "Open Table"');
  }
  // Who says that everybody may read has said so.
  await query(
    `CREATE TABLE prices (x int); GRANT ALL ON prices TO anon;
     ALTER TABLE prices ENABLE ROW LEVEL SECURITY;
     CREATE POLICY read ON prices FOR SELECT TO anon USING (true)`,
  );
  assert.equal(only(database, 'public_tables').verdict, 'ok');
  for (const policy of [
    'FOR INSERT WITH CHECK (true)',
    'FOR UPDATE TO anon USING (true)',
    'FOR DELETE USING (true)',
    'TO anon USING (true)',
  ]) {
    await query(`CREATE POLICY write ON prices ${policy}`);
    const { code, verdict, message } = only(database, 'public_tables');
    assert.deepEqual([code, verdict], [0, 'warn'], policy);
    assert.match(message, /write every row: public\.prices$/);
    await query('DROP POLICY write ON prices');
  }
  for (const policy of [
    'AS RESTRICTIVE FOR INSERT WITH CHECK (true)',
    'FOR INSERT TO authenticated WITH CHECK (true)',
    'FOR UPDATE USING (x = 1)',
  ]) {
    await query(`CREATE POLICY write ON prices ${policy}`);
    assert.equal(only(database, 'public_tables').verdict, 'ok', policy);
    await query('DROP POLICY write ON prices');
  }
  await query('CREATE VIEW shown AS SELECT * FROM closed; GRANT SELECT ON shown TO anon');
  const { verdict, message, advice } = only(database, 'public_tables');
  assert.equal(verdict, 'warn');
  assert.match(message, /filtered by no policy: public\.shown$/);
  assert.match(advice, /security_invoker/);
  await query('ALTER VIEW shown SET (security_invoker = true)');
  assert.equal(only(database, 'public_tables').verdict, 'ok');
  await query(
    `CREATE MATERIALIZED VIEW kept AS SELECT * FROM closed; GRANT SELECT ON kept TO anon;
     DO $$ BEGIN FOR n IN 1..9 LOOP EXECUTE format('CREATE TABLE o%s (x int)', n);
       EXECUTE format('GRANT SELECT ON o%s TO anon', n); END LOOP; END $$`,
  );
  const { found } = findings(database, 'public_tables');
  assert.deepEqual(
    found.map((one) => one.verdict),
    ['fail', 'warn'],
  );
  assert.match(found[0].message, /public\.o8, and 1 more$/);
  assert.match(found[1].message, /public\.kept$/);
});

test('functions with the rights of their owner that anon may call', async () => {
  const database = await freshDatabase(postgres);
  const query = (text) => postgres.query(database, text);
  const make = (name, more, returns = 'int') =>
    query(
      `CREATE FUNCTION ${name} RETURNS ${returns} LANGUAGE plpgsql ${more}
       AS 'BEGIN RETURN NULL; END'`,
    );
  await make('public.plain()', '');
  await make('public.noted()', 'SECURITY DEFINER', 'trigger');
  await make('public.closed()', 'SECURITY DEFINER');
  await query('REVOKE ALL ON FUNCTION closed() FROM PUBLIC');
  assert.equal(only(database, 'public_functions').verdict, 'ok');
  await make('public.open(a int, b text)', 'SECURITY DEFINER');
  const { code, verdict, message, advice } = only(database, 'public_functions');
  assert.deepEqual([code, verdict], [0, 'warn']);
  assert.match(message, /: open\(integer,text\)$/);
  assert.match(advice, /REVOKE EXECUTE/);
});

test('users who may not ask who they are, and a policy that somebody has changed', async () => {
  const database = await freshDatabase(postgres);
  assert.equal(only(database, 'callers').verdict, 'ok');
  await postgres.query(
    database,
    'REVOKE EXECUTE ON FUNCTION rollcall.user_id() FROM authenticated',
  );
  const { code, verdict, advice } = only(database, 'callers');
  assert.deepEqual([code, verdict], [1, 'fail']);
  assert.match(advice, /rollcall migrate$/);
  migrate(postgres.url(database));
  assert.equal(only(database, 'callers').verdict, 'ok');
  await postgres.query(database, 'ALTER POLICY users_select_own ON users USING (true)');
  const { found } = findings(database, 'users_table');
  const told = found.find((one) => one.verdict === 'warn');
  assert.match(told.message, /users_select_own on public.users was changed/);
});
