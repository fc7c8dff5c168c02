// Nothing that is secret or about a person is in what rollcall says: a whole run, with planted
// values in every place where such things come in, and then a look at all that came out.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { Service, deletedEvent, messageId, rollcall, signed, userEvent } from './service.mjs';
import { SECRET_KEY, Simulator, until } from './simulator.mjs';
import { Auth } from './supabase.mjs';

// Each is said somewhere on the way in. Letters only, so that no encoding hides one in a name.
const PEOPLE = {
  email: 'canaryemail@example.com',
  second_email: 'canarysecond@example.com',
  shared_email: 'canaryshared@example.com',
  first_name: 'Canaryfirst',
  last_name: 'Canarylast',
  username: 'canaryusername',
  phone: '+15550142857',
  public_metadata: 'canarypublicmetadata',
  private_metadata: 'canaryprivatemetadata',
  unsafe_metadata: 'canaryunsafemetadata',
  image: 'canaryimage',
  external_id: 'canaryexternalid',
};
const canary = (name) => Buffer.from(`canary secret ${name}`.padEnd(30, '.')).toString('base64');
const SECRETS = {
  webhook: canary('webhook'),
  older_webhook: canary('older webhook'),
  clerk: SECRET_KEY,
  wrong_clerk: 'sk_test_canarywrongkey',
  supabase: 'sb_secret_rollcall_canarysupabasekey',
  admin: 'canaryadmintoken',
  cron: 'canarycronkey',
  database: 'canarydatabasepassword',
  alerts: 'canaryalertaddress',
  signature: canary('signature'),
  bearer: 'canarywrongbearer',
  cookie: 'canarycookie',
  query: 'canaryquery',
  agent: 'canaryuseragent',
};
const CURRENT = `whsec_${SECRETS.webhook}`;
// Said on purpose, as the id of a request: that nothing is found shows nothing unless this is.
const CONTROL = 'canarycontrol';
const USER = 'user_canarygrace';

// What each canary may look like.
function forms(value) {
  return [
    value,
    encodeURIComponent(value),
    Buffer.from(value).toString('base64').replace(/=+$/, ''),
    Buffer.from(value).toString('hex'),
  ];
}

// The canaries in a text, each with where it stands.
function found(text, canaries) {
  const lower = text.toLowerCase();
  return Object.entries(canaries).flatMap(([name, value]) =>
    forms(value)
      .map((form) => lower.indexOf(form.toLowerCase()))
      .filter((at) => at >= 0)
      .map((at) => `${name}: …${text.slice(Math.max(0, at - 200), at + 80)}…`),
  );
}

const ALL = { ...PEOPLE, ...SECRETS };

