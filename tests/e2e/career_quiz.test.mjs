// The career quiz of examples/ through nginx: everybody has the own rows and nobody else's, what is
// public is open and all else is not, and question 15 shows its dropdown.
import assert from 'node:assert/strict';
import { JSDOM } from 'jsdom';
import { after, before, test } from 'node:test';

import { CareerQuiz } from './career_quiz_stand.mjs';
import { until } from './simulator.mjs';

const OWN = [
  ['GET', '/api/user/preferences'],
  ['PUT', '/api/user/preferences'],
  ['GET', '/api/user/data'],
  ['DELETE', '/api/user/data'],
  ['POST', '/api/quiz/session/save'],
  ['GET', '/api/quiz/session/00000000-0000-4000-8000-000000000000'],
];

let quiz, ada, bob;
before(async () => {
  quiz = await CareerQuiz.start();
  ada = await quiz.user('ada');
  bob = await quiz.user('bob');
});
after(() => quiz?.stop());

const as = async (row, method, path, json) =>
  quiz.request(method, path, { token: await quiz.token(row), json });
const asAda = (...words) => as(ada, ...words);
const asBob = (...words) => as(bob, ...words);

async function saved(somebody, answers) {
  const answer = await somebody('POST', '/api/quiz/session/save', { answers });
  assert.equal(answer.status, 200, answer.text);
  return answer.json.id;
}

test('the own rows: saved, added to, read', async () => {
  const id = await saved(asAda, { 1: 'outdoors', 2: 'people' });
  const more = await asAda('POST', '/api/quiz/session/save', {
    session_id: id,
    answers: { 2: 'animals', 3: 'mornings' },
  });
  assert.equal(more.status, 200, more.text);
  const read = await asAda('GET', `/api/quiz/session/${id}`);
  assert.equal(read.status, 200);
  assert.equal(read.headers['cache-control'], 'no-store');
  assert.deepEqual(read.json.answers, { 1: 'outdoors', 2: 'animals', 3: 'mornings' });
  assert.deepEqual(Object.keys(read.json).sort(), ['answers', 'id', 'saved_at', 'started_at']);
  const [row] = await quiz.sql('SELECT user_id FROM quiz.sessions WHERE id = $1', [id]);
  assert.equal(row.user_id, ada.id);

  assert.deepEqual((await asBob('GET', '/api/user/preferences')).json, {});
  for (const preferences of [{ theme: 'dark' }, { theme: 'light', font: 'large' }]) {
    const put = await asAda('PUT', '/api/user/preferences', preferences);
    assert.deepEqual([put.status, put.json], [200, preferences]);
  }
  const own = { theme: 'light', font: 'large' };
  assert.deepEqual((await asAda('GET', '/api/user/preferences')).json, own);
  assert.deepEqual((await asBob('GET', '/api/user/preferences')).json, {});
});

test("another's rows are as if they were not there", async () => {
  const id = await saved(asAda, { 1: 'hers' });
  assert.equal((await asBob('GET', `/api/quiz/session/${id}`)).status, 404);
  const taken = await asBob('POST', '/api/quiz/session/save', {
    session_id: id,
    answers: { 1: 'his' },
  });
  assert.equal(taken.status, 404, taken.text);
  assert.deepEqual((await asAda('GET', `/api/quiz/session/${id}`)).json.answers, { 1: 'hers' });

  const his = await saved(asBob, { 1: 'his' });
  const { profile, sessions } = (await asBob('GET', '/api/user/data')).json;
  assert.deepEqual([profile.id, profile.clerk_id], [bob.id, bob.clerk_id]);
  assert.deepEqual(sessions.map((session) => session.id), [his]);
});

test('nobody: what is public, and nothing else', async () => {
  for (const [method, path] of OWN) {
    const answer = await quiz.request(method, path);
    assert.equal(answer.status, 401, `${method} ${path} ${answer.text}`);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="rollcall"');
  }
  const list = await quiz.request('GET', '/api/subjects/list');
  assert.equal(list.status, 200);
  assert.deepEqual([...new Set(list.json.subjects.map((s) => s.kind))].sort(), ['VCE', 'VCE VET']);
  assert.equal((await quiz.request('GET', '/quiz')).status, 200);
  for (const [method, path] of [
    ['POST', '/api/subjects/list'],
    ['GET', '/api/subjects/list/'],
    ['GET', '/'],
    ['GET', '/api/subjects/list/../../user/data'],
    ['GET', '/api/subjects/list%2f..%2f..%2fuser%2fdata'],
    ['GET', '//api/user/data'],
    ['GET', '/gate/decide'],
  ]) {
    assert.equal((await quiz.request(method, path)).status, 403, `${method} ${path}`);
  }
  const unsigned = await quiz.request('POST', '/api/webhooks/clerk', { body: '{}' });
  assert.equal(unsigned.status, 401, unsigned.text);
  const unkeyed = await quiz.request('POST', '/api/cron/clerk-sync');
  assert.equal(unkeyed.status, 401, unkeyed.text);
});

