// Several workers, each with a world of its own, among whom seeds are dealt out.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('worker.mjs', import.meta.url));

export class Crew {
  constructor(size) {
    this.idle = Array.from({ length: size }, () => fork(program));
    this.all = [...this.idle];
    this.queue = [];
  }

  // What came of a seed, once a worker has had time for it.
  run(seed, options = {}) {
    return new Promise((resolve) => {
      this.queue.push({ seed, options, resolve });
      this.#deal();
    });
  }

  async #deal() {
    if (this.queue.length === 0 || this.idle.length === 0) return;
    const worker = this.idle.pop();
    const { seed, options, resolve } = this.queue.shift();
    worker.send({ seed, options });
    const died = new AbortController();
    const answer = await Promise.race([
      once(worker, 'message', { signal: died.signal }).then(([message]) => message),
      once(worker, 'exit', { signal: died.signal }).then(([code]) => ({
        seed, findings: [`the worker ended with ${code}`], seconds: 0, lost: true,
      })),
    ]);
    died.abort();
    this.idle.push(answer.lost ? this.#replace(worker) : worker);
    resolve(answer);
    this.#deal();
  }

  #replace(worker) {
    const another = fork(program);
    this.all[this.all.indexOf(worker)] = another;
    return another;
  }

  async stop() {
    await Promise.all(
      this.all.map(async (worker) => {
        if (worker.exitCode !== null || worker.signalCode !== null) return;
        const exited = once(worker, 'exit');
        if (worker.connected) worker.disconnect();
        await exited;
      }),
    );
  }
}
