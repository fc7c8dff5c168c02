// The Node programs of bench/peers, copied to build/bench/peers and installed there from the lock.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import * as paths from './paths.mjs';
import { Service, runToEnd } from './process.mjs';

const source = join(paths.bench, 'peers');

export async function installPeers() {
  mkdirSync(paths.peers, { recursive: true });
  for (const name of readdirSync(source)) {
    cpSync(join(source, name), join(paths.peers, name));
  }
  const lock = readFileSync(join(source, 'package-lock.json'));
  const wanted = `${createHash('sha256').update(lock).digest('hex')} ${process.version}\n`;
  const stamp = join(paths.peers, 'installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
    return;
  }
  rmSync(stamp, { force: true });
  await runToEnd('npm', ['ci', '--ignore-scripts', '--omit=dev'], { cwd: paths.peers });
  writeFileSync(stamp, wanted);
}

export async function startPeer(name, env) {
  const service = new Service(name, process.execPath, [join(paths.peers, `${name}.mjs`)], env);
  return service.readyLine();
}

export function migratePeer(name, env) {
  return runToEnd(process.execPath, [join(paths.peers, `${name}.mjs`), 'migrate'], { env });
}
