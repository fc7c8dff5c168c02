// The verdict: what must be true of a stand once it is quiet, whatever happened. Each finding is a
// sentence; none means that it converged.
import { until } from '../e2e/simulator.mjs';
import { table, truth } from '../e2e/truth.mjs';

// The one dead letter that the world may leave behind: an account of the application's own has the
// address of somebody who has a copy already, and two accounts are not merged.
const UNMERGED = /: Auth user ([0-9a-f-]{36}) has this user's address; theirs is Auth user /;

const PLACEHOLDER = /^[0-9a-f-]{36}@rollcall\.invalid$/;

const show = JSON.stringify;

// (1) The table is Clerk's users.
async function rows(stand) {
  const has = new Map(
    (await table(stand.postgres, stand.database)).map((row) => [row.clerk_id, show(row)]),
  );
  const should = new Map(
    (await truth(stand.simulator.url)).map((row) => [row.clerk_id, show(row)]),
  );
  const ids = new Set([...has.keys(), ...should.keys()]);
  return [...ids]
    .filter((id) => has.get(id) !== should.get(id))
    .map((id) => `the row of ${id} is ${has.get(id)}, Clerk says ${should.get(id)}`);
}

function isBanned(copy) {
  return Boolean(copy.banned_until) && new Date(copy.banned_until) > new Date();
}

// How a copy differs from its row.
function differences(row, copy, addressed) {
  const found = [];
  const expect = (what, is, should) => {
    if (is !== should) found.push(`${what} is ${show(is)} instead of ${show(should)}`);
  };
  if (!addressed) {
    // The address is another's there, and the rest as the row says.
  } else if (row.email === null) {
    if (copy.email && !PLACEHOLDER.test(copy.email)) found.push(`it keeps ${copy.email}`);
  } else {
    expect('email', copy.email, row.email.toLowerCase());
    expect('confirmed', Boolean(copy.email_confirmed_at), true);
  }
  expect('name', copy.user_metadata.full_name ?? null, row.name);
  expect('role', copy.app_metadata.role, row.role);
  expect('banned', isBanned(copy), row.banned || row.locked);
  return found;
}

// (2) The copies are the rows.
async function mirror(stand, unmerged) {
  const living = await table(stand.postgres, stand.database);
  const { users } = await stand.simulator.control('GET', '/auth/users');
  const { users: clerk } = await stand.simulator.control('GET', '/users?limit=1000');
  const phones = new Set(
    clerk.filter((user) => user.primary_phone_number_id).map((user) => user.id),
  );
  const ids = new Set(living.map((row) => row.clerk_id));
  const found = [];
  for (const user of users) {
    const id = user.app_metadata.clerk_id;
    if (id && !ids.has(id)) found.push(`${id} is gone, and has the Auth user ${user.id}`);
    const address = stand.acts.strangers.get(user.id);
    if (address && !id && (user.email !== address || user.user_metadata.theme !== 'dark')) {
      found.push(`the application's own Auth user ${user.id} was changed`);
    }
  }
  for (const id of stand.acts.strangers.keys()) {
    const adopted = users.every((user) => user.id !== id) && (await wasAdopted(stand, id));
    if (users.every((user) => user.id !== id) && !adopted) {
      found.push(`the application's own Auth user ${id} was deleted`);
    }
  }
  for (const row of living) {
    const copies = users.filter((user) => user.app_metadata.clerk_id === row.clerk_id);
    if (copies.length > 1) {
      found.push(`${row.clerk_id} has ${copies.length} Auth users`);
    } else if (copies.length === 1) {
      const wrong = differences(row, copies[0], !unmerged.has(row.clerk_id));
      if (wrong.length > 0) found.push(`the copy of ${row.clerk_id}: ${wrong.join(', ')}`);
    } else {
      const asked = stand.plan.mode !== 'webhook' && phones.has(row.clerk_id);
      if (row.email !== null || asked) found.push(`${row.clerk_id} has no Auth user`);
    }
  }
  return found;
}

// Adopted ones go with the user who has adopted them.
async function wasAdopted(stand, id) {
  const { requests } = await stand.simulator.control('GET', '/auth/requests');
  return requests.some((one) => one.user_id === id && one.operation === 'update');
}

const LOST_ANSWER = /fault ack_lost/;

