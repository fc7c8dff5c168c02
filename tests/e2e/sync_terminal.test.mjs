// What a person at a terminal sees of a pass: a bar that moves and makes way, and what Ctrl-C does.
// The terminal is script(1)'s.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { binary, until } from './simulator.mjs';

const one_worker = { ROLLCALL_SYNC_WORKERS: '1' };
const bar = /\r\[#*-*\] +\d+% {2}\d+ of 2000 users {2}\d+\/s(?: {2}\d+s left)?\x1b\[K/g;
const cleared = '\r\x1b[K';

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres?.remove());

async function slowly(work, before_ = () => {}) {
  const polled = await Polled.start(postgres, 2000);
  try {
    await before_(polled);
    await polled.sim.faults({ api_slow: true, slow_seconds: 0.6 });
    await work(polled);
  } finally {
    await polled.stop();
  }
}

// `rollcall ARGS` on a terminal of its own. Standard output and error are one there.
function atTerminal(polled, args) {
  const command = `exec '${binary()}' ${args.join(' ')}`;
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env.PATH, SHELL: '/bin/sh', ...polled.env, ...one_worker },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const screen = { text: '' };
  child.stdout.on('data', (chunk) => (screen.text += chunk));
  screen.press = (key) => child.stdin.write(key);
  screen.code = once(child, 'close').then(([code]) => code);
  return screen;
}

const halfWay = (screen) =>
  until(() => (/ (?!0)\d+ of 2000 users/.test(screen.text) ? true : null), 'a bar that has moved');

test('a bar moves while the pass runs, and is gone at its end', () =>
  slowly(async (polled) => {
    const screen = atTerminal(polled, ['sync', '--full']);
    assert.equal(await screen.code, 0, screen.text);
    const bars = screen.text.match(bar) ?? [];
    assert.ok(bars.length >= 3, JSON.stringify(screen.text));
    assert.equal(new Set(bars).size, bars.length, 'each says something new');
    assert.match(bars.at(-1), /[1-9]\d*\/s/);
    const summary = screen.text.lastIndexOf(`${cleared}completed (full)\r\n`);
    assert.ok(summary > screen.text.lastIndexOf('of 2000 users  '), JSON.stringify(screen.text));
  }));

test('differences have lines of their own', () =>
  slowly(
    async (polled) => {
      const screen = atTerminal(polled, ['sync', '--dry-run']);
      assert.equal(await screen.code, 1, screen.text);
      assert.match(
        screen.text,
        /\r\x1b\[Kuser_\w+ {2}different\r\n {2}name {2}"By Hand" -> ".+"\r\n/,
      );
      assert.match(screen.text, /\r\x1b\[Kdifferent: 0 missing, 1 different, 0 extra/);
    },
    (polled) => {
      polled.full();
      return polled.query(`UPDATE users SET name = 'By Hand'
                           WHERE clerk_id IN (SELECT min(clerk_id) FROM users)`);
    },
  ));

test('Ctrl-C ends it where the next one goes on from', () =>
  slowly(async (polled) => {
    const screen = atTerminal(polled, ['sync', '--full']);
    await halfWay(screen);
    screen.press('\x03');
    assert.equal(await screen.code, 1, screen.text);
    // A page that has come is worked off, and may still move the bar.
    assert.match(screen.text, /\r\x1b\[Krollcall: stopping; the next complete pass goes on from/);
    assert.match(screen.text, /(\n|\r\x1b\[K)incomplete \(full\): interrupted; the next run goes/);
    await polled.sim.faults({ api_slow: 0 });
    const next = polled.full();
    assert.ok(next.seen === 2000 && next.created < 2000, JSON.stringify(next));
    await polled.equal();
  }));

test('Ctrl-C in a comparison writes nothing, and holds up nobody', () =>
  slowly(
    async (polled) => {
      const screen = atTerminal(polled, ['sync', '--dry-run']);
      await halfWay(screen);
      screen.press('\x03');
      assert.equal(await screen.code, 1, screen.text);
      assert.match(screen.text, /\r\x1b\[Krollcall: stopping\. Once more: stops at once\r\n/);
      assert.match(screen.text, /(\n|\r\x1b\[K)incomplete \(full\): interrupted\r\n/);
      assert.equal((await polled.query('SELECT 1 FROM rollcall.sync_runs')).length, 1);
      await polled.sim.faults({ api_slow: 0 });
      assert.equal(polled.full().unchanged, 2000);
    },
    (polled) => polled.full(),
  ));
