// The Debian package: what is in it, that it depends on what it needs, and that what it installs
// works from there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

function run(command, ...words) {
  const done = spawnSync(command, words, {
    encoding: 'utf8',
    timeout: 300_000,
    env: { PATH: process.env.PATH },
  });
  if (done.status !== 0) throw new Error(`${command} ${words}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

let folder, deb, installed;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-package-'));
  const config = path.join(root, 'build/release/CPackConfig.cmake');
  assert.ok(existsSync(config), 'the release build comes first: ./dev build');
  run('cpack', '-G', 'DEB', '--config', config, '-B', folder);
  const made = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  assert.equal(made.length, 1, `one package: ${made}`);
  deb = path.join(folder, made[0]);
  installed = path.join(folder, 'root');
  run('dpkg-deb', '--extract', deb, installed);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const field = (name) => run('dpkg-deb', '--field', deb, name).trim();

test('it holds what it should, and nothing else', () => {
  // mode, owner, path: directories on the way to a file are not of interest.
  const listed = run('dpkg-deb', '--contents', deb)
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map(([mode, owner, , , , name]) => `${mode} ${owner} ${name.slice(1)}`)
    .filter((line) => !line.startsWith('d') || line.includes('/etc/rollcall'));
  assert.deepEqual(listed.sort(), [
    '-rw-r--r-- root/root /etc/rollcall/rollcall.toml',
    '-rw-r--r-- root/root /lib/systemd/system/rollcall.service',
    '-rw-r--r-- root/root /usr/lib/sysusers.d/rollcall.conf',
    '-rw-r--r-- root/root /usr/share/doc/rollcall/README.md',
    '-rw-r--r-- root/root /usr/share/doc/rollcall/copyright',
    '-rw-r--r-- root/root /usr/share/doc/rollcall/operations.md',
    '-rw-r--r-- root/root /usr/share/doc/rollcall/prometheus/rules.yml',
    '-rw-r--r-- root/root /usr/share/doc/rollcall/rollcall.toml',
    '-rwxr-xr-x root/root /usr/bin/rollcall',
    'drwx------ root/root /etc/rollcall/secrets/',
    'drwxr-xr-x root/root /etc/rollcall/',
  ]);
});

test('what a person changed in its settings survives an upgrade', () => {
  const control = path.join(folder, 'control');
  run('dpkg-deb', '--control', deb, control);
  assert.deepEqual(readFileSync(path.join(control, 'conffiles'), 'utf8').trim().split('\n'), [
    '/etc/rollcall/rollcall.toml',
  ]);
  for (const script of ['postinst', 'prerm', 'postrm']) run('sh', '-n', path.join(control, script));
  // Without systemd, as in a container, each of them has nothing to do, and does not fail.
  for (const [script, ...words] of [
    ['prerm', 'upgrade', '9'],
    ['postrm', 'upgrade', '9'],
    ['postrm', 'abort-install'],
  ]) {
    run(path.join(control, script), ...words);
  }
});

test('it depends on every library that the program loads', () => {
  const depends = field('Depends');
  const names = depends.split(/,\s*/).map((one) => one.split(' ')[0]);
  const program = path.join(installed, 'usr/bin/rollcall');
  const direct = [...run('objdump', '-p', program).matchAll(/NEEDED\s+(\S+)/g)].map(([, so]) => so);
  assert.ok(direct.length > 5, 'libraries were found');
  const paths = new Map(
    [...run('ldd', program).matchAll(/^\s*(\S+) => (\S+)/gm)].map(([, so, at]) => [so, at]),
  );
  for (const so of direct.filter((name) => paths.has(name))) {
    const [at] = [paths.get(so), paths.get(so).replace(/^\/lib/, '/usr/lib')].filter(
      (one) => spawnSync('dpkg', ['-S', one]).status === 0,
    );
    const owner = run('dpkg', '-S', at).split(':')[0];
    // A package of another name may stand for it: the one that says which fmt it was built with.
    const provides = run('dpkg-query', '-W', '-f', '${Package}, ${Provides}', owner)
      .split(/,\s*/)
      .map((one) => one.split(' ')[0]);
    assert.ok(provides.some((name) => names.includes(name)), `${so} of ${provides}: ${depends}`);
  }
  assert.ok(names.includes('ca-certificates'));
  assert.equal(field('Architecture'), run('dpkg', '--print-architecture').trim());
});

test('the program runs from there, with the settings that are installed', () => {
  const program = path.join(installed, 'usr/bin/rollcall');
  const version = /^rollcall (\S+) \(/.exec(run(program, '--version'))[1];
  assert.equal(field('Version'), version);
  const toml = path.join(installed, 'etc/rollcall/rollcall.toml');
  const printed = JSON.parse(run(program, '--json', '--config', toml, 'config', 'print'));
  for (const [key, { source }] of Object.entries(printed)) assert.equal(source, 'default', key);
  const complete = path.join(installed, 'usr/share/doc/rollcall/rollcall.toml');
  run(program, '--config', complete, 'config', 'print');
});

test('the unit starts the program that is installed, with the settings that are', () => {
  const unit = readFileSync(path.join(installed, 'lib/systemd/system/rollcall.service'), 'utf8');
  const value = (name) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)[1];
  for (const file of [
    value('ExecStart').split(' ')[0],
    value('Environment').split('=')[1],
    value('Documentation').slice('file://'.length),
  ]) {
    assert.ok(existsSync(path.join(installed, file)), file);
  }
  run('systemd-sysusers', '--dry-run', path.join(installed, 'usr/lib/sysusers.d/rollcall.conf'));
});
