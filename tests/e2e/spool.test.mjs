// Webhooks while PostgreSQL is away, with a spool: every 202 is one job afterwards, whatever
// happened in between, in the order of arrival.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { WEBHOOK_SECRET, messageId, migrate, rollcall, userEvent } from './service.mjs';
import { until } from './simulator.mjs';
import { Server, Stand } from './spool_stand.mjs';

let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.remove());

test('an outage is bridged, and seen', async () => {
  const stand = await Stand.start(server, {
    env: { ROLLCALL_ALERTS_SPOOLING: '100ms', ROLLCALL_ALERTS_INTERVAL: '100ms' },
  });
  try {
    assert.deepEqual(await stand.spool(), {
      on: true,
      events: 0,
      bytes: 0,
      bytes_max: 256 * 1024 * 1024,
      oldest: null,
      damaged: 0,
    });
    await stand.acknowledge(3);
    server.down();
    await stand.acknowledge(40);
    const again = await stand.send(stand.sent.at(-1));
    assert.deepEqual([again.status, again.json.duplicate], [202, true]);
    const during = await stand.spool();
    assert.equal(during.events, 40);
    assert.ok(Date.parse(during.oldest) <= Date.now());
    const metrics = await stand.service.metrics();
    assert.match(metrics, /^rollcall_spool_events 40$/m);
    assert.match(metrics, /^rollcall_spool_appended_total\{result="kept"\} 40$/m);
    assert.match(
      metrics,
      /^rollcall_webhook_received_total\{event_type="user.created",result="spooled"\} 40$/m,
    );
    assert.equal(statSync(stand.dir).mode & 0o777, 0o700);
    for (const name of stand.files()) {
      assert.equal(statSync(path.join(stand.dir, name)).mode & 0o777, 0o600);
    }
    const listed = await until(async () => {
      const { status, json } = await stand.alerts();
      return status === 200 && json.alerts.length > 0 && json;
    }, 'the alert to be listed without the database');
    assert.equal(listed.complete, false);
    assert.deepEqual(
      listed.alerts.map(({ alert, status, resolved_at }) => [alert, status, resolved_at]),
      [['Spooling', 'firing', null]],
    );
    assert.match(
      await stand.service.metrics(),
      /^rollcall_alerts_active\{alert="Spooling",scope="instance"\} 1$/m,
    );
    const check = '/readyz?exclude=database&exclude=schema';
    assert.equal((await stand.service.get(check)).status, 200);
    server.up();
    await stand.drained();
    assert.deepEqual(stand.files(), []);
    await until(
      async () => (await stand.query('SELECT events::int FROM rollcall.spools'))[0]?.events === 0,
      'the table of spools to follow',
    );
    for (const event of ['spool_opened', 'spooling_began', 'spool_drained']) {
      assert.ok(stand.service.log.includes(event), event);
    }
    assert.ok(!stand.service.log.includes('@example.com'), 'nobody is named');
    assert.equal(await stand.service.stop(), 0);
  } finally {
    await stand.stop();
  }
});

test('a database that hangs keeps nobody from being heard', async () => {
  const stand = await Stand.start(server);
  try {
    await stand.acknowledge(1);
    const thaw = await server.postgres.freeze();
    try {
      await stand.acknowledge(1);
    } finally {
      thaw();
    }
    await stand.drained();
  } finally {
    await stand.stop();
  }
});

for (const place of [
  'journal.before_write',
  'journal.half_written',
  'journal.before_sync',
  'journal.after_sync',
]) {
  test(`killed at ${place}, and started while the database is still away`, async () => {
    const stand = await Stand.start(server);
    try {
      assert.equal(await stand.service.stop(), 0);
      stand.service.launch({ failpoint: `${place}:abort:20` });
      await stand.service.ready();
      server.down();
      await until(
        async () => (await stand.send(stand.add())) === null,
        'the process to come to the place',
      );
      const [, signal] = await stand.service.closed;
      assert.equal(signal, 'SIGKILL', stand.service.log);
      const doubtful = stand.sent.at(-1);
      stand.service.launch();
      await until(
        async () => (await stand.send(doubtful))?.status === 202,
        'the doubtful one, again',
      );
      await stand.acknowledge(10);
      const torn = stand.service.log.includes('spool_torn_tail');
      assert.equal(torn, place === 'journal.half_written');
      assert.equal((await stand.spool()).damaged, 0);
      server.up();
      await stand.drained();
      assert.deepEqual(stand.files(), []);
    } finally {
      await stand.stop();
    }
  });
}

