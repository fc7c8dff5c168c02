// The service that is measured, run as a user would run it: the release binary, its settings in the
// environment, webhook mode (no Clerk to ask), a database that `migrate` has prepared.
import { existsSync } from 'node:fs';
import * as paths from './paths.mjs';
import { freePorts } from './cluster.mjs';
import { secret } from './load.mjs';
import { Service, pause, runToEnd } from './process.mjs';

const template = 'rollcall_migrated';

export function environment(cluster, database, more = {}) {
  return {
    DATABASE_URL: cluster.url(database),
    CLERK_WEBHOOK_SECRET: secret,
    ROLLCALL_MODE: 'webhook',
    ROLLCALL_ADMIN_TOKEN: 'token-of-the-benchmark',
    ...more,
  };
}

export async function prepareTemplate(cluster) {
  if (!existsSync(paths.rollcall)) {
    throw new Error(`${paths.rollcall} is not there: ./dev build`);
  }
  await cluster.create(template);
  await runToEnd(paths.rollcall, ['migrate'], { env: environment(cluster, template) });
}

// A migrated database with nothing in it.
export async function freshDatabase(cluster, database) {
  await cluster.create(database, template);
  await cluster.settle();
}

// `roles` undefined: the default ones. `more` is settings beside them.
export async function startRollcall(cluster, database, { name, roles, more }) {
  const [port, admin] = await freePorts(2);
  const service = new Service(
    name,
    paths.rollcall,
    ['serve'],
    environment(cluster, database, {
      ROLLCALL_LISTEN: `127.0.0.1:${port}`,
      ROLLCALL_ADMIN_LISTEN: `127.0.0.1:${admin}`,
      ...(roles ? { ROLLCALL_SERVE_ROLES: roles } : {}),
      ...more,
    }),
  );
  await service.ready(() => answers(`http://127.0.0.1:${admin}/readyz`));
  service.port = port;
  service.admin = admin;
  return service;
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

// Waits until the users first … first+count-1 have their rows: seldom while many are missing, so
// that looking costs the run next to nothing.
export async function rowsVisible(cluster, database, first, last, count, seconds = 300) {
  const started = Date.now();
  for (;;) {
    const seen = Number(
      await cluster.value(
        database,
        'SELECT count(*) FROM public.users WHERE clerk_id BETWEEN $1 AND $2',
        [first, last],
      ),
    );
    const at = Date.now();
    if (seen >= count) {
      return at;
    }
    const elapsed = at - started;
    if (elapsed > seconds * 1000) {
      throw new Error(`${seen} of ${count} users are there after ${seconds} s`);
    }
    const left = seen > 0 ? ((count - seen) * elapsed) / seen : 100;
    await pause(Math.min(1000, Math.max(20, left / 2)));
  }
}
