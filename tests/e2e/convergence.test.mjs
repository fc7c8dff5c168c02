// The convergence test: a seed drives the simulated Clerk (people come, change, swap addresses, are
// banned, go) through every delivery fault while the service is killed and PostgreSQL restarted.
// Once it is quiet and what was lost has been replayed, the table equals Clerk and every event was
// applied. A failure prints its seed; ROLLCALL_SEED=n repeats one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { chooser } from './chooser.mjs';
import { Postgres } from './postgres.mjs';
import { Service, migrate } from './service.mjs';
import { SECRET_KEY, Simulator, WEBHOOK_SECRET, until } from './simulator.mjs';
import { table, truth } from './truth.mjs';

const seeds = process.env.ROLLCALL_SEED
  ? [Number(process.env.ROLLCALL_SEED)]
  : [1, 2, 3, 4, 5, Math.floor(Math.random() * 1e9)];
const steps = 120;

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function act(sim, random, people, step) {
  const call = async (method, path, body) => {
    const answer = await sim.raw(method, path, {
      body,
      headers: { 'content-type': 'application/json' },
    });
    return { ok: answer.ok, user: await answer.json() };
  };
  const some = () => random.pick(people);
  const roll = random.below(100);
  if (people.length < 5 || roll < 25) {
    const { ok, user } = await call('POST', '/users', {
      email_address: [`p${step}@example.com`],
      first_name: `First${step}`,
      last_name: random.chance(0.5) ? 'Last' : undefined,
    });
    if (ok) people.push(user.id);
  } else if (roll < 60) {
    await call('PATCH', `/users/${some()}`, { first_name: `Changed${step}` });
  } else if (roll < 75) {
    await call('PATCH', `/users/${some()}/metadata`, {
      public_metadata: { role: random.pick(['admin', 'user', 'emperor', null]) },
    });
  } else if (roll < 85) {
    await call('POST', `/users/${some()}/${random.pick(['ban', 'unban', 'lock', 'unlock'])}`);
  } else {
    const id = some();
    const { ok } = await call('DELETE', `/users/${id}`);
    if (ok) people.splice(people.indexOf(id), 1);
  }
}

for (const seed of seeds) {
  test(`seed ${seed} converges`, async () => {
    const random = chooser(seed);
    const database = await postgres.create();
    migrate(postgres.url(database));
    const sim = await Simulator.start('--seed', String(seed), '--users', '10', '--speed', '200');
    const service = await Service.start(postgres.url(database), {
      ROLLCALL_MODE: 'hybrid',
      CLERK_API_URL: sim.url,
      CLERK_SECRET_KEY: SECRET_KEY,
      CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    });
    try {
      await sim.control('PATCH', '/endpoint', {
        url: `http://127.0.0.1:${service.port}/webhooks/clerk`,
      });
      await sim.faults({
        duplicate: 0.2,
        reorder: 0.2,
        delay: 0.2,
        drop: 0.1,
        same_millisecond: 0.1,
        bad_signature: 0.05,
        ack_lost: 0.1,
        api_5xx: 0.05,
        delay_seconds: 1,
        reorder_seconds: 1,
      });
      const people = [];
      for (let step = 0; step < steps; step += 1) {
        // A fault of the API may refuse an action; that is no change then.
        await act(sim, random, people, step).catch(() => {});
        if (random.chance(0.02)) {
          await service.kill();
          service.launch();
        }
        if (step === 60 && random.chance(0.5)) {
          postgres.down('immediate');
          postgres.up();
        }
      }
      await sim.control('PUT', '/faults', {});
      await service.ready();
      // What was lost or refused comes again, as an operator would ask Svix to send it.
      await until(
        async () => {
          await sim.control('POST', '/replay?status=missing');
          await sim.control('POST', '/replay?status=failed');
          const { messages } = await sim.control('GET', '');
          return messages.pending === 0 && messages.failed === 0 && messages.missing === 0;
        },
        'every message delivered',
        60_000,
      );
      await until(
        async () =>
          (
            await postgres.query(
              database,
              "SELECT count(*)::int n FROM job_queue WHERE status IN ('PENDING','PROCESSING')",
            )
          )[0].n === 0,
        'an empty queue',
        60_000,
      );
      assert.deepEqual(await table(postgres, database), await truth(sim.url), `seed ${seed}`);
      const [{ failed }] = await postgres.query(
        database,
        "SELECT count(*)::int failed FROM job_queue WHERE status = 'FAILED'",
      );
      assert.equal(failed, 0, `seed ${seed}: no dead letters`);
    } finally {
      await service.kill();
      await sim.stop();
    }
  });
}
