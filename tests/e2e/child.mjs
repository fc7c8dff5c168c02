// Programs that a test starts. None outlives the test's process, and none keeps it alive: a test
// that fails half way leaves them behind, and its file must end all the same.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// What ends this process by default ends it by way of 'exit'.
for (const [signal, number] of [['SIGTERM', 15], ['SIGINT', 2], ['SIGHUP', 1]]) {
  process.once(signal, () => process.exit(128 + number));
}

const pipes = (child) => child.stdio.filter(Boolean);

export function start(command, words, options) {
  const child = spawn(command, words, options);
  running.add(child);
  child.closed = once(child, 'close');
  child.closed.catch(() => {}).finally(() => running.delete(child));
  return child;
}

// From now on it is nobody's reason to go on.
export function release(child) {
  child.unref();
  for (const pipe of pipes(child)) pipe.unref();
}

// Its end, as [code, signal]: whoever waits for that is a reason.
export function ended(child) {
  if (running.has(child)) {
    child.ref();
    for (const pipe of pipes(child)) pipe.ref();
  }
  return child.closed;
}

export const isRunning = (child) => child.exitCode === null && child.signalCode === null;
