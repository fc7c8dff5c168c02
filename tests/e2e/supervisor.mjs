// A service manager's side of sd_notify(3), and the part of systemd that ends what stands still and
// starts it again.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { isRunning } from './child.mjs';
import { Service } from './service.mjs';
import { until } from './simulator.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

export const unit = path.join(here, '../../deploy/systemd/rollcall.service');

// What services say to their manager, in order.
export class Manager {
  // Its socket is in a new folder of `folder`.
  static async start(folder) {
    const manager = new Manager();
    manager.socket = path.join(mkdtempSync(path.join(folder, 'manager-')), 'notify');
    manager.told = [];
    manager.child = spawn('python3', [path.join(here, 'notify.py'), manager.socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    readline
      .createInterface({ input: manager.child.stdout })
      .on('line', (line) => manager.told.push(JSON.parse(line)));
    await until(() => manager.told.length > 0, 'the socket');
    return manager;
  }

  // The messages of one service, from the place `from` on.
  by(service, from = 0) {
    return this.told
      .slice(from)
      .filter(([pid]) => pid === service.child.pid)
      .map(([, message]) => message.replace(/MONOTONIC_USEC=\d+$/, 'MONOTONIC_USEC=…'));
  }

  states(service, from) {
    return this.by(service, from).filter((message) => message !== 'WATCHDOG=1');
  }

  pings(service, from) {
    return this.by(service, from).filter((message) => message === 'WATCHDOG=1').length;
  }

  stop() {
    this.child.kill('SIGKILL');
  }
}

// The last value that the unit gives to `key`.
export function directive(key) {
  const lines = readFileSync(unit, 'utf8').matchAll(new RegExp(`^${key}=(.*)$`, 'gm'));
  return [...lines].at(-1)?.[1];
}

const seconds = (key) => Number(directive(key)) * 1000;

const TICK = 20; // ms

// Ends that systemd takes for clean with Type=notify: systemd.service(5), Restart=.
const isClean = (code, signal) =>
  code === 0 || ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE'].includes(signal);

// Does what the unit says, as systemd.service(5) has it: from READY=1 on it wants WATCHDOG=1 within
// WatchdogSec, else the process gets SIGABRT, and SIGKILL when that does not end it in time; what
// ended as Restart= says is started again after RestartSec.
export class Supervisor {
  // `watchdog` in milliseconds instead of the unit's, as a drop-in would have it; `failpoint` is
  // armed in the first process alone.
  static async start(manager, url, env, { watchdog = seconds('WatchdogSec'), failpoint } = {}) {
    const one = new Supervisor();
    Object.assign(one, { manager, watchdog, ends: [], stopping: false });
    const told = { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC: String(watchdog * 1000) };
    const options = { waitUntilReady: false, failpoint };
    one.service = await Service.start(url, { ...env, ...told }, options);
    one.watched = one.#watch();
    return one;
  }

  async #watch() {
    for (;;) {
      const expired = this.#watchdog();
      const [code, signal] = await this.service.closed;
      this.ends.push({ code, signal, watchdog: await expired() });
      if (this.stopping || !this.#restarts(this.ends.at(-1))) return;
      await new Promise((resolve) => setTimeout(resolve, seconds('RestartSec')));
      if (this.stopping) return;
      this.service.launch({});
    }
  }

  #restarts({ code, signal, watchdog }) {
    if (directive('RestartPreventExitStatus')?.split(' ').includes(String(code))) return false;
    const wanted = directive('Restart');
    return wanted === 'on-failure' && (watchdog || !isClean(code, signal));
  }

  // Of the process that runs now; what is returned says, once that has ended, whether it had to be.
  #watchdog() {
    const { child } = this.service;
    const from = this.manager.told.length;
    let seen = 0;
    let silent = 0; // in ticks of ours: while this process gets no turn, nobody is judged
    let ended = false;
    const timer = setInterval(() => {
      const words = this.manager.by(this.service, from).filter((word) => word !== 'STOPPING=1');
      if (!words.includes('READY=1')) return;
      silent = words.length === seen ? silent + 1 : 0;
      seen = words.length;
      if (!ended && silent * TICK > this.watchdog) {
        ended = true;
        child.kill('SIGABRT');
      } else if (ended && silent * TICK > this.watchdog + seconds('TimeoutStopSec')) {
        child.kill('SIGKILL');
      }
    }, TICK);
    return () => {
      clearInterval(timer);
      return ended;
    };
  }

  async stop(signal = 'SIGTERM') {
    this.stopping = true;
    if (isRunning(this.service.child)) this.service.child.kill(signal);
    await this.watched;
    this.service.agent.destroy();
    return this.ends.at(-1);
  }
}