test('killed between the commit and the end of the file: stored twice, one job', async () => {
  const stand = await Stand.start(server);
  try {
    server.down();
    await stand.acknowledge(100);
    await stand.service.kill();
    server.up();
    stand.service.launch({ failpoint: 'spooling.after_commit:abort' });
    const [, signal] = await stand.service.closed;
    assert.equal(signal, 'SIGKILL', stand.service.log);
    stand.service.launch();
    await stand.drained();
    assert.match(
      await stand.service.metrics(),
      /^rollcall_spool_drained_total\{result="duplicate"\} 64$/m,
    );
  } finally {
    await stand.stop();
  }
});

test('what waited while its user was erased brings nobody back', async () => {
  const stand = await Stand.start(server);
  try {
    await stand.acknowledge(2);
    await stand.drained();
    // What is worked off is not flushed at once: after a crash it is worked off once more.
    await stand.query('CHECKPOINT');
    const [erased, removed] = stand.sent;
    server.down();
    for (const { user } of [erased, removed]) {
      // Dated by Clerk's clock, which may be ahead.
      const body = userEvent('user.updated', user, Date.now() + 3_600_000, { first: 'Late' });
      const late = { id: messageId(), user, body };
      await until(async () => (await stand.send(late))?.status === 202, 'an acknowledgement');
    }
    await stand.service.kill();
    server.up();
    const env = { DATABASE_URL: stand.url, CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET };
    for (const [one, ...flags] of [[erased], [removed, '--delete-row']]) {
      const words = ['users', 'erase', one.user, '--yes', ...flags];
      const done = rollcall(words, { ...env, ROLLCALL_MODE: 'webhook' });
      assert.equal(done.code, 0, done.stderr);
    }
    stand.service.launch();
    await stand.service.ready();
    await until(
      async () =>
        (
          await stand.query(
            "SELECT 1 FROM job_queue WHERE job_type = 'USER_UPDATED' AND status = 'COMPLETED'",
          )
        ).length === 2,
      'both to be worked off',
      120_000,
    );
    assert.deepEqual(
      await stand.query('SELECT clerk_id, email, name, deleted_at IS NULL AS alive FROM users'),
      [{ clerk_id: erased.user, email: null, name: null, alive: false }],
    );
  } finally {
    await stand.stop();
  }
});

// fault 30
test('what a trigger refuses holds up nobody, and is nowhere said to be stored', async () => {
  const stand = await Stand.start(server);
  try {
    const poison = 'user_poison';
    const refused = { id: messageId(), body: userEvent('user.created', poison, 1e12) };
    await stand.query(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.event_id = '${refused.id}' THEN RAISE EXCEPTION 'not this one'; END IF;
      RETURN NEW; END $$`);
    await stand.query(`CREATE TRIGGER refuse BEFORE INSERT ON public.job_queue
      FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
    const others = Array.from({ length: 20 }, () => stand.add());
    const all = [refused, ...others].map((it) => stand.send(it));
    const [answer, ...answers] = await Promise.all(all);
    assert.equal(answer.status, 503, 'its sender keeps it');
    assert.ok(answers.every(({ status }) => status === 202));
    assert.equal((await stand.spool()).events, 0, 'the database is there');

    server.down();
    await stand.acknowledge(2);
    await until(async () => (await stand.send(refused))?.status === 202, 'an acknowledgement');
    await stand.acknowledge(2);
    server.up();
    await stand.drained(others.length);
    assert.equal((await stand.spool()).damaged, 1);
    assert.ok(stand.files().some((name) => name.endsWith('.damaged')));
    assert.match(stand.service.log, /"event":"spool_event_refused".*P0001/);
    assert.deepEqual(await stand.query(`SELECT 1 FROM users WHERE clerk_id = '${poison}'`), []);
  } finally {
    await stand.stop();
  }
});

test('full is 503, and room comes back', async () => {
  const stand = await Stand.start(server, {
    env: { ROLLCALL_SPOOL_BYTES_MAX: '1MiB', ROLLCALL_SPOOL_SEGMENT_MAX: '64KiB' },
  });
  const large = { unsafe_metadata: { much: 'x'.repeat(200_000) } };
  const fill = async () => {
    let answer;
    do answer = await stand.send(stand.add(large));
    while (answer.status === 202);
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers['retry-after']) > 0);
  };
  try {
    server.down();
    await fill();
    const first = stand.sent.length;
    assert.ok(first >= 4, `${first}`);
    assert.ok((await stand.spool()).bytes <= 1024 * 1024);
    server.up();
    await stand.drained();
    server.down();
    await fill();
    assert.ok(stand.sent.length >= first + 4);
    server.up();
    await stand.drained();
  } finally {
    await stand.stop();
  }
});

