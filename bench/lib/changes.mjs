// So many users who change one after the other, again and again, at a steady rate.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { secret } from './load.mjs';
import * as paths from './paths.mjs';

const template = readFileSync(join(paths.bench, 'data/user_created.json'), 'utf8');
const firstUser = 5_000_000_000; // beyond those of bench_load

// The headers of a delivery as Svix signs it.
function signed(id, body) {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'svix-id': id,
    'svix-timestamp': timestamp,
    'svix-signature': `v1,${mac}`,
  };
}

export class Changes {
  constructor(port, users, perSecond) {
    Object.assign(this, { port, users, perSecond });
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    this.sent = 0;
    this.failed = 0;
    this.underWay = new Set();
  }

  start() {
    this.timer = setInterval(() => {
      const done = this.change(this.sent).then((status) => {
        this.underWay.delete(done);
        if (status !== 202) this.failed += 1;
      });
      this.underWay.add(done);
      this.sent += 1;
    }, 1000 / this.perSecond);
    return this;
  }

  // The status, 0 without an answer.
  change(n) {
    const user = String(firstUser + (n % this.users));
    const event = JSON.parse(template.replaceAll('USERNUMBER', user));
    event.type = 'user.updated';
    event.data.first_name = `Name${n}`;
    event.data.updated_at = Date.now();
    const body = JSON.stringify(event);
    const headers = signed(`msg_change${n}`, body);
    const { agent, port } = this;
    return new Promise((resolve) => {
      http
        .request({ agent, port, path: '/webhooks/clerk', method: 'POST', headers })
        .on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode)))
        .on('error', () => resolve(0))
        .end(body);
    });
  }

  // A stalled disk may cost a few of them; more, and the run measured something else.
  async stop() {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
    this.agent.destroy();
    if (this.failed > this.sent / 100) {
      throw new Error(`${this.failed} of ${this.sent} changes were not accepted`);
    }
  }
}
