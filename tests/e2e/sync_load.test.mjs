// A complete pass that has to write every row and a burst of queued changes of every user at once:
// who signs up meanwhile is not made to wait until they are through.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { CRON_SECRET, WEBHOOK_SECRET } from './service.mjs';
import { until } from './simulator.mjs';

const users = 20_000;
const changesOfEach = 5;
const lanes = 5; // of people who sign up one after the other
const newcomers = 50;
const objective = 60; // seconds from Clerk's event to the row, of 99 in 100

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function backlog(polled) {
  const [{ jobs }] = await polled.query(
    "SELECT count(*)::int jobs FROM job_queue WHERE status = 'PENDING' AND priority = 1",
  );
  return jobs;
}

// By the cron route, which answers when it is through.
function completePass(service) {
  return service.request('GET', '/api/cron/clerk-sync?mode=full', {
    headers: { authorization: `Bearer ${CRON_SECRET}` },
    timeout: 600_000,
  });
}

const cronPass = "FROM rollcall.sync_runs WHERE trigger = 'cron'";

async function createdByPass(polled) {
  const [{ created }] = await polled.query(`SELECT created::int ${cronPass}`);
  return created;
}

// Events that became rows, and how many of them within the objective, as the service counts.
async function endToEnd(service, kind) {
  const text = await service.metrics();
  const value = (name, more = '') => {
    const labels = `kind="${kind}"${more}`;
    const series = `rollcall_job_end_to_end_seconds_${name}{${labels}} `;
    return Number(text.split('\n').find((line) => line.startsWith(series))?.slice(series.length));
  };
  return { all: value('count'), inTime: value('bucket', `,le="${objective}"`) };
}

// fault 32
test('who signs up during a resync and a burst is there before their end', async (t) => {
  const polled = await Polled.start(postgres, users);
  try {
    const service = await polled.serve({
      ROLLCALL_MODE: 'hybrid',
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ROLLCALL_SYNC_INTERVAL: '1h',
    });
    await until(async () => (await polled.living()) === users, 'the first pass', 600_000);
    await polled.sim.control('PATCH', '/endpoint', {
      url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
    });
    await polled.query("UPDATE users SET name = 'Stale'");
    await polled.query(
      `INSERT INTO job_queue (job_type, payload, priority)
       SELECT 'USER_UPDATED', jsonb_build_object('clerk_id', u.clerk_id, 'name', 'Burst ' || n,
           'email', u.email, 'user_role', 'user'), 1
       FROM users u, generate_series(1, $1) n`,
      [changesOfEach],
    );
    const pass = completePass(service);
    pass.catch(() => {}); // awaited below; what fails before that is told instead
    await until(
      async () => (await polled.query(`SELECT 1 ${cronPass} AND seen > 0`)).length > 0,
      'the pass under way',
    );
    const waits = [];
    const left = Array.from({ length: newcomers }, (_, number) => number);
    const signUp = async () => {
      for (let number; (number = left.pop()) !== undefined; ) {
        const asked = performance.now();
        const { user } = await polled.change('POST', '/users', {
          email_address: [`newcomer${number}@example.com`],
        });
        await until(
          async () =>
            (await polled.query('SELECT 1 FROM users WHERE clerk_id = $1', [user.id])).length > 0,
          'the newcomer',
        );
        waits.push(performance.now() - asked);
      }
    };
    await Promise.all(Array.from({ length: lanes }, signUp));
    const behind = await backlog(polled);
    // A row is seen before the service has counted it; and the pass may list a newcomer first.
    let counted;
    await until(async () => {
      counted = await endToEnd(service, 'USER_CREATED');
      return counted.all + (await createdByPass(polled)) >= newcomers;
    }, 'each newcomer counted');
    const { all, inTime } = counted;
    waits.sort((a, b) => a - b);
    t.diagnostic(
      `${waits.length} newcomers, half of them within ${waits[waits.length >> 1].toFixed(0)} ms, ` +
        `the slowest ${waits.at(-1).toFixed(0)} ms; ${behind} changes left then`,
    );
    assert.ok(behind > 0, 'all of them before the burst was worked off');
    assert.ok(all >= 0.9 * newcomers, `${all} of ${newcomers} by their own event`);
    assert.ok(inTime >= 0.99 * all, `${inTime} of ${all} within ${objective} s`);
    const { status, text } = await pass;
    assert.ok(status === 200 || /Clerk listed/.test(text), `${status} ${text}`);
    await until(async () => (await backlog(polled)) === 0, 'an empty queue', 600_000);
    const done = await polled.begin(['sync', '--full', '--json']).ended;
    assert.equal(done.code, 0, done.stdout + done.stderr);
    await polled.equal();
  } finally {
    await polled.stop();
  }
});
