// One trace from a delivery through its job's row and the log to the headers that Clerk and
// Supabase Auth, both simulated, receive.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, freePort, freshDatabase, messageId, signed, userEvent } from './service.mjs';
import { SECRET_KEY, Simulator, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

let postgres;
let database;
let sim;
let auth;
let service;

before(async () => {
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  // It sends nothing: deliveries come from here, as a gateway that traces would pass them on.
  sim = await Simulator.start('--supabase-listen', `127.0.0.1:${await freePort()}`);
  auth = await Auth.of(sim);
  service = await Service.start(postgres.url(database), {
    ROLLCALL_MODE: 'hybrid',
    CLERK_API_URL: sim.url,
    CLERK_SECRET_KEY: SECRET_KEY,
    ROLLCALL_JOBS_POLL_INTERVAL: '50ms',
    ROLLCALL_SYNC_INTERVAL: '1h',
    ROLLCALL_LOG_LEVEL: 'debug',
    ...auth.environment,
  });
  await until(
    async () => (await rows("SELECT 1 FROM rollcall.sync_runs WHERE status = 'completed'")).length,
    'the first pass',
  );
});
after(async () => {
  const code = await service?.stop();
  await sim?.stop();
  await postgres?.remove();
  assert.equal(code, 0, service?.log);
});

const rows = (text, values) => postgres.query(database, text, values);
const newTrace = () => randomBytes(16).toString('hex');
const header = (trace, span = randomBytes(8).toString('hex')) => `00-${trace}-${span}-01`;
const lines = () =>
  service.log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line));

// The requests that carry `trace`, as soon as there is one.
async function requestsOf(trace, list, what) {
  const carried = () =>
    list().then((all) => all.filter((one) => one.traceparent.split('-')[1] === trace));
  await until(async () => (await carried()).length > 0, `${what} with the trace`, 30_000);
  return carried();
}
const askedClerk = () => sim.control('GET', '/requests').then((answer) => answer.requests);
const askedAuth = () => auth.requests();

async function person(body) {
  const answer = await sim.raw('POST', '/users', {
    body,
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

async function deliver(body, { id = messageId(), traceparent } = {}) {
  const headers = { ...signed(body, id), ...(traceparent ? { traceparent } : {}) };
  const answer = await service.deliver(body, { headers });
  assert.equal(answer.status, 202, answer.text);
  return id;
}

// The line of a job that has ended, which must be of the trace.
function ofTrace(trace, event, kind) {
  return until(
    () => lines().find((one) => one.event === event && one.trace_id === trace && one.kind === kind),
    `a line ${event} of the trace`,
    30_000,
  ).catch((error) => {
    throw new Error(`${error.message}\n${service.log}`);
  });
}

test('a delivery that brings a trace is followed to Clerk and to Supabase Auth', async () => {
  // Known by a phone number alone, which the mirror asks Clerk for.
  const ben = await person({ phone_number: ['+15550100'], first_name: 'Ben' });
  const trace = newTrace();
  const span = randomBytes(8).toString('hex');
  const event = userEvent('user.created', ben.id, ben.updated_at, { email: null, first: 'Ben' });
  const id = await deliver(event, { traceparent: header(trace, span) });

  const [delivery] = await rows('SELECT trace FROM job_queue WHERE event_id = $1', [id]);
  assert.equal(delivery.trace, header(trace, span));
  await ofTrace(trace, 'webhook_accepted');
  const ended = await ofTrace(trace, 'job_completed', 'MIRROR_USER');
  const [mirror] = await rows('SELECT trace FROM job_queue WHERE id = $1', [ended.job_id]);
  assert.equal(mirror.trace, header(trace, span));

  const clerk = await requestsOf(trace, askedClerk, 'a request to Clerk');
  const supabase = await requestsOf(trace, askedAuth, 'a request to Supabase Auth');
  for (const one of clerk) assert.equal(one.path, `/v1/users/${ben.id}`);
  assert.ok(supabase.some((one) => one.operation === 'create'), JSON.stringify(supabase));
  const spans = [...clerk, ...supabase].map((one) => one.traceparent);
  for (const one of spans) assert.match(one, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  assert.equal(new Set([header(trace, span), ...spans]).size, spans.length + 1, 'own spans');
});

test('a question to Clerk is of the trace of the delivery that raised it', async () => {
  const ann = await person({ email_address: ['ann@example.com'], first_name: 'Ann' });
  const told = (name) =>
    userEvent('user.updated', ann.id, ann.updated_at, { email: 'ann@example.com', first: name });
  await deliver(told('Ann'), { traceparent: header(newTrace()) });
  await until(
    async () => (await rows('SELECT 1 FROM public.users WHERE clerk_id = $1', [ann.id])).length,
    'the row',
  );
  // Another state of the same version: only Clerk knows.
  const trace = newTrace();
  await deliver(told('Anna'), { traceparent: header(trace) });
  const asked = await requestsOf(trace, askedClerk, 'a request to Clerk');
  assert.equal(asked[0].path, `/v1/users/${ann.id}`);
  await ofTrace(trace, 'job_completed', 'REFRESH_USER');
});

test('without a trace, or with a bad one, it is the svix id that links', async () => {
  for (const traceparent of [undefined, header('0'.repeat(32))]) {
    const clerkId = `user_untraced_${traceparent ? 'bad' : 'none'}`;
    const event = userEvent('user.created', clerkId, 1_760_000_000_000);
    const id = await deliver(event, { traceparent });
    const trace = createHash('sha256').update(id).digest('hex').slice(0, 32);
    const [delivery] = await rows('SELECT trace FROM job_queue WHERE event_id = $1', [id]);
    assert.equal(delivery.trace, null);
    await ofTrace(trace, 'webhook_accepted');
    await ofTrace(trace, 'job_completed', 'MIRROR_USER');
    const supabase = await requestsOf(trace, askedAuth, 'a request to Supabase Auth');
    assert.ok(supabase.some((one) => one.operation === 'create'), JSON.stringify(supabase));
  }
});

test('what does not verify is of its trace in the log, and nowhere else', async () => {
  const trace = newTrace();
  const body = userEvent('user.created', 'user_forged', 1_760_000_000_000);
  const headers = { ...signed(body), 'svix-signature': 'v1,AAAA', traceparent: header(trace) };
  assert.equal((await service.deliver(body, { headers })).status, 401);
  await ofTrace(trace, 'webhook_refused');
  assert.deepEqual(await rows('SELECT id FROM job_queue WHERE trace LIKE $1', [`%${trace}%`]), []);
});
