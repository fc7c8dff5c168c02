// What happens under a seed: who does what, which faults strike when, how the service is set up. A
// plan is a value: the same seed makes the same one, and a shorter one is its beginning.
import { chooser } from '../e2e/chooser.mjs';

export const STEPS = 120;

// Each kind of step and how often it comes, in relation to the others.
const ACTS = {
  create: 20,
  rename: 20,
  role: 8,
  standing: 12,
  email: 6,
  swap: 5,
  handover: 4,
  remove: 8,
  rebirth: 4,
  no_email: 2,
  foreign: 2,
};

// Found by a complete pass, which asks Clerk.
const ACTS_WITH_KEY = { edit_row: 2 };

// Found by a comparison. Elsewhere a comparison must find nothing.
const ACTS_ON_COPIES = { edit_copy: 6 };

const FAULTS = {
  clerk_api: 6,
  auth_api: 9,
  auth_down: 3,
  kill: 5,
  term: 2,
  stop: 2,
  postgres_restart: 1,
  postgres_freeze: 2,
  postgres_cut: 4,
  postgres_refuse: 2,
  answer_lost: 6,
  redirect: 3,
};

const FAULTS_WITH_KEY = { pass: 3 };

const FAULT_SHARE = 0.15;

// What the Backend API answers instead of the truth, to the next few who ask.
const CLERK_FAULTS = [
  'api_429',
  'api_5xx',
  'api_hang',
  'api_not_json',
  'api_short_list',
  'api_empty_list',
  'api_wrong_count',
  'api_truncated_body',
];

const AUTH_FAULTS = [
  'auth_500',
  'auth_429',
  'auth_401',
  'auth_hang',
  'auth_slow',
  'auth_not_json',
  'auth_drop',
  'auth_drop_before',
  'auth_opaque',
];

// Places where the process may die, where a seed comes by.
const FAIL_POINTS = [
  'webhook.verified',
  'intake.before_commit',
  'intake.after_commit',
  'apply.before_batch',
  'apply.after_batch',
  'worker.after_claim',
  'worker.before_end',
  'worker.after_end',
  'pass.after_page',
  'pass.before_save',
  'pass.before_completed',
  'journal.before_write',
  'journal.half_written',
  'journal.before_sync',
  'journal.after_sync',
  'spooling.after_commit',
  'mirror.after_row',
  'mirror.before_create',
  'mirror.after_create',
  'mirror.after_update',
  'mirror.before_written',
  'mirror.after_remove',
  'mirror.after_move',
];

// The answers to lose: of a commit, and of a statement that is a transaction by itself.
const LOST = ['^COMMIT$', '^(SELECT|INSERT|UPDATE|DELETE)'];

const LAUNCHES = 60;

function weighted(random, weights) {
  const all = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  let left = random.below(all);
  return Object.keys(weights).find((name) => (left -= weights[name]) < 0);
}

// A probability, or none at all in half of the seeds.
const sometimes = (random, most) => (random.chance(0.5) ? random.below(100) / 100 * most : 0);

function messageFaults(random, mode) {
  return {
    duplicate: sometimes(random, 0.4),
    reorder: sometimes(random, 0.4),
    delay: sometimes(random, 0.4),
    drop: sometimes(random, 0.3),
    bad_signature: sometimes(random, 0.2),
    ack_lost: sometimes(random, 0.3),
    // Only a read of Clerk tells which of two edits of one moment came later.
    same_millisecond: mode === 'webhook' ? 0 : sometimes(random, 0.2),
    delay_seconds: 0.3,
    reorder_seconds: 0.3,
    hang_seconds: 0.5,
    slow_seconds: random.pick([0.4, 2]),
    retry_after_seconds: 1,
    auth_retry_after_seconds: random.pick([0, 1]),
  };
}