test('who somebody is says the gate alone', async () => {
  const id = await saved(asAda, { 1: 'hers' });
  const claimed = {
    'X-Rollcall-User-Id': ada.id,
    X_Rollcall_User_Id: ada.id,
    'X-Rollcall-Subject': ada.clerk_id,
    'X-Original-URI': '/api/subjects/list',
    'X-Forwarded-Uri': '/api/subjects/list',
    'X-Forwarded-Method': 'GET',
  };
  const shown = (token) =>
    quiz.request('GET', `/api/quiz/session/${id}`, { headers: claimed, token });
  const [hers, his] = [await quiz.token(ada), await quiz.token(bob)];
  assert.equal((await shown()).status, 401);
  assert.equal((await shown(his)).status, 404);
  assert.equal((await shown(hers)).status, 200);
  const forged = [...hers.split('.').slice(0, 2), his.split('.')[2]].join('.');
  assert.equal((await shown(forged)).status, 401);
  // Reached without the proxy the program lets nobody in who is not named, or named twice.
  const straight = (headers) =>
    quiz.request('GET', '/api/user/data', { port: quiz.upstreamPort, headers });
  assert.equal((await straight({})).status, 401);
  assert.equal((await straight({ 'X-Rollcall-User-Id': [ada.id, bob.id] })).status, 401);
  assert.equal((await straight({ 'X-Rollcall-User-Id': ada.id })).json.profile.id, ada.id);
});

test('what cannot be is refused, and leaves nothing', async () => {
  const count = async () => (await quiz.sql('SELECT count(*)::int AS n FROM quiz.sessions'))[0].n;
  const held = await count();
  const token = await quiz.token(ada);
  const save = (body) => quiz.request('POST', '/api/quiz/session/save', { token, body });
  for (const body of [
    '',
    '{',
    'null',
    '{}',
    '{"answers":[1]}',
    '{"answers":null}',
    '{"answers":{}}\0{}',
    '{"answers":{"1":"\\u0000"}}',
    '{"session_id":"x","answers":{}}',
    Buffer.from([0x7b, 0xff, 0x7d]),
  ]) {
    const answer = await save(body);
    assert.equal(answer.status, 400, `${body} ${answer.status} ${answer.text}`);
    assert.deepEqual(answer.json, { title: 'the request cannot be read', status: 400 });
  }
  assert.equal((await save(`{"answers":{"1":"${'x'.repeat(70_000)}"}}`)).status, 413);
  assert.equal((await asAda('PUT', '/api/user/preferences', [1])).status, 400);
  assert.equal((await asAda('GET', '/api/quiz/session/1')).status, 400);
  assert.equal(await count(), held);

  // A session has a limit, too, however it is reached.
  const id = await saved(asAda, { 1: 'x'.repeat(40_000) });
  const again = { session_id: id, answers: { 2: 'y'.repeat(40_000) } };
  assert.equal((await asAda('POST', '/api/quiz/session/save', again)).status, 400);
});

test('deletion takes all of the caller, and nothing of anybody else', async () => {
  await asBob('PUT', '/api/user/preferences', { theme: 'dark' });
  const kept = await saved(asBob, { 1: 'kept' });
  await saved(asAda, { 1: 'gone' });
  await asAda('PUT', '/api/user/preferences', { theme: 'dark' });
  const held = (await asAda('GET', '/api/user/data')).json;
  assert.ok(held.sessions.length > 0);
  assert.deepEqual(held.preferences, { theme: 'dark' });

  const gone = await asAda('DELETE', '/api/user/data');
  assert.deepEqual(gone.json, { deleted: { sessions: held.sessions.length, preferences: 1 } });
  const left = (await asAda('GET', '/api/user/data')).json;
  assert.deepEqual([left.sessions, left.preferences], [[], {}]);
  assert.equal(left.profile.clerk_id, ada.clerk_id);
  const nothing = { deleted: { sessions: 0, preferences: 0 } };
  assert.deepEqual((await asAda('DELETE', '/api/user/data')).json, nothing);
  assert.equal((await asBob('GET', `/api/quiz/session/${kept}`)).status, 200);
  assert.deepEqual((await asBob('GET', '/api/user/preferences')).json, { theme: 'dark' });
});

