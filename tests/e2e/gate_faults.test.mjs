// A step of the gate that fails is never an allow, asked by a proxy, as the proxy, or for a token:
// each in turn is made to throw, in the real program, on the way of a request that is allowed as
// soon as nothing fails.
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
import { Service, freePort, freshDatabase, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const STEPS = [
  'decide.before_target',
  'decide.before_rule',
  'decide.before_token',
  'decide.before_memory',
  'token.before_keys',
  'token.before_signature',
  'token.before_claims',
  'token.before_rules',
  'decide.before_keep',
  'decide.before_caller',
  'decide.before_question',
  'decide.after_question',
  'decide.before_standing',
  'decide.before_identity',
  'decide.before_answer',
];
const POLICY = `version = 1
[[rule]]
id = "a"
path = "/a/**"
access = "admin"
[[rule]]
id = "open"
path = "/open"
access = "public"
`;
const PUBLIC = ['decide.before_target', 'decide.before_rule', 'decide.before_answer'];
const EXCHANGE = [
  'exchange.before_request',
  'exchange.before_subject',
  'token.before_keys',
  'token.before_signature',
  'token.before_claims',
  'token.before_rules',
  'exchange.before_caller',
  'decide.before_question',
  'decide.after_question',
  'exchange.before_standing',
  'exchange.before_claims',
  'exchange.before_key',
  'exchange.before_signature',
  'exchange.before_answer',
];

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-gate-faults-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, database, publisher, application;

before(async () => {
  writeFileSync(policyFile, POLICY);
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start();
  application = await Application.start();
});
after(async () => {
  await application?.stop();
  await publisher?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});


async function armed(places, more = {}) {
  const asked = publisher.asked;
  const service = await Service.start(
    postgres.url(database),
    {
      ROLLCALL_GATE_POLICY: policyFile,
      ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
      ROLLCALL_GATE_JWKS_URL: publisher.url,
      ROLLCALL_GATE_ISSUER: issuer,
      CLERK_AUTHORIZED_PARTIES: party,
      ...more,
    },
    { failpoint: places.map((place) => `${place}:throw`).join(' ') },
  );
  await until(() => publisher.asked > asked && service.log.includes('jwks_taken'), 'the keys');
  return service;
}

const struck = (service) =>
  [...service.log.matchAll(/^fail point (\S+)$/gm)].map(([, name]) => name);

async function user(service, id, more) {
  const answer = await service.deliver(userEvent('user.created', id, Date.now(), more));
  assert.equal(answer.status, 202);
  const row = 'SELECT 1 FROM users WHERE clerk_id = $1';
  await until(async () => (await postgres.query(database, row, [id])).length > 0, id);
}

// Each place throws the first time, so one request after the other gets one step further.
async function untilNothingFails(service, steps, ask, refused) {
  await until(async () => {
    const answer = await ask();
    if (answer.status === 200) return true;
    refused(answer);
    return false;
  }, 'the answer when nothing fails any more');
  assert.deepEqual(struck(service), steps);
}

for (const [target, steps] of [
  ['/x', STEPS],
  ['/a/x', STEPS],
  ['/open', PUBLIC],
]) {
  const id = `user_of${target.replaceAll('/', '')}`;
  const token = () => (target === '/open' ? undefined : tokenOf(id));

  test(`no failing step of a decision about ${target} is an allow`, async () => {
    const service = await armed(steps);
    try {
      await user(service, id, { role: 'admin' });
      const ask = () => decide(service, target, { token: token() });
      await untilNothingFails(service, steps, ask, (answer) => {
        assert.equal(said(answer), '403 policy_error');
        assert.equal(answer.headers['x-rollcall-subject'], undefined);
        assert.equal(answer.headers['x-rollcall-user-id'], undefined);
      });
    } finally {
      await service.stop();
    }
  });

  test(`no failing step lets a request for ${target} through to the application`, async () => {
    const port = await freePort();
    const all = [...steps, 'proxy.before_forward'];
    const service = await armed(all, {
      ROLLCALL_GATE_TRUSTED_PROXIES: '',
      ROLLCALL_GATE_LISTEN: `127.0.0.1:${port}`,
      ROLLCALL_GATE_UPSTREAM: application.url,
    });
    try {
      await user(service, id, { role: 'admin' });
      const before = application.seen.length;
      await untilNothingFails(service, all, () => through(port, target, token()), (answer) => {
        assert.equal(said(answer), '503 policy_error');
        assert.ok(Number(answer.headers['retry-after']) > 0);
        assert.equal(application.seen.length, before);
      });
      assert.equal(application.seen.length, before + 1);
    } finally {
      await service.stop();
    }
  });
}

test('no failing step of an exchange issues a token', async () => {
  const service = await armed(EXCHANGE);
  try {
    await user(service, 'user_exchanged');
    const ask = () => exchange(service, tokenOf('user_exchanged'));
    await untilNothingFails(service, EXCHANGE, ask, (answer) => {
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.json.error, 'temporarily_unavailable');
      assert.deepEqual(Object.keys(answer.json), ['error', 'error_description']);
      assert.ok(Number(answer.headers['retry-after']) > 0);
      assert.equal(answer.headers['cache-control'], 'no-store');
    });
  } finally {
    await service.stop();
  }
});

test('a user who cannot be fetched is unknown, and passes once there is a row', async () => {
  const service = await armed(['decide.before_provision']);
  try {
    const ask = () => decide(service, '/x', { token: tokenOf('user_late') }).then(said);
    await until(async () => (await ask()) === '403 user_unknown', 'the database to be asked');
    assert.deepEqual(struck(service), ['decide.before_provision']);
    await user(service, 'user_late');
    await until(async () => (await ask()) === '200 ok', 'the row to count');
  } finally {
    await service.stop();
  }
});
