// Programs that the bench starts. Each runs in a process group of its own and none outlives the
// bench: `onExit` actions and kills run on every way out but SIGKILL, and a service dies with the
// bench even then.
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { logs } from './paths.mjs';

const running = new Set();
const exitActions = [];

export function onExit(action) {
  exitActions.push(action);
}

export function killEverything() {
  for (const child of running) {
    killGroup(child.pid, 'SIGKILL');
  }
  for (const action of exitActions.splice(0).reverse()) {
    action();
  }
}

process.on('exit', killEverything);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(130));
}

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

// Runs to the end and returns standard output; anything but exit code 0 is an error that carries
// the end of standard error.
export async function runToEnd(command, args, { env = {}, cwd, input } = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    cwd,
    detached: true,
    stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const output = [];
  const errors = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => errors.push(chunk));
  if (input) {
    input.pipe(child.stdin);
  }
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  running.delete(child);
  if (code !== 0) {
    const last = Buffer.concat([...output.slice(-5), ...errors])
      .toString()
      .trim();
    throw new Error(
      `${command} ${args.slice(0, 2).join(' ')} ended with ${code}:\n${last.slice(-2000)}`,
    );
  }
  return Buffer.concat(output).toString();
}

// A command whose end is a result too: what it printed, its exit code, the most memory that it had
// in MB and its CPU time, both looked at every 50 ms.
export async function runMeasured(command, args, { env = {} } = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-2000);
  });
  let memory = 0;
  let cpu = 0;
  const watch = setInterval(() => {
    cpu = Math.max(cpu, cpuSecondsOf(child.pid));
    memory = Math.max(memory, memoryOf(child.pid).most);
  }, 50);
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (number, signal) => resolve(number ?? signal));
  });
  clearInterval(watch);
  running.delete(child);
  return { output, errors, code, memory, cpu };
}

// The same without waiting on the event loop, for the way out.
export function runNow(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' });
}

// A child whose output is read by the caller (`events | psql`).
export function startPiped(command, args) {
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  child.on('close', () => running.delete(child));
  return child;
}

// A service: runs until `stop`. Its output goes to build/bench/logs/<name>.log.
export class Service {
  constructor(name, command, args, env) {
    mkdirSync(logs, { recursive: true });
    this.name = name;
    this.log = join(logs, `${name}.log`);
    const log = createWriteStream(this.log, { flags: 'a' });
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
      env: { ...process.env, NODE_ENV: 'production', ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.child);
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => resolve(error.message));
      this.child.on('exit', (code, signal) => resolve(code ?? signal));
    }).then((how) => {
      running.delete(this.child);
      this.ended = how;
      return how;
    });
    this.child.stdout.pipe(log, { end: false });
    this.child.stderr.pipe(log, { end: false });
    this.stdout = this.child.stdout;
  }

  get pid() {
    return this.child.pid;
  }

  // Resolves once `probe` gives true; fails when the service ends or `seconds` pass.
  async ready(probe, seconds = 30) {
    const deadline = Date.now() + seconds * 1000;
    while (!(await probe())) {
      if (this.ended !== undefined) {
        throw new Error(`${this.name} ended with ${this.ended}; see ${this.log}`);
      }
      if (Date.now() > deadline) {
        throw new Error(`${this.name} is not ready after ${seconds} s; see ${this.log}`);
      }
      await pause(20);
    }
    return this;
  }

  // For programs that print "ready".
  async readyLine() {
    let seen = '';
    this.stdout.on('data', (chunk) => {
      seen += chunk;
    });
    return this.ready(() => seen.includes('ready\n'));
  }

  async stop() {
    killGroup(this.pid, 'SIGTERM');
    const late = setTimeout(() => killGroup(this.pid, 'SIGKILL'), 10000);
    await this.exited;
    clearTimeout(late);
    killGroup(this.pid, 'SIGKILL');
  }

  cpuSeconds() {
    return cpuSecondsOf(this.pid);
  }

  memory() {
    return memoryOf(this.pid);
  }
}

// Resident memory in MB: now, and the most that it ever was; 0 when the process is gone.
export function memoryOf(pid) {
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It ended just now.
  }
  const megabytes = (field) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { now: megabytes('VmRSS'), most: megabytes('VmHWM') };
}

export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const ticks = 100; // USER_HZ, the same on every Linux that matters

// User and system time of one process so far; 0 when it is gone.
export function cpuSecondsOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticks;
  } catch {
    return 0;
  }
}

export function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}