let postgres, database, sim, auth, service, folder, env, receiver;
const said = []; // [where, text] of all that was said
const alerts = []; // bodies that the receiver was sent
before(async () => {
  postgres = await Postgres.start();
  database = await postgres.create();
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-redaction-'));
  sim = await Simulator.start('--users', '5', '--seed', '11', '--supabase-key', SECRETS.supabase);
  auth = await Auth.of(sim);
  receiver = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    alerts.push(body);
    response.writeHead(500).end();
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const config = path.join(folder, 'rollcall.toml');
  writeFileSync(config, '[log]\nlevel = "debug"\n');
  env = {
    DATABASE_URL: `${postgres.url(database)}&password=${SECRETS.database}`,
    ROLLCALL_CONFIG: config,
    ROLLCALL_MODE: 'hybrid',
    CLERK_API_URL: sim.url,
    CLERK_SECRET_KEY: SECRETS.clerk,
    ...auth.environment,
    CLERK_WEBHOOK_SECRET: `${CURRENT} whsec_${SECRETS.older_webhook}`,
    ROLLCALL_ADMIN_TOKEN: SECRETS.admin,
    CRON_SECRET: SECRETS.cron,
    ROLLCALL_ALERTS_WEBHOOK_URL: `http://127.0.0.1:${receiver.address().port}/${SECRETS.alerts}`,
    ROLLCALL_ALERTS_INTERVAL: '200ms',
    ROLLCALL_JOBS_MAX_ATTEMPTS: '2',
    ROLLCALL_JOBS_BACKOFF_BASE: '20ms',
    ROLLCALL_JOBS_BACKOFF_MAX: '50ms',
    ROLLCALL_SYNC_INTERVAL: '1s',
  };
});
after(async () => {
  await service?.stop('SIGKILL');
  await sim?.stop();
  receiver?.close();
  receiver?.closeAllConnections();
  postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

// A command with its answer noted: where `quiet`, standard output is what a person asked to see.
function run(args, { more = {}, quiet = false } = {}) {
  const done = rollcall(args, { ...env, ROLLCALL_LOG_LEVEL: 'debug', ...more });
  said.push([`${args.join(' ')}: standard error`, done.stderr]);
  if (!quiet) said.push([`${args.join(' ')}: standard output`, done.stdout]);
  said.push([`${args.join(' ')}: exit code`, String(done.code)]);
  return done;
}

const person = (more = {}) => ({
  email: PEOPLE.email,
  first: PEOPLE.first_name,
  last: PEOPLE.last_name,
  username: PEOPLE.username,
  image_url: `https://img.example.com/${PEOPLE.image}`,
  external_id: PEOPLE.external_id,
  phone_numbers: [{ id: 'idn_2', object: 'phone_number', phone_number: PEOPLE.phone }],
  public_metadata: { note: PEOPLE.public_metadata },
  private_metadata: { note: PEOPLE.private_metadata },
  unsafe_metadata: { note: PEOPLE.unsafe_metadata },
  ...more,
});
let version = 1_700_000_000_000;
const event = (type, id, more) => userEvent(type, id, (version += 1), person(more));

async function deliver(body, { id = messageId(), secret = CURRENT, ...more } = {}) {
  const answer = await service.request('POST', '/webhooks/clerk', {
    body,
    headers: {
      ...signed(body, id, { secret }),
      'user-agent': SECRETS.agent,
      'x-request-id': CONTROL,
      cookie: `session=${SECRETS.cookie}`,
      ...more,
    },
  });
  said.push(['an answer of the webhook route', answer.text]);
  return answer.status;
}

// Where `quiet`, the answer is what a person asked to see.
async function ask(method, route, { port = service.adminPort, token, body, quiet } = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await service.request(method, route, { port, headers, body });
  if (!quiet) said.push([`${method} ${route}`, answer.text]);
  return answer.status;
}

const count = async (where) =>
  Number(
    (await postgres.query(database, `SELECT count(*) AS n FROM job_queue WHERE ${where}`))[0].n,
  );
// The mirror's jobs may wait for longer.
const due = "status IN ('PENDING', 'PROCESSING') AND job_type <> 'MIRROR_USER'";
const settled = () => until(async () => (await count(due)) === 0, 'an empty queue');

test('a whole run', async () => {
  assert.equal(run(['migrate']).code, 0);
  service = await Service.start(env.DATABASE_URL, env);
  let others = [];
  await until(async () => {
    others = await postgres.query(database, 'SELECT clerk_id FROM users LIMIT 1');
    return others.length > 0;
  }, 'the first pass');
  // An Auth user who is in the way of one of ours: another one's, whose row has no such address.
  await auth.admin().createUser({
    email: PEOPLE.email,
    email_confirm: true,
    app_metadata: { clerk_id: others[0].clerk_id },
  });

  // What is right.
  const twice = messageId();
  const created = event('user.created', USER);
  assert.equal(await deliver(created, { id: twice }), 202);
  assert.equal(await deliver(created, { id: twice }), 202);
  assert.equal(await deliver(event('user.updated', USER, { email: PEOPLE.second_email })), 202);
  assert.equal(
    await deliver(event('user.updated', USER), { secret: `whsec_${SECRETS.older_webhook}` }),
    202,
  );
  assert.equal(await deliver(event('session.created', 'sess_1')), 200);
  assert.equal(await deliver(deletedEvent('user_canarygone')), 202);

  // Supabase Auth: an address that is taken, faults.
  await until(() => service.log.includes('mirror_address_moved'), 'an address that is free again');
  for (const fault of ['auth_401', 'auth_500', 'auth_not_json', 'auth_drop']) {
    await sim.faults({ [fault]: 1 });
    const first = `${PEOPLE.first_name} ${fault}`; // else there is nothing to say to it
    await deliver(event('user.updated', USER, { email: PEOPLE.second_email, first }));
    await until(async () => (await sim.control('GET', '')).faults_struck[fault] === 1, fault);
  }
  await settled();

  // What is not.
  assert.equal(await deliver(created, { 'svix-signature': `v1,${SECRETS.signature}` }), 401);
  assert.equal(await deliver(created, { 'svix-timestamp': '1' }), 401);
  assert.equal(await deliver(created, { 'svix-id': '' }), 401);
  assert.equal(await deliver(`{"type":"user.created","data":"${PEOPLE.email}"`), 202);
  assert.equal(await deliver(`["${PEOPLE.email}"]`), 202);
  assert.equal(await deliver(created, { 'content-type': 'text/plain' }), 415);
  assert.equal(await deliver(created + ' '.repeat(1_100_000)), 413);

  // What the table refuses: a taken address, a constraint, triggers that quote the row.
  await deliver(event('user.created', 'user_canaryholder', { email: PEOPLE.shared_email }));
  await deliver(event('user.created', 'user_canarysecond', { email: PEOPLE.shared_email }));
  await settled();
  for (const raise of [
    "RAISE EXCEPTION 'not % (%)', NEW.email, NEW.name",
    "RAISE EXCEPTION 'not % (%)', NEW.email, NEW.name USING ERRCODE = 'check_violation'",
    "RAISE EXCEPTION 'not % (%)', NEW.email, NEW.name USING ERRCODE = 'insufficient_privilege'",
    'PERFORM NEW.email::integer',
    "EXECUTE format('SELECT %I', NEW.email)",
  ]) {
    await postgres.query(
      database,
      `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF NEW.clerk_id LIKE 'user_canaryrefused%' THEN ${raise}; END IF; RETURN NEW; END $$;
       CREATE OR REPLACE TRIGGER refuse BEFORE INSERT OR UPDATE ON users
         FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    const failed = await count("status = 'FAILED'");
    const id = `user_canaryrefused${failed}`;
    await deliver(event('user.created', id, { email: `a${PEOPLE.email}` }));
    // That it is the row's fault shows when the table takes another one.
    await until(
      async () => {
        await deliver(event('user.updated', USER));
        return (await count("status = 'FAILED'")) > failed;
      },
      `a job given up: ${raise}`,
    );
  }
  await postgres.query(
    database,
    `DROP TRIGGER refuse ON users;
     ALTER TABLE users ADD CONSTRAINT polite CHECK (name NOT LIKE 'Rude%')`,
  );
  await deliver(event('user.created', 'user_canaryrude', { email: null, first: 'Rude' }));
  await settled();

  // Clerk: users of its own, faults, a key that is wrong.
  const user = {
    email_address: [`clerk${PEOPLE.email}`],
    first_name: PEOPLE.first_name,
    last_name: PEOPLE.last_name,
    phone_number: [PEOPLE.phone],
    username: PEOPLE.username,
    public_metadata: { note: PEOPLE.public_metadata },
    private_metadata: { note: PEOPLE.private_metadata },
  };
  const headers = { 'content-type': 'application/json' };
  const made = await sim.raw('POST', '/users', { body: user, headers });
  assert.equal(made.status, 200, await made.text());
  run(['sync', '--full', '--dry-run'], { quiet: true });
  run(['sync', '--full']);
  run(['sync', '--user', USER]);
  run(['sync', '--history']);
  run(['sync', '--discard-deletes']);
  run(['audit']);
  run(['sync'], { more: { CLERK_SECRET_KEY: SECRETS.wrong_clerk } });
  for (const fault of ['api_not_json', 'api_truncated_body', 'api_5xx', 'api_401', 'api_429']) {
    await sim.faults({ [fault]: 2 });
    run(['sync', '--full']);
    await sim.faults({ [fault]: false });
  }

  // People at the doors.
  for (const token of [undefined, SECRETS.bearer, SECRETS.admin]) {
    await ask('GET', '/statusz', { token });
    await ask('GET', '/api/v1/alerts', { token });
    await ask('POST', `/api/v1/users/${USER}/sync`, { token });
  }
  for (const token of [undefined, SECRETS.bearer, SECRETS.cron]) {
    await ask('GET', '/api/cron/process-jobs', { port: service.port, token });
    await ask('GET', `/api/cron/clerk-sync?mode=full&key=${SECRETS.query}`, {
      port: service.port,
      token,
    });
  }
  await ask('GET', `/nowhere/${SECRETS.query}?token=${SECRETS.query}`, { port: service.port });
  for (const port of [service.port, service.adminPort]) {
    for (const route of ['/livez', '/healthz', '/readyz?verbose', '/metrics']) {
      await ask('GET', route, { port });
    }
  }

  // Commands.
  run(['doctor']);
  run(['config', 'print']);
  run(['config', 'print', '--sql']);
  run(['migrate', 'status']);
  run(['jobs', 'stats']);
  run(['jobs', 'list', '--status', 'FAILED'], { quiet: true });
  const [{ id: dead }] = await postgres.query(
    database,
    "SELECT id FROM job_queue WHERE status = 'FAILED' LIMIT 1",
  );
  run(['jobs', 'show', dead], { quiet: true });
  run(['jobs', 'retry', dead]);
  run(['jobs', 'cancel', dead]);

  // Settings that are wrong, each with a secret in it.
  const file = path.join(folder, 'wrong.toml');
  for (const [text, more] of [
    [`[clerk]\nsecret_key = ${SECRETS.clerk}\n`, {}],
    [`[clerk]\nsecret_key = ["${SECRETS.clerk}"]\n`, {}],
    [`[clerk]\nwebhook_secret = "${CURRENT}"\n`, {}],
    [`[clerk]\nsecret_key = "${SECRETS.clerk}\n`, {}],
    ['', { CLERK_WEBHOOK_SECRET: SECRETS.webhook.slice(0, 20) }],
    ['', { DATABASE_URL: `postgresql://rollcall:${SECRETS.database}/@127.0.0.1:1/app` }],
    ['', { DATABASE_URL: `postgresql://rollcall:${SECRETS.database}?@127.0.0.1:1/app` }],
    ['', { DATABASE_URL: `postgresql://rollcall:${SECRETS.database}@127.0.0.1:1/app` }],
    ['', { DATABASE_URL: `host=127.0.0.1 port=1 password=${SECRETS.database} x` }],
    ['', { DATABASE_URL: `postgresql://127.0.0.1:${SECRETS.database}/app` }],
    ['', { ROLLCALL_ALERTS_WEBHOOK_URL: `ftp://example.com/${SECRETS.alerts}` }],
    ['', { ROLLCALL_ALERTS_WEBHOOK_URL: SECRETS.alerts }],
  ]) {
    writeFileSync(file, text);
    run(['--config', file, 'doctor'], { more: { CLERK_API_URL: sim.url, ...more } });
    run(['--config', file, 'config', 'print'], { more });
    run(['--config', file, 'migrate', 'status'], { more });
  }
  for (const text of [`[clerk]\nsecret_key = ${SECRETS.clerk}\n`, '[log]\nlevel = "debug"\n']) {
    writeFileSync(env.ROLLCALL_CONFIG, text);
    const before = service.log.length;
    service.child.kill('SIGHUP');
    await until(() => /config_reload/.test(service.log.slice(before)), 'the reload');
  }

  // Neighbours that go away.
  await until(
    async () => /alert_(delivery_failed|not_delivered)/.test(service.log),
    'an alert that is not taken',
  );
  postgres.down();
  assert.equal(await deliver(event('user.created', 'user_canarylate')), 503);
  await ask('GET', '/readyz?verbose');
  postgres.up();
  await until(async () => (await ask('GET', '/readyz')) === 200, 'the database again');
  await until(
    async () => (await deliver(event('user.created', 'user_canaryback', { email: null }))) === 202,
    'the door again',
  );
  await settled();
  assert.equal(await ask('GET', '/metrics'), 200);
  assert.equal(await service.stop(), 0);
  said.push(['the log of the service', service.log]);
  assert.ok(alerts.length > 0);
  for (const sent of alerts) said.push(['an alert', sent]);
});

test('webhooks wait in a spool, and a person is handed out and erased', async () => {
  service = await Service.start(env.DATABASE_URL, {
    ...env,
    ROLLCALL_SPOOL_DIR: path.join(folder, 'spool'),
    ROLLCALL_ALERTS_SPOOLING: '100ms',
  });
  const spooled = async () => {
    const headers = { authorization: `Bearer ${SECRETS.admin}` };
    const answer = await service.get('/statusz', service.adminPort, headers);
    said.push(['the status page', answer.text]);
    return answer.status === 200 ? answer.json.spool.events : -1;
  };
  assert.equal(await spooled(), 0);
  alerts.length = 0;
  postgres.down();
  await until(
    async () => (await deliver(event('user.created', 'user_canaryspooled'))) === 202,
    'a delivery in the spool',
  );
  assert.equal(await deliver(`{"type":"user.created","data":"${PEOPLE.email}"`), 202);
  assert.equal(await deliver(event('user.updated', USER), { 'svix-signature': 'v1,x' }), 401);
  await until(async () => (await spooled()) >= 2, 'the status page to tell of it');
  await until(() => alerts.some((body) => body.includes('Spooling')), 'the alert of it');
  for (const route of ['/readyz?verbose', '/metrics']) await ask('GET', route);
  await ask('GET', '/api/v1/jobs', { token: SECRETS.admin });
  run(['doctor'], { more: { ROLLCALL_SPOOL_DIR: path.join(folder, 'spool') } });
  run(['users', 'erase', USER]);
  postgres.up();
  await until(async () => (await spooled()) === 0, 'an empty spool');
  await until(
    async () => (await count("subject = 'user_canaryspooled' AND status = 'COMPLETED'")) > 0,
    'the job of what was in the spool',
  );

  // An operator, over the admin API.
  const token = SECRETS.admin;
  await until(
    async () => (await ask('GET', '/api/v1/jobs', { token })) === 200,
    'the admin API, whose connections come back in their own time',
  );
  const [{ id: dead }] = await postgres.query(
    database,
    "SELECT id FROM job_queue WHERE status = 'FAILED' AND payload::text ~* 'canary' LIMIT 1",
  );
  for (const route of ['', '?status=FAILED', '/stats', '/reasons', `/${dead}`]) {
    assert.equal(await ask('GET', `/api/v1/jobs${route}`, { token }), 200, route);
  }
  const reveal = `/api/v1/jobs/${dead}?reveal=true`;
  assert.equal(await ask('GET', reveal, { token, quiet: true }), 200);
  const body = '{"note":"mended"}';
  assert.equal(await ask('POST', `/api/v1/jobs/${dead}/retry`, { token, body }), 200);
  for (const verb of ['retry', 'cancel']) {
    const filter = JSON.stringify({ reason: PEOPLE.email, dry_run: true });
    assert.equal(await ask('POST', `/api/v1/jobs/${verb}`, { token, body: filter }), 200);
    await ask('POST', `/api/v1/jobs/${dead}/${verb}`, { token: SECRETS.bearer });
  }

  assert.equal(run(['users', 'export', USER], { quiet: true }).code, 0);
  const erased = run(['users', 'erase', USER]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.equal(run(['audit-log', '--json']).code, 0);
  assert.equal(await ask('GET', '/api/v1/audit', { token }), 200);
  const actions = await postgres.query(database, 'SELECT DISTINCT action FROM rollcall.audit_log');
  for (const action of ['job.retry', 'job.reveal', 'user.export', 'user.erase', 'sync.manual']) {
    assert.ok(actions.some((one) => one.action === action), action);
  }
  await ask('GET', '/metrics');
  assert.equal(await service.stop(), 0);
  said.push(['the log of the service with a spool', service.log]);
  assert.match(service.log, /spool/);
  for (const sent of alerts) said.push(['an alert', sent]);
});

test('what is searched is what was said', () => {
  const log = said.find(([where]) => where === 'the log of the service')[1];
  assert.ok(found(log, { CONTROL }).length > 0, 'a name that may be said');
  for (const canary of Object.values(ALL)) {
    for (const form of forms(canary)) {
      assert.ok(found(`x ${form} y`, { canary }).length > 0, form);
    }
  }
});

test('no canary is in anything that rollcall says', () => {
  assert.deepEqual(
    said.flatMap(([where, text]) => found(text, ALL).map((place) => `${where}: ${place}`)),
    [],
  );
});

test('no canary is in what its tables say of errors', async () => {
  for (const [what, statement] of [
    ['errors of jobs', 'SELECT error AS text FROM job_queue'],
    ['histories of jobs', 'SELECT history AS text FROM job_queue'],
    ['passes', 'SELECT row_to_json(r) AS text FROM rollcall.sync_runs r'],
    ['deliveries', 'SELECT row_to_json(d) AS text FROM rollcall.deliveries d'],
    ['alerts', 'SELECT row_to_json(a) AS text FROM rollcall.alerts a'],
    ['the audit log', 'SELECT row_to_json(a) AS text FROM rollcall.audit_log a'],
  ]) {
    const rows = await postgres.query(database, statement);
    assert.ok(rows.length > 0, what);
    assert.deepEqual(found(JSON.stringify(rows), ALL), [], what);
  }
});

// PostgreSQL itself quotes values where a row is refused; docs/operations.md says so.
test("the database's log quotes a person only where it refuses a row", () => {
  const lines = postgres.log().split('\n');
  assert.ok(lines.some((line) => line.includes('ERROR')));
  assert.deepEqual(
    lines.filter((line) => found(line, SECRETS).length > 0),
    [],
  );
  const its_own = /(DETAIL: {2}Failing row contains \(|QUERY: {2}SELECT "|ERROR: {2}(not|inv|col))/;
  const quoted = lines.filter((line) => found(line, PEOPLE).length > 0);
  assert.ok(quoted.length > 0);
  assert.deepEqual(
    quoted.filter((line) => !its_own.test(line)),
    [],
  );
});
