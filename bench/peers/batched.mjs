// The fastest Node receiver that we could write: uWebSockets, node:crypto, and the events that wait
// while a commit is under way inserted together (two lanes a process, up to 256 rows a statement).
// Each process listens on a port of its own, so that the connections spread evenly.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import postgres from 'postgres';
import { env, runProcesses } from './processes.mjs';

const lanes = 2;
const rowsMax = 256;
const bodyMax = 1024 * 1024;
const toleranceSeconds = 300;
const jobTypes = new Map([
  ['user.created', 'USER_CREATED'],
  ['user.updated', 'USER_UPDATED'],
  ['user.deleted', 'USER_DELETED'],
]);

// uWebSockets.js is not on npm under its own name; @uwsjs republishes its binaries, a package for
// each Node version.
function loadUws() {
  const major = process.versions.node.split('.')[0];
  return createRequire(import.meta.url)(`@uwsjs/${process.platform}-${process.arch}-${major}`);
}

function verify(key, id, timestamp, signatures, body) {
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!(age <= toleranceSeconds)) {
    return false;
  }
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(' ').some((signature) => {
    const given = Buffer.from(signature.slice(3), 'base64');
    return (
      signature.startsWith('v1,') &&
      given.length === expected.length &&
      timingSafeEqual(given, expected)
    );
  });
}

class Batcher {
  constructor(sql) {
    this.sql = sql;
    this.waiting = [];
    this.busy = 0;
  }

  add(job) {
    this.waiting.push(job);
    this.pump();
  }

  pump() {
    if (this.busy < lanes && this.waiting.length > 0) {
      this.busy += 1;
      this.insert(this.waiting.splice(0, rowsMax)).finally(() => {
        this.busy -= 1;
        this.pump();
      });
    }
  }

  async insert(jobs) {
    const types = jobs.map((job) => job.type);
    const payloads = jobs.map((job) => job.payload);
    try {
      const rows = await this.sql`
        INSERT INTO job_queue (job_type, payload, priority)
        SELECT t, p::jsonb, 2 FROM unnest(${types}::text[], ${payloads}::text[]) AS j(t, p)
        RETURNING id`;
      jobs.forEach((job, index) => job.done(rows[index].id));
    } catch (error) {
      process.stderr.write(`${error.stack}\n`);
      jobs.forEach((job) => job.done(null));
    }
  }
}

function respond(response, status, body) {
  response.cork(() => {
    response.writeStatus(status);
    response.writeHeader('content-type', 'application/json');
    response.end(body);
  });
}

function accept(batcher, response, body) {
  const text = body.toString('utf8');
  const type = jobTypes.get(JSON.parse(text).type);
  if (type === undefined) {
    respond(response, '200 OK', '{"success":true,"message":"Event type not handled"}');
    return;
  }
  batcher.add({
    type,
    payload: text,
    done: (id) => {
      if (response.aborted) {
        return;
      }
      if (id === null) {
        respond(response, '503 Service Unavailable', '{"error":"Try again"}');
      } else {
        respond(
          response,
          '202 Accepted',
          `{"success":true,"message":"User creation job queued","jobId":"${id}"}`,
        );
      }
    },
  });
}

await runProcesses(2, async (number) => {
  const uws = loadUws();
  const key = Buffer.from(env('WEBHOOK_SECRET').replace(/^whsec_/, ''), 'base64');
  const sql = postgres(env('DATABASE_URL'), { max: lanes, onnotice: () => {} });
  await Promise.all(Array.from({ length: lanes }, () => sql`SELECT 1`));
  const batcher = new Batcher(sql);
  const app = uws.App();
  app.post('/webhooks/clerk', (response, request) => {
    const id = request.getHeader('svix-id');
    const timestamp = request.getHeader('svix-timestamp');
    const signatures = request.getHeader('svix-signature');
    let body = Buffer.alloc(0);
    response.onAborted(() => {
      response.aborted = true;
    });
    response.onData((chunk, last) => {
      body =
        body.length === 0
          ? Buffer.from(Buffer.from(chunk))
          : Buffer.concat([body, Buffer.from(chunk)]);
      if (body.length > bodyMax) {
        response.close();
      } else if (last && !verify(key, id, timestamp, signatures, body)) {
        respond(response, '401 Unauthorized', '{"error":"Invalid signature"}');
      } else if (last) {
        accept(batcher, response, body);
      }
    });
  });
  const port = Number(env('PORT')) + number;
  await new Promise((resolve, reject) => {
    app.listen('127.0.0.1', port, (socket) => (socket ? resolve() : reject(new Error('listen'))));
  });
});