test('a directory that is removed under it: nothing is acknowledged into the void', async () => {
  const stand = await Stand.start(server);
  try {
    server.down();
    await stand.acknowledge(3);
    rmSync(stand.dir, { recursive: true });
    stand.sent.length = 0; // these are gone with it, and the log says so
    await stand.acknowledge(3);
    assert.ok(stand.service.log.includes('spool_file_gone'));
    assert.ok(existsSync(stand.dir));
    server.up();
    await stand.drained();
  } finally {
    await stand.stop();
  }
});

for (const now of [
  { ROLLCALL_SERVE_ROLES: 'worker scheduler' },
  {
    ROLLCALL_MODE: 'polling',
    CLERK_SECRET_KEY: 'sk_test_spool',
    CLERK_API_URL: 'http://127.0.0.1:1',
  },
]) {
  const [name, value] = Object.entries(now)[0];
  test(`what waits is stored by a process that takes no webhooks: ${name}=${value}`, async () => {
    const stand = await Stand.start(server);
    try {
      server.down();
      await stand.acknowledge(3);
      assert.equal(await stand.service.stop(), 0);
      server.up();
      const waiting = (limit) => {
        const env = { ...stand.service.env, ROLLCALL_ALERTS_SPOOLING: limit };
        const { checks } = JSON.parse(rollcall(['doctor', '--json'], env).stdout);
        return checks.find((one) => one.check === 'spool_events');
      };
      assert.match(waiting('1ms').message, /^3 wait in .*, the oldest since 20/);
      assert.equal(waiting('1ms').verdict, 'warn');
      assert.deepEqual([waiting('1h').verdict, waiting('1h').message], ['ok', '3 wait']);
      Object.assign(stand.service.env, now);
      stand.service.launch();
      await stand.drained();
      assert.equal((await stand.spool()).on, true);
      const refused = await stand.send(stand.add());
      assert.equal(refused.status, 404);
      assert.equal(waiting('1ms').message, 'none waits');
      const told = async () =>
        (await stand.query('SELECT events::int FROM rollcall.spools'))[0]?.events === 0;
      await until(told, 'the table of spools to follow');
    } finally {
      await stand.stop();
    }
  });
}

test('it belongs to one process, and to nobody else', async () => {
  const stand = await Stand.start(server);
  try {
    const serve = (dir) =>
      rollcall(['serve'], {
        DATABASE_URL: stand.url,
        ROLLCALL_MODE: 'webhook',
        CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
        ROLLCALL_LISTEN: '127.0.0.1:0',
        ROLLCALL_ADMIN_LISTEN: '127.0.0.1:0',
        ROLLCALL_SPOOL_DIR: dir,
      });
    const second = serve(stand.dir);
    assert.equal(second.code, 78, second.stderr);
    assert.match(second.stderr, /another process has/);
    const open = path.join(server.folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o755);
    const refused = serve(open);
    assert.equal(refused.code, 78, refused.stderr);
    assert.match(refused.stderr, /open to others/);
  } finally {
    await stand.stop();
  }
});

test('without a schema, and over a restart without one', async () => {
  const stand = await Stand.start(server, { schema: false });
  try {
    await until(
      async () => (await stand.service.get('/livez').catch(() => ({}))).status === 200,
      'the listener',
    );
    await stand.acknowledge(3);
    assert.equal(await stand.service.stop(), 0);
    stand.service.launch();
    await stand.acknowledge(3);
    assert.equal((await stand.spool()).events, 6);
    migrate(stand.url);
    await stand.drained();
  } finally {
    await stand.stop();
  }
});

test('the sink is told while the database is away', async () => {
  const messages = [];
  const sink = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      messages.push(JSON.parse(body));
      response.end('ok');
    });
  });
  await new Promise((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const stand = await Stand.start(server, {
    env: {
      ROLLCALL_ALERTS_WEBHOOK_URL: `http://127.0.0.1:${sink.address().port}/hook`,
      ROLLCALL_ALERTS_INTERVAL: '100ms',
      ROLLCALL_ALERTS_SPOOLING: '1s',
      ROLLCALL_ALERTS_RESOLVE_AFTER: '0s',
    },
  });
  const told = (status) =>
    messages.filter((one) => one.status === status && /does not take/.test(one.summary));
  try {
    server.down();
    await stand.acknowledge(1);
    await until(() => told('firing').length > 0, 'the message');
    assert.match(told('firing')[0].summary, /: 1 of them wait/);
    server.up();
    await stand.drained();
    await until(() => told('resolved').length > 0, 'that it is over');
    assert.equal(told('firing').length, 1);
  } finally {
    await stand.stop();
    sink.closeAllConnections();
    sink.close();
  }
});
