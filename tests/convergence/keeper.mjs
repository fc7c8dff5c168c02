// Keeps one process of the service alive, as systemd would: whatever ends, another is started. How
// each one ended is kept.
import { isRunning } from '../e2e/child.mjs';
import { Service } from '../e2e/service.mjs';

export class Keeper {
  // `launches`: the fail point of each start, or null; after the last one none is armed.
  static async start(url, env, launches) {
    const service = await Service.start(url, env, {
      waitUntilReady: false,
      failpoint: launches[0] ?? undefined,
    });
    return new Keeper(service, launches);
  }

  constructor(service, launches) {
    this.service = service;
    this.launches = launches;
    this.ends = []; // {code, signal, sent}
    this.sent = new Set(); // signals of ours that are to end it
    this.stopping = false;
    this.watched = this.#watch();
  }

  async #watch() {
    for (let launch = 1; ; launch += 1) {
      const [code, signal] = await this.service.closed;
      this.ends.push({ code, signal, sent: this.sent });
      this.sent = new Set();
      if (this.stopping) return;
      this.service.log += `---- start ${launch + 1}\n`;
      this.service.launch({ failpoint: this.launches[launch] ?? undefined });
    }
  }

  signal(name) {
    if (!isRunning(this.service.child)) return;
    if (name === 'SIGKILL' || name === 'SIGTERM') this.sent.add(name);
    this.service.child.kill(name);
  }

  // For good.
  async stop(signal = 'SIGTERM') {
    this.stopping = true;
    this.signal('SIGCONT');
    this.signal(signal);
    await this.watched;
    this.service.agent.destroy();
  }
}