// (3) What was acknowledged has a job that came to an end.
async function acknowledged(stand) {
  const { messages } = await stand.simulator.control('GET', '/messages?limit=10000');
  const accepted = messages.filter((message) =>
    message.attempts.some(
      ({ status, error }) => (status >= 200 && status <= 299) || LOST_ANSWER.test(error),
    ),
  );
  const jobs = await stand.query(
    "SELECT event_id FROM job_queue WHERE status IN ('COMPLETED', 'FAILED')");
  const ended = new Set(jobs.map((job) => job.event_id));
  return accepted
    .filter((message) => !ended.has(message.id))
    .map((message) => `${message.id} (${message.type}) was acknowledged and has no job`);
}

// (4) Nothing waits, nothing hangs.
async function stuck(stand) {
  const waiting = await stand.query(
    `SELECT id, job_type, status, error FROM job_queue
     WHERE status NOT IN ('COMPLETED', 'FAILED')`);
  const hanging = await stand.query("SELECT * FROM rollcall.stuck_jobs('1 minute')");
  return [...waiting, ...hanging].map((job) => `left over: ${show(job)}`);
}

function isUnmerged(stand, { job_type: type, error }) {
  const [, holder] = UNMERGED.exec(error) ?? [];
  return type === 'MIRROR_USER' && stand.acts.strangers.has(holder);
}

// (5) Dead letters have a reason that the world gave.
function deadLetters(stand, dead) {
  return dead
    .filter((job) => !isUnmerged(stand, job))
    .map((job) => `a dead letter: ${job.job_type} of ${job.subject}: ${job.error}`);
}

// (6) No process ended but by a kill of ours or a fail point, none found a bug in itself, and no
// statement was wrong.
function processes(stand) {
  const found = [];
  for (const keeper of stand.keepers) {
    for (const { code, signal, sent } of keeper.ends) {
      const wanted = code === 0 ? sent.has('SIGTERM') : signal === 'SIGKILL' || sent.has(signal);
      if (!wanted) found.push(`a process ended with ${code ?? signal}`);
    }
    if (/"event":"bug"/.test(keeper.service.log)) found.push('a log names a bug');
  }
  if (/"event":"bug"/.test(stand.last.log)) found.push('the last log names a bug');
  const wrong = stand.postgresLog().match(/^42[0-9A-Z]{3} .*$/gm) ?? [];
  return [...found, ...new Set(wrong)];
}

// (7) rollcall's own comparisons agree: those that it made had nothing to find but what somebody
// had changed by hand, and one made now finds nothing.
async function comparisons(stand, unmerged) {
  if (unmerged.size > 0) return [];
  const found = [];
  if (!stand.plan.editsCopies) {
    for (const line of stand.last.log.match(/^.*"event":"mirror_differs".*$/gm) ?? []) {
      const byHand = stand.acts.editedRows.has(JSON.parse(line).clerk_id);
      if (!byHand) found.push(`a comparison found something: ${line}`);
    }
  }
  const { code, output } = await until(async () => {
    const audit = await stand.run(['audit', '--mirror', '--json']);
    return audit.code !== 75 && audit;
  }, 'a turn to compare');
  if (code !== 0) found.push(`audit --mirror: ${code} ${output}`);
  return found;
}

// (8) So does the one with Clerk, and the last process ends well.
async function own(stand) {
  const found = [];
  if (stand.plan.mode !== 'webhook') {
    const { code, output } = await stand.run(['audit', '--json']);
    if (code !== 0) found.push(`audit: ${code} ${output}`);
  }
  const code = await stand.last.stop();
  if (code !== 0) found.push(`the last process ended with ${code}`);
  return found;
}

export async function check(stand) {
  const dead = await stand.query(
    "SELECT job_type, subject, error FROM job_queue WHERE status = 'FAILED'");
  const unmerged = new Set(
    dead.filter((job) => isUnmerged(stand, job)).map((job) => job.subject),
  );
  return [
    ...stand.findings,
    ...(await rows(stand)),
    ...(await mirror(stand, unmerged)),
    ...(stand.plan.mode === 'polling' ? [] : await acknowledged(stand)),
    ...(await stuck(stand)),
    ...deadLetters(stand, dead),
    ...processes(stand),
    ...(await comparisons(stand, unmerged)),
    ...(await own(stand)),
  ];
}
