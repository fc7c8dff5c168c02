// A private PostgreSQL for one run: its own directory under /var/tmp, loopback and a unix socket,
// durable as PostgreSQL is by default. As root the server runs as the account `postgres`.
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bench, peers } from './paths.mjs';
import { childrenOf, cpuSecondsOf, onExit, runNow, runToEnd } from './process.mjs';

const home = '/var/tmp';
const prefix = 'rollcall-bench-';
const settings = {
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: '200',
  listen_addresses: '127.0.0.1',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
};

function binaries() {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base)
    ? readdirSync(base)
        .map(Number)
        .sort((a, b) => b - a)
    : [];
  for (const version of versions) {
    const folder = join(base, String(version), 'bin');
    if (existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pgbench'))) {
      return folder;
    }
  }
  throw new Error(
    'no PostgreSQL server with pgbench under /usr/lib/postgresql: apt-get install postgresql',
  );
}

const asServer = process.getuid() === 0 ? ['runuser', '-u', 'postgres', '--'] : ['env'];

async function accountOfServer() {
  const [user, group] = await Promise.all(
    ['-u', '-g'].map((flag) =>
      runToEnd('id', [flag, process.getuid() === 0 ? 'postgres' : String(process.getuid())]),
    ),
  );
  return { user: Number(user), group: Number(group) };
}

export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise((resolve, reject) => {
          server.on('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server.address().port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

// Two neighbouring ports, for a peer whose processes each have one.
export async function freePair() {
  for (let tries = 0; tries < 100; tries += 1) {
    const [port] = await freePorts(1);
    const second = createServer();
    const free = await new Promise((resolve) => {
      second.on('error', () => resolve(false));
      second.listen(port + 1, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => second.close(resolve));
    if (free) {
      return port;
    }
  }
  throw new Error('no two free ports side by side');
}

// What a run that was killed outright has left.
function removeLeftovers(bin) {
  for (const name of readdirSync(home).filter((entry) => entry.startsWith(prefix))) {
    const directory = join(home, name);
    try {
      const owner = Number(readFileSync(join(directory, 'driver.pid'), 'utf8'));
      if (existsSync(`/proc/${owner}`)) {
        continue;
      }
    } catch {
      continue;
    }
    remove(bin, directory);
  }
}

function remove(bin, directory) {
  const data = join(directory, 'data');
  if (existsSync(join(data, 'postmaster.pid'))) {
    runNow(asServer[0], [
      ...asServer.slice(1),
      join(bin, 'pg_ctl'),
      '-D',
      data,
      '-m',
      'immediate',
      '-w',
      'stop',
    ]);
  }
  rmSync(directory, { recursive: true, force: true });
}

export class Cluster {
  static async start() {
    const cluster = new Cluster();
    cluster.bin = binaries();
    removeLeftovers(cluster.bin);
    const directory = mkdtempSync(join(home, prefix));
    onExit(() => remove(cluster.bin, directory));
    const { user, group } = await accountOfServer();
    chownSync(directory, user, group);
    writeFileSync(join(directory, 'driver.pid'), String(process.pid));
    const data = join(directory, 'data');
    await cluster.server('initdb', [
      '-D',
      data,
      '-A',
      'trust',
      '-U',
      'postgres',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
    ]);
    [cluster.port] = await freePorts(1);
    cluster.socket = directory;
    const options = Object.entries({
      ...settings,
      port: cluster.port,
      unix_socket_directories: directory,
    })
      .map(([key, value]) => `-c ${key}=${value}`)
      .join(' ');
    await cluster.server('pg_ctl', [
      '-D',
      data,
      '-w',
      '-l',
      join(directory, 'server.log'),
      '-o',
      options,
      'start',
    ]);
    cluster.postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const { default: pg } = await import(createRequire(join(peers, 'package.json')).resolve('pg'));
    cluster.pg = pg;
    cluster.sessions = new Map();
    return cluster;
  }

  server(program, args) {
    return runToEnd(asServer[0], [...asServer.slice(1), join(this.bin, program), ...args], {
      cwd: '/',
    });
  }

  url(database) {
    return `postgresql://postgres@127.0.0.1:${this.port}/${database}`;
  }

  // Rows of one statement; parameters as pg takes them. One session a database, kept open.
  async rows(database, text, values) {
    const session = await this.session(database);
    const answer = await session.query(text, values);
    return Array.isArray(answer) ? answer.at(-1).rows : answer.rows;
  }

  async value(database, text, values) {
    return Object.values((await this.rows(database, text, values))[0])[0];
  }

  async session(database) {
    if (!this.sessions.has(database)) {
      this.sessions.set(database, await this.newSession(database));
    }
    return this.sessions.get(database);
  }

  async newSession(database) {
    const session = new this.pg.Client({
      connectionString: this.url(database),
      application_name: 'bench',
    });
    session.on('error', () => {}); // the server going away first on the way out
    await session.connect();
    return session;
  }

  async closeSession(database) {
    await this.sessions.get(database)?.end();
    this.sessions.delete(database);
  }

  // A database anew: empty, or a copy of `template`, which nobody may be using.
  async create(database, template = 'template1') {
    await this.closeSession(database);
    await this.closeSession(template);
    await this.rows('postgres', `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await this.rows('postgres', `CREATE DATABASE ${database} TEMPLATE ${template}`);
  }

  async file(database, name) {
    await this.rows(database, readFileSync(join(bench, 'sql', name), 'utf8'));
  }

  // So that no run pays for the writes of the one before it.
  async settle() {
    await this.rows('postgres', 'CHECKPOINT');
  }

  // CPU of the sessions of `database` that are not the bench's own.
  async backendSeconds(database) {
    const rows = await this.rows(
      'postgres',
      `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name <> 'bench'`,
      [database],
    );
    return rows.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
  }

  // CPU of the whole server: postmaster, backends, checkpointer, WAL writer, autovacuum.
  serverSeconds() {
    return [this.postmaster, ...childrenOf(this.postmaster)].reduce(
      (sum, pid) => sum + cpuSecondsOf(pid),
      0,
    );
  }

  async stop() {
    await Promise.all([...this.sessions.keys()].map((database) => this.closeSession(database)));
  }
}
