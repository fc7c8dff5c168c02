// One seed from beginning to end: its plan is carried out, then it must become quiet, and right.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { migrate } from '../e2e/service.mjs';
import { PgProxy } from '../e2e/pg_proxy.mjs';
import { Postgres } from '../e2e/postgres.mjs';
import { Acts } from './act.mjs';
import { check } from './check.mjs';
import { Faults } from './faults.mjs';
import { Stand } from './stand.mjs';
import { breaches, watch } from './watch.mjs';
import { plan } from './world.mjs';

export const folder = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)), '../../build/convergence');

const TEMPLATE = 'template_seed';

// What seeds share that run one after the other: a server and the proxy before it.
export async function ground() {
  const postgres = await Postgres.start();
  // The SQLSTATE first, so that the verdict can read them.
  await postgres.query('postgres', "ALTER SYSTEM SET log_line_prefix = '%e %d '");
  await postgres.query('postgres', 'SELECT pg_reload_conf()');
  await postgres.query('postgres', `CREATE DATABASE ${TEMPLATE}`);
  migrate(postgres.url(TEMPLATE));
  await watch(postgres, TEMPLATE);
  return { postgres, proxy: await PgProxy.start(postgres), template: TEMPLATE };
}

async function carryOut(stand) {
  const faults = new Faults(stand);
  stand.acts = new Acts(stand);
  await stand.acts.begin();
  for (const step of stand.plan.steps) {
    if (step.isFault) await faults.strike(step);
    else await stand.acts.take(step);
    if (step.pause) await new Promise((resolve) => setTimeout(resolve, step.pause));
  }
  await faults.over();
  await stand.acts.end();
}

function keep(seed, evidence) {
  const place = path.join(folder, String(seed));
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  for (const [name, what] of Object.entries(evidence)) {
    writeFileSync(
      path.join(place, name), typeof what === 'string' ? what : JSON.stringify(what, null, 1));
  }
  return place;
}

// {seed, findings, seconds, phases, place}: no findings, it converged. `place` has the evidence of
// one that did not, or of any with `keepAll`; `phases` says what the seconds went to.
export async function converge(on, seed, { steps, keepAll } = {}) {
  const began = Date.now();
  const phases = {};
  const timed = async (name, work) => {
    const from = Date.now();
    const result = await work;
    phases[name] = (Date.now() - from) / 1000;
    return result;
  };
  const stand = await timed('start', Stand.start(plan(seed, steps), on));
  let findings;
  let place;
  try {
    try {
      await timed('plan', carryOut(stand));
      await timed('quiet', stand.quiet());
      findings = [...(await breaches(stand)), ...(await timed('verdict', check(stand)))];
    } catch (error) {
      findings = [String(error.stack ?? error)];
    }
    if (findings.length > 0 || keepAll) {
      const evidence = { 'findings.txt': `${findings.join('\n')}\n`, ...(await stand.evidence()) };
      place = keep(seed, evidence);
    }
  } finally {
    await stand.stop();
  }
  return { seed, findings, seconds: (Date.now() - began) / 1000, phases, place };
}
