// Supabase Auth goes away for a while and comes back: rows follow as before, hardly anything asks
// for it meanwhile, and the mirror is complete soon after. `./dev bench --only outage` is the long
// one, and judges the rows' latency.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';

import { Postgres } from './postgres.mjs';
import { ADMIN_TOKEN, Service, freshDatabase, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import { Auth } from './supabase.mjs';
import { TcpProxy } from './tcp_proxy.mjs';
import { Traffic } from './traffic.mjs';

const perSecond = 20;
const rowLimit = 10_000; // ms; for what never comes

// How many probes a circuit sends in so many seconds: after one, two, four, eight, then every ten.
export function probesIn(seconds) {
  let probes = 1;
  for (let at = 1, wait = 1; at <= seconds; probes += 1) {
    wait = Math.min(wait * 2, 10);
    at += wait;
  }
  return probes;
}

// Who looks at one event at a time: from the first byte sent until another session sees the row.
class Watch {
  constructor(service, client, prefix) {
    Object.assign(this, { service, client, prefix, count: 0 });
  }

  async one() {
    const user = `user_${this.prefix}${(this.count += 1)}`;
    const begun = performance.now();
    const answer = await this.service.deliver(userEvent('user.created', user, 1_700_000_000_000));
    assert.equal(answer.status, 202);
    await until(
      async () =>
        (await this.client.query('SELECT 1 FROM users WHERE clerk_id = $1', [user])).rowCount > 0,
      `the row of ${user}`,
      rowLimit,
    );
    return performance.now() - begun;
  }

  async during(seconds) {
    const end = Date.now() + seconds * 1000;
    const took = [];
    while (Date.now() < end) took.push(await this.one());
    return took.toSorted((a, b) => a - b);
  }
}

// fault 33
test('rows follow while Supabase Auth is away, and the mirror when it is back', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const database = await freshDatabase(postgres);
  const auth = await Auth.start();
  const proxy = await TcpProxy.start(Number(new URL(auth.url).port));
  const service = await Service.start(postgres.url(database), {
    ...auth.environment,
    SUPABASE_URL: proxy.url,
  });
  const client = new pg.Client({ host: postgres.folder, user: 'postgres', database });
  await client.connect();
  const traffic = new Traffic(service.port, perSecond, 'outage').start();
  const mirror = async () => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    return (await service.get('/statusz', service.adminPort, headers)).json.mirror;
  };
  try {
    const watch = new Watch(service, client, 'watched');
    const before = await watch.during(20);

    proxy.close();
    const asked = proxy.asked;
    const begun = Date.now();
    const away = await watch.during(40);
    const seconds = (Date.now() - begun) / 1000;
    const probes = proxy.asked - asked;
    // Those that opened the circuit: its failures in a row, beside as many as may run at once.
    const most = 5 + 8 + probesIn(seconds);
    assert.ok(probes <= most, `${probes} requests in ${seconds} s, at most ${most}`);
    const waiting = await mirror();
    assert.notEqual(waiting.circuit, 'closed');
    assert.ok(waiting.pending > perSecond * 20, `${waiting.pending} wait`);

    const answers = await traffic.stop();
    assert.deepEqual(answers, { 202: traffic.sent });
    proxy.close(false);
    const back = Date.now();
    await until(async () => (await mirror()).pending === 0, 'the mirror to be complete', 60_000);
    const caughtUp = (Date.now() - back) / 1000;

    const users = await auth.users();
    const [{ rows }] = await postgres.query(database, 'SELECT count(*)::int AS rows FROM users');
    assert.equal(users.length, rows);
    assert.equal(rows, traffic.sent + watch.count);
    assert.equal((await mirror()).dead, 0);
    const [{ most: attempts }] = await postgres.query(
      database,
      "SELECT max(attempts) AS most FROM job_queue WHERE job_type = 'MIRROR_USER'",
    );
    assert.equal(attempts, 1, 'an outage burns no attempt');
    const middle = (sorted) => sorted[Math.floor(sorted.length / 2)];
    t.diagnostic(
      `row after ${middle(before).toFixed(1)} ms before, ${middle(away).toFixed(1)} ms during; ` +
        `${probes} requests in ${seconds.toFixed(0)} s; complete after ${caughtUp.toFixed(1)} s`,
    );
    assert.equal(await service.stop(), 0);
  } finally {
    await traffic.stop();
    await client.end();
    await service.stop('SIGKILL');
    await auth.stop();
    proxy.stop();
  }
});
