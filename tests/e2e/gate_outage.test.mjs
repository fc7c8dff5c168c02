// PostgreSQL away: the gate of the real binary lets those on whom it knows, for as long as it is
// told to and for nothing that wants a confirmed answer; then nobody, until it is back.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import {
  Application,
  Publisher,
  decide,
  exchange,
  issuer,
  party,
  said,
  through,
  tokenOf,
} from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freePort, freshDatabase, rollcall, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const POLICY = `version = 1
[[rule]]
id = "admin"
path = "/admin/**"
access = "admin"
[[rule]]
id = "open"
path = "/open"
access = "public"
`;

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-gate-outage-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, database, publisher, application;
const services = [];

before(async () => {
  writeFileSync(policyFile, POLICY);
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start();
  application = await Application.start();
});
after(async () => {
  for (const service of services) await service.stop('SIGKILL');
  await application?.stop();
  await publisher?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});

// A service whose known callers pass for so long, and the port of its reverse proxy.
async function bridging(outage) {
  const port = await freePort();
  const service = await Service.start(postgres.url(database), {
    ROLLCALL_GATE_OUTAGE_MAX: outage,
    ROLLCALL_GATE_POLICY: policyFile,
    ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
    ROLLCALL_GATE_LISTEN: `127.0.0.1:${port}`,
    ROLLCALL_GATE_UPSTREAM: application.url,
    ROLLCALL_GATE_JWKS_URL: publisher.url,
    ROLLCALL_GATE_ISSUER: issuer,
    CLERK_AUTHORIZED_PARTIES: party,
  });
  services.push(service);
  await until(() => service.log.includes('jwks_taken'), 'the keys');
  return {
    service,
    async said(target, id) {
      const token = tokenOf(id);
      const asked = said(await decide(service, target, { token }));
      return [asked, said(await through(port, target, token))];
    },
  };
}

const FINE = ['200 ok', '200 ok'];
const AWAY = ['403 policy_error', '503 policy_error'];
const comes = (gate, target, wanted, what) =>
  until(async () => (await gate.said(target, 'user_root')).join() === wanted.join(), what);

test('who is known goes on for gate.outage_max, and not for what only an admin may', async () => {
  const [long, short, none] = [await bridging('1h'), await bridging('1s'), await bridging('0s')];
  const all = [long, short, none];
  const event = userEvent('user.created', 'user_root', Date.now(), { role: 'admin' });
  assert.equal((await long.service.deliver(event)).status, 202);
  for (const gate of all) {
    await comes(gate, '/x', FINE, 'the user');
    await comes(gate, '/admin/x', FINE, 'the admin');
  }
  postgres.down();
  try {
    for (const gate of [short, none]) await comes(gate, '/x', AWAY, 'the end of what was known');
    await comes(long, '/x', FINE, 'what was known');
    const before = application.seen.length;
    // What was confirmed just now may still be fresh.
    for (const gate of all) await comes(gate, '/admin/x', AWAY, 'the refusal of the admin');
    for (const gate of [short, none]) assert.deepEqual(await gate.said('/x', 'user_root'), AWAY);
    assert.equal(application.seen.length, before);
    assert.deepEqual(await long.said('/x', 'user_new'), AWAY, 'who was not known');
    assert.equal((await exchange(long.service, tokenOf('user_root'))).status, 503);
    assert.deepEqual(await short.said('/open', 'user_root'), FINE);
    assert.deepEqual(await long.said('/x', 'user_root'), FINE);
  } finally {
    postgres.up();
  }
  for (const gate of all) {
    await comes(gate, '/x', FINE, 'the database');
    await comes(gate, '/admin/x', FINE, 'the database, for the admin');
  }
});

test('gate.outage_max has bounds', () => {
  for (const value of ['2h', '1500ms', 'never']) {
    const env = { DATABASE_URL: postgres.url(database), ROLLCALL_GATE_OUTAGE_MAX: value };
    const done = rollcall(['serve'], { ...services[0].env, ...env });
    assert.equal(done.code, 78, done.stderr);
    assert.match(done.stderr, /gate\.outage_max/);
  }
});
