// A step of the gate's decision that fails is never an allow: each in turn is made to throw, in the
// real program, on the way of a request that is allowed as soon as nothing fails.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Publisher, decide, issuer, party, said, tokenOf } from './gate_stand.mjs';
import { Postgres } from './postgres.mjs';
import { Service, freshDatabase, userEvent } from './service.mjs';
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

const folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-gate-faults-'));
const policyFile = path.join(folder, 'policy.toml');
let postgres, database, publisher;

before(async () => {
  writeFileSync(policyFile, 'version = 1\n[[rule]]\nid = "a"\npath = "/a/**"\naccess = "admin"\n');
  postgres = await Postgres.start();
  database = await freshDatabase(postgres);
  publisher = await Publisher.start();
});
after(async () => {
  await publisher?.stop();
  postgres?.remove();
  rmSync(folder, { recursive: true });
});


async function armed(places) {
  const asked = publisher.asked;
  const service = await Service.start(
    postgres.url(database),
    {
      ROLLCALL_GATE_POLICY: policyFile,
      ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
      ROLLCALL_GATE_JWKS_URL: publisher.url,
      ROLLCALL_GATE_ISSUER: issuer,
      CLERK_AUTHORIZED_PARTIES: party,
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

for (const target of ['/x', '/a/x']) {
  test(`no failing step of a decision about ${target} is an allow`, async () => {
    const service = await armed(STEPS);
    try {
      const id = target === '/x' ? 'user_one' : 'user_two';
      await user(service, id, { role: 'admin' });
      // Each place throws the first time, so one request after the other gets one step further.
      await until(async () => {
        const answer = await decide(service, target, { token: tokenOf(id) });
        if (answer.status === 200) return true;
        assert.equal(said(answer), '403 policy_error');
        assert.equal(answer.headers['x-rollcall-subject'], undefined);
        assert.equal(answer.headers['x-rollcall-user-id'], undefined);
        return false;
      }, 'the answer when nothing fails any more');
      assert.deepEqual(struck(service), STEPS);
    } finally {
      await service.stop();
    }
  });
}

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