test('who is banned is let at nothing, by the gate and by the database', async () => {
  const eve = await quiz.user('eve');
  const token = await quiz.token(eve);
  const id = await saved((...words) => as(eve, ...words), { 1: 'mine' });
  const path = `/api/quiz/session/${id}`;
  assert.equal((await quiz.request('GET', path, { token })).status, 200);
  const banned = await quiz.sim.raw('POST', `/users/${eve.clerk_id}/ban`);
  assert.equal(banned.status, 200);
  // 403 as somebody banned, or 401 since Clerk ends the sessions of who is banned.
  const ends = async () => (await quiz.request('GET', path, { token })).status;
  await until(async () => [401, 403].includes(await ends()), 'the ban at the gate', 30_000);
  await until(async () => {
    const [{ n }] = await quiz.sql('SELECT count(*)::int AS n FROM rollcall.ledger WHERE banned');
    return n === 1;
  }, 'the ban in the database');
  const headers = { 'X-Rollcall-User-Id': eve.id };
  const straight = (method, where, body) =>
    quiz.request(method, where, { port: quiz.upstreamPort, headers, body });
  assert.equal((await straight('GET', path)).status, 404);
  const save = await straight('POST', '/api/quiz/session/save', '{"answers":{}}');
  assert.equal(save.status, 403, save.text);
});

// The page as a browser has it; `fetch` is what its script asks with.
async function page(fetch, clerk) {
  const url = `http://127.0.0.1:${quiz.port}/quiz`;
  const { text } = await quiz.request('GET', '/quiz');
  const { window } = new JSDOM(text, {
    url,
    runScripts: 'dangerously',
    beforeParse(of) {
      // The signal is of the page's world, which Node's fetch does not know.
      of.fetch = (path, { signal, ...options } = {}) => fetch(new URL(path, url), options);
      of.Clerk = clerk;
    },
  });
  return window;
}

test('question 15 shows its dropdown of VCE VET subjects, and saves the choice', async () => {
  await quiz.sql(
    `INSERT INTO quiz.subjects (code, name, kind) VALUES ('odd', 'VCE VET <b>Odd</b>', 'VCE VET')
     ON CONFLICT DO NOTHING`,
  );
  const expected = await quiz.sql(
    `SELECT code, name FROM quiz.subjects WHERE kind = 'VCE VET' ORDER BY name`,
  );
  assert.ok(expected.length > 5);
  const getToken = () => quiz.token(ada);
  const { document } = await page(fetch, { session: { getToken } });
  const select = document.querySelector('select');
  assert.equal(select.labels[0].textContent, 'Which VCE VET subject would you like to take?');
  assert.equal(select.closest('fieldset').querySelector('legend').textContent, 'Question 15');
  await until(() => !select.disabled, 'the dropdown', 30_000);
  const shown = [...select.options].map((option) => [option.value, option.textContent]);
  assert.deepEqual(shown.slice(1), expected.map(({ code, name }) => [code, name]));
  assert.equal(shown[0][0], '');

  select.value = 'vet-music';
  document.querySelector('form').requestSubmit();
  const said = document.querySelector('output');
  await until(() => said.textContent === 'Saved.', 'the answer to be saved', 30_000);
  const { sessions } = (await asAda('GET', '/api/user/data')).json;
  assert.deepEqual(sessions.at(-1).answers, { 15: 'vet-music' });

  select.value = 'vet-health';
  document.querySelector('form').requestSubmit();
  await until(async () => {
    const now = (await asAda('GET', '/api/user/data')).json.sessions;
    return now.length === sessions.length && now.at(-1).answers[15] === 'vet-health';
  }, 'the other answer, in the same session');
});

test('a list that does not come leaves a message and another try; nobody can save', async () => {
  let broken = true;
  const { document } = await page(
    (...words) => (broken ? Promise.reject(new Error('cut')) : fetch(...words)),
  );
  const select = document.querySelector('select');
  const again = document.querySelector('#again');
  const said = document.querySelector('output');
  await until(() => !again.hidden, 'the message', 30_000);
  assert.deepEqual([said.textContent, select.disabled], ['The subjects did not come.', true]);
  broken = false;
  again.click();
  await until(() => !select.disabled, 'the dropdown', 30_000);
  assert.equal(again.hidden, true);

  select.value = 'vet-music';
  document.querySelector('form').requestSubmit();
  await until(() => said.textContent.startsWith('Not saved.'), 'the refusal', 30_000);
});

test('without its database the program says so, and goes on when it is back', async () => {
  const headers = { 'X-Rollcall-User-Id': bob.id };
  const ask = () => quiz.request('GET', '/api/user/data', { port: quiz.upstreamPort, headers });
  assert.equal((await ask()).status, 200);
  quiz.postgres.down();
  const away = await ask();
  assert.equal(away.status, 503);
  assert.deepEqual(away.json, { title: 'the database gives no answer; try again', status: 503 });
  quiz.postgres.up();
  await until(async () => (await ask()).status === 200, 'the database', 30_000);
});

test('without the gate nothing is open', async () => {
  const token = await quiz.token(ada);
  assert.equal((await quiz.request('GET', '/quiz')).status, 200);
  await quiz.service.stop();
  for (const path of ['/quiz', '/api/subjects/list', '/api/user/data']) {
    assert.equal((await quiz.request('GET', path, { token })).status, 500, path);
  }
});
