// The watcher of the convergence test itself: that it sees each breach, made by hand here, and
// takes nothing else for one. A watcher that sees nothing would let every seed pass.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { Postgres } from '../e2e/postgres.mjs';
import { freshDatabase } from '../e2e/service.mjs';
import { breaches, watch } from './watch.mjs';

let postgres, database;
before(async () => {
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  await watch(postgres, database);
});
after(() => postgres?.remove());
beforeEach(() => query('TRUNCATE rollcall.ledger, watch.notes'));

const query = (text, values) => postgres.query(database, text, values);

const known = (id, version, deleted_at = null) =>
  query(
    `INSERT INTO rollcall.ledger (clerk_id, version, user_id, deleted_at)
     VALUES ($1, $2, gen_random_uuid(), $3)`,
    [id, version, deleted_at],
  );
const set = (id, what) => query(`UPDATE rollcall.ledger SET ${what} WHERE clerk_id = $1`, [id]);

// What there is at Clerk and in Supabase Auth, and what Auth was asked.
function found({ clerk = [], auth = [], requests = [] } = {}) {
  const answers = {
    '/users?limit=1000': { users: clerk.map((id) => ({ id })) },
    '/auth/users': { users: auth.map((id) => ({ id })) },
    '/auth/requests': { requests },
  };
  return breaches({ query, simulator: { control: async (method, path) => answers[path] } });
}

test('a version that goes back is seen, also when it comes again', async () => {
  await known('user_a', 2000);
  await set('user_a', 'version = 1995');
  await set('user_a', 'version = 3000');
  await known('user_b', 2000);
  await set('user_b', 'version = 2000, banned = true');
  await set('user_b', 'version = 2001');
  assert.deepEqual(await found({ clerk: ['user_a', 'user_b'] }), [
    'the ledger of user_a went back by 5 ms',
  ]);
});

test('who is at Clerk and was taken for deleted is seen, also when revived', async () => {
  await known('user_a', 1000);
  await set('user_a', 'deleted_at = now()');
  await set('user_a', 'deleted_at = NULL');
  await set('user_a', 'deleted_at = now()');
  await known('user_at_once', 1000, new Date());
  await known('user_gone', 1000);
  await set('user_gone', 'deleted_at = now()');
  await set('user_gone', "deleted_at = now() - interval '1 hour'");
  await known('user_living', 1000);
  const clerk = ['user_a', 'user_at_once', 'user_living'];
  assert.deepEqual((await found({ clerk })).toSorted(), [
    'user_a was taken for deleted',
    'user_at_once was taken for deleted',
  ]);
  assert.deepEqual(await found(), [], 'all of them are gone');
});

test('a copy that is there and was deleted meanwhile is seen', async () => {
  const request = (operation, user_id, status) => ({ operation, user_id, status });
  const requests = [
    request('delete', 'again', 200),
    request('create', 'again', 200),
    request('delete', 'again', 200),
    request('delete', 'refused', 500),
    request('delete', 'unanswered', 0),
    request('update', 'changed', 200),
    request('delete', 'gone', 200),
  ];
  const auth = ['again', 'refused', 'unanswered', 'changed'];
  assert.deepEqual(await found({ auth, requests }), ['the Auth user again was deleted on the way']);
});
