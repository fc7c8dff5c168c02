// Signed deliveries at a steady rate, each of a user of its own, and what became of them.
import http from 'node:http';

import { messageId, signed, userEvent } from './service.mjs';

const inFlightMax = 64; // a machine that cannot keep up slows the stream down, and fails nothing

export class Traffic {
  // To `port`; the users are user_<prefix>0 and so on.
  constructor(port, perSecond, prefix) {
    this.port = port;
    this.perSecond = perSecond;
    this.prefix = prefix;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: inFlightMax });
    this.sent = 0;
    this.inFlight = new Set();
    this.answers = {}; // how many, by status or by the error of a connection
    this.accepted = []; // users whose event was answered 202
  }

  start() {
    let last = performance.now();
    let credit = 0;
    this.timer = setInterval(() => {
      const now = performance.now();
      credit = Math.min(credit + ((now - last) / 1000) * this.perSecond, this.perSecond);
      last = now;
      for (; credit >= 1 && this.inFlight.size < inFlightMax; credit -= 1) this.one();
    }, 5);
    return this;
  }

  one() {
    const user = `user_${this.prefix}${this.sent}`;
    this.sent += 1;
    const body = userEvent('user.created', user, 1_700_000_000_000);
    const done = this.post(body, signed(body, messageId())).then((answer) => {
      this.inFlight.delete(done);
      this.answers[answer] = (this.answers[answer] ?? 0) + 1;
      if (answer === 202) this.accepted.push(user);
    });
    this.inFlight.add(done);
  }

  // The status, or what the connection failed with.
  post(body, headers) {
    const { port, agent } = this;
    return new Promise((resolve) => {
      http
        .request({ agent, port, method: 'POST', path: '/webhooks/clerk', headers, timeout: 60_000 })
        .on('response', (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode));
          answer.on('error', (error) => resolve(error.message));
        })
        .on('timeout', function late() {
          this.destroy(new Error('no answer within a minute'));
        })
        .on('error', (error) => resolve(error.message))
        .end(body);
    });
  }

  // The answers, once the last one is there.
  async stop() {
    clearInterval(this.timer);
    await Promise.all(this.inFlight);
    this.agent.destroy();
    return this.answers;
  }
}
