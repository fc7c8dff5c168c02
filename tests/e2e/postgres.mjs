// A private PostgreSQL for one test file, durable as in production, with a database per test and
// the power to be stopped hard. As root the server runs as the account `postgres`.
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';

function programs() {
  const base = '/usr/lib/postgresql';
  const versions = readdirSync(base)
    .map(Number)
    .filter((v) => v >= 14)
    .sort((a, b) => b - a);
  const folder = versions
    .map((v) => path.join(base, String(v), 'bin'))
    .find((bin) => existsSync(path.join(bin, 'initdb')));
  if (!folder) throw new Error('no PostgreSQL server below /usr/lib/postgresql');
  return folder;
}

const asRoot = process.getuid() === 0;

// `outer`: a command that runs the one given after it.
function run(command, args, env = {}, outer = []) {
  const account = asRoot ? ['runuser', '-u', 'postgres', '--'] : [];
  const [first, ...rest] = [...outer, ...account, command, ...args];
  const options = { encoding: 'utf8', cwd: '/', env: { ...process.env, ...env } };
  const done = spawnSync(first, rest, options);
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr || done.stdout}`);
  return done.stdout;
}

// What makes a server read its clock from a file: libfaketime, of Debian's package of that name.
function faketime() {
  const base = '/usr/lib';
  const found = readdirSync(base)
    .map((folder) => path.join(base, folder, 'faketime/libfaketimeMT.so.1'))
    .find((library) => existsSync(library));
  if (!found) throw new Error('no libfaketime: tools/install.sh test');
  return found;
}

// What gives a process a clock that is off by `offset`, as "+1h"; its timers go on as ever, unless
// the offset goes back further than the machine has run: libfaketime moves a timer that is due at
// once (of Asio: one that was due at the machine's start) forward by as much.
export function wrongClock(offset) {
  return { LD_PRELOAD: faketime(), FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

// Runs a command that finds a disk of `size` (of mount(8), as "4m") at `folder`; nobody else sees
// it, and it is gone with the last process that does. Without root it takes a user namespace.
function withDisk(folder, size) {
  const { uid, gid } = statSync(folder);
  const user = asRoot ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const options = `size=${size},mode=700,uid=${uid},gid=${gid}`;
  const mount = `mount -t tmpfs -o ${options} tmpfs '${folder}' && exec "$@"`;
  return ['unshare', ...user, '--mount', 'sh', '-c', mount, 'sh'];
}

export class Postgres {
  // With a private folder, and nothing in it.
  static housed() {
    const server = new Postgres();
    server.bin = programs();
    server.folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-e2e-'));
    if (asRoot) {
      const id = (flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
      chownSync(server.folder, id('-u'), id('-g'));
    }
    server.data = path.join(server.folder, 'data');
    return server;
  }

  // With `clock` true, set_clock() moves the server's clock while it runs. With `disk` there is one
  // of that size at `small`, for a tablespace.
  static async start({ clock = false, disk } = {}) {
    const server = Postgres.housed();
    run(path.join(server.bin, 'initdb'), [
      '-N',
      '-D',
      server.data,
      '-A',
      'trust',
      '-U',
      'postgres',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
    ]);
    if (clock) server.set_clock(0);
    if (disk) server.addDisk(disk);
    server.up();
    process.on('exit', () => server.remove());
    return server;
  }

  // Starts after a stop, too. Reached by a unix socket in a private folder only.
  up() {
    // Killed hard it keeps what it acknowledged, since the kernel lives on; and a disk that stalls
    // does not make a test fail.
    const options =
      `-k ${this.folder} -c listen_addresses='' -c max_connections=200 ` +
      '-c fsync=off -c full_page_writes=off';
    const env = this.clock && {
      LD_PRELOAD: faketime(),
      FAKETIME_TIMESTAMP_FILE: this.clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    run(
      path.join(this.bin, 'pg_ctl'),
      ['-D', this.data, '-w', '-l', path.join(this.folder, 'log'), '-o', options, 'start'],
      env,
      this.disk && withDisk(this.small, this.disk),
    );
  }

  addDisk(size) {
    this.disk = size;
    this.small = path.join(this.folder, 'small');
    mkdirSync(this.small);
    const { uid, gid } = statSync(this.folder);
    chownSync(this.small, uid, gid);
  }

  // A replica that every commit waits for from now on; promote() makes it a server of its own.
  async replica() {
    const replica = Postgres.housed();
    const from = ['-h', this.folder, '-U', 'postgres', '-c', 'fast', '-N', '-R'];
    run(path.join(this.bin, 'pg_basebackup'), [...from, '-D', replica.data]);
    replica.up();
    process.on('exit', () => replica.remove());
    await this.query('postgres', "ALTER SYSTEM SET synchronous_standby_names = '*'");
    await this.query('postgres', 'SELECT pg_reload_conf()');
    return replica;
  }

  promote() {
    run(path.join(this.bin, 'pg_ctl'), ['-D', this.data, '-w', 'promote']);
  }

  // The server's clock is `seconds` ahead of ours from now on, or behind.
  set_clock(seconds) {
    this.clock = path.join(this.folder, 'clock');
    writeFileSync(this.clock, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}`);
  }

  // Every process of the server stands still, as behind a network that swallows all; returns what
  // lets them go on.
  async freeze() {
    const lock = readFileSync(path.join(this.data, 'postmaster.pid'), 'utf8');
    const backends = await this.query(
      'postgres',
      `SELECT pid FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    const pids = [Number.parseInt(lock, 10), ...backends.map((one) => one.pid)];
    const signal = (name) =>
      pids.forEach((pid) => {
        try {
          process.kill(pid, name);
        } catch {
          // gone meanwhile
        }
      });
    signal('SIGSTOP');
    return () => signal('SIGCONT');
  }

  // `immediate`: as if the power had failed.
  down(mode = 'immediate') {
    run(path.join(this.bin, 'pg_ctl'), ['-D', this.data, '-m', mode, '-w', 'stop']);
  }

  remove() {
    if (existsSync(path.join(this.data, 'postmaster.pid'))) {
      try {
        this.down();
      } catch {
        // It went between the look and the call.
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  url(database) {
    return `postgresql:///${database}?host=${this.folder}&user=postgres`;
  }

  async query(database, text, values) {
    const client = new pg.Client({ host: this.folder, user: 'postgres', database });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  // A new empty database; its name.
  async create() {
    const name = `t${process.pid}_${(this.made = (this.made ?? 0) + 1)}`;
    await this.query('postgres', `CREATE DATABASE ${name}`);
    return name;
  }

  log() {
    return readFileSync(path.join(this.folder, 'log'), 'utf8');
  }
}