function knobs(random) {
  const mode = random.pick(['hybrid', 'hybrid', 'webhook', 'polling']);
  const split = random.chance(0.3);
  const processes = split
    ? ['ingest', 'worker scheduler']
    : Array(1 + random.below(2)).fill('ingest worker scheduler');
  const bare = random.chance(0.3);
  return {
    mode,
    // What never arrived comes again in the end, or is left to the complete pass.
    replay: mode === 'webhook' || random.chance(0.5),
    processes,
    bare,
    secretKey: !bare && random.chance(0.5),
    users: random.pick([0, 10, 25]),
    editsCopies: random.chance(0.3),
    spool: mode !== 'polling' && random.chance(0.5),
    env: {
      ROLLCALL_JOBS_LANES: String(1 + random.below(2)),
      ROLLCALL_JOBS_BATCH: String(random.pick([1, 2, 16, 256])),
      ROLLCALL_JOBS_CONCURRENCY: String(random.pick([1, 4, 16])),
      ROLLCALL_WEBHOOKS_LANES: String(1 + random.below(2)),
      ROLLCALL_WEBHOOKS_BATCH_MAX: String(random.pick([1, 4, 64])),
      ROLLCALL_SUPABASE_CONCURRENCY: String(random.pick([1, 2, 8])),
      // Shorter than `slow_seconds`: an answer that comes too late, to what was carried out.
      ROLLCALL_SUPABASE_TIMEOUT: random.pick(['250ms', '1s']),
      ROLLCALL_SYNC_INTERVAL: mode === 'polling' ? '1s' : random.pick(['1s', '1d']),
    },
  };
}

function act(random, kind) {
  const step = { kind, who: random.below(1_000_000), other: random.below(1_000_000) };
  if (kind === 'create') {
    step.last = random.chance(0.5);
    step.shape = random.pick(['email', 'email', 'email', 'email', 'mixed_case', 'phone', 'none']);
  }
  if (kind === 'role') step.role = random.pick(['admin', 'user', 'emperor', null]);
  if (kind === 'standing') step.standing = random.pick(['ban', 'unban', 'lock', 'unlock']);
  if (kind === 'foreign') step.taken = random.chance(0.5);
  if (kind === 'edit_row') step.edit = random.pick(['name', 'role', 'email', 'gone']);
  if (kind === 'edit_copy') step.edit = random.pick(['name', 'role', 'ban', 'email', 'gone']);
  return step;
}

function fault(random, kind) {
  const step = { kind, process: random.below(2) };
  if (kind === 'clerk_api' || kind === 'auth_api') {
    step.fault = random.pick(kind === 'clerk_api' ? CLERK_FAULTS : AUTH_FAULTS);
    step.times = 1 + random.below(kind === 'clerk_api' ? 3 : 8);
  }
  if (kind === 'stop') step.ms = 1000 + random.below(2000);
  if (kind === 'auth_down') step.ms = 100 + random.below(1500);
  if (kind === 'postgres_freeze') step.ms = 200 + random.below(1300);
  if (kind === 'postgres_refuse') step.ms = 100 + random.below(600);
  if (kind === 'pass') step.full = random.chance(0.5);
  if (kind === 'answer_lost') step.tag = random.pick(LOST);
  return step;
}

// Neighbouring seeds begin differently.
const spread = (seed) => Math.imul(seed, 0x9e3779b1) >>> 0;

export function plan(seed, steps = STEPS) {
  const random = chooser(spread(seed));
  const made = { seed, ...knobs(random) };
  made.faults = messageFaults(random, made.mode);
  const deaths = chooser(spread(seed ^ 0x5eed));
  made.launches = Array.from({ length: LAUNCHES }, () =>
    deaths.chance(0.5) ? `${deaths.pick(FAIL_POINTS)}:abort:${1 + deaths.below(20)}` : null,
  );
  const hasKey = made.mode !== 'webhook';
  const acts = {
    ...ACTS,
    ...(hasKey ? ACTS_WITH_KEY : {}),
    ...(made.editsCopies ? ACTS_ON_COPIES : {}),
  };
  const faults = { ...FAULTS, ...(hasKey ? FAULTS_WITH_KEY : {}) };
  made.steps = Array.from({ length: steps }, () => {
    const isFault = random.chance(FAULT_SHARE);
    const kind = weighted(random, isFault ? faults : acts);
    const pause = random.chance(0.3) ? random.below(100) : 0;
    return { isFault, ...(isFault ? fault(random, kind) : act(random, kind)), pause };
  });
  return made;
}
