// `rollcall verify policy` from outside: what it prints, how it ends, and that the file of the
// manual is a policy.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { rollcall } from './service.mjs';

let folder;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-policy-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const file = (name, text) => {
  const to = path.join(folder, name);
  writeFileSync(to, text);
  return to;
};
const verify = (...words) => rollcall(['verify', 'policy', ...words]);

const rule = (id, route, access, more = '') =>
  `[[rule]]\nid = "${id}"\npath = "${route}"\naccess = "${access}"\n${more}\n`;
const policy = (rules, fallback = 'deny') =>
  file('policy.toml', `version = 1\ndefault = "${fallback}"\n${rules.join('')}`);

test('the file of the manual is a policy', () => {
  const page = readFileSync(new URL('../../docs/gate.md', import.meta.url), 'utf8');
  const manual = file('manual.toml', /```toml\n(.*?)```/s.exec(page)[1]);
  const { code, stdout } = verify(manual);
  assert.deepEqual([code, stdout], [0, 'ok: 1 rules, default protected\n']);
  const there = verify(manual, '--explain', 'GET https://app.example.com/orders/1');
  assert.equal(there.stdout, 'orders-read protected\n');
  const anywhere = verify(manual, '--explain', 'GET /orders/1');
  assert.equal(anywhere.stdout, 'default protected\non app.example.com: orders-read protected\n');
});

test('the most specific rule decides, whatever the order', () => {
  const rules = [
    rule('rest', '/**', 'protected'),
    rule('files', '/files/**', 'public'),
    rule('css', '/files/*.css', 'admin'),
    rule('one', '/files/{id}', 'protected'),
    rule('readme', '/files/readme', 'public'),
    rule('write', '/files/readme', 'admin', 'methods = ["PUT"]'),
  ];
  for (const order of [rules, [...rules].reverse()]) {
    for (const [question, answer] of [
      ['GET /files/readme', 'readme public'],
      ['PUT /files/readme', 'write admin'],
      ['GET /files/main.css', 'css admin'],
      ['GET /files/x', 'one protected'],
      ['GET /files/a/b', 'files public'],
      ['GET /files/', 'files public'],
      ['GET /files', 'rest protected'],
      ['GET /', 'rest protected'],
    ]) {
      const { code, stdout } = verify(policy(order), '--explain', question);
      assert.deepEqual([code, stdout], [0, `${answer}\n`], question);
    }
  }
});

test('a refused file is 1 and says why first', () => {
  for (const [text, reason, words] of [
    ['version = 1\ndefault = "public"\n', 'public_default', [':2:', 'public']],
    [`version = 1\n${rule('a', '/a', 'public', 'acess = 1')}`, 'unknown_key', [':6:', 'acess']],
    [`version = 1\n${rule('a', '/a', 'open')}`, 'bad_value', [':5:', 'access', 'open']],
    [
      `version = 1\n${rule('a', '/a', 'admin')}${rule('a', '/b', 'admin')}`,
      'duplicate_id',
      ['"a"', 'line 2'],
    ],
    [
      `version = 1\n${rule('left', '/a*', 'admin')}${rule('right', '/*b', 'public')}`,
      'overlap',
      ['left', 'right', '/a'],
    ],
    ['version = ', 'syntax', [':1:']],
    ['', 'missing_key', ['version']],
  ]) {
    const { code, stdout } = verify(file('refused.toml', text));
    assert.equal(code, 1, stdout);
    assert.ok(stdout.startsWith(`${reason}: `), stdout);
    assert.equal(stdout.trimEnd().split('\n').length, 1);
    for (const word of words) assert.ok(stdout.includes(word), `${word}: ${stdout}`);
    const json = JSON.parse(verify(file('refused.toml', text), '--json').stdout);
    assert.deepEqual([json.accepted, json.reason], [false, reason]);
  }
  assert.equal(verify(path.join(folder, 'none.toml')).code, 2);
});

test('a target that cannot be judged is refused whatever the rules say', () => {
  const all = policy([rule('all', '/**', 'public')]);
  for (const [target, fault] of [
    ['/a/../b', 'dot_segment'],
    ['/a%2fb', 'encoded_delimiter'],
    ['//a', 'empty_segment'],
    ['/%ff', 'not_utf8'],
    ['/a;b', 'parameters'],
  ]) {
    const { code, stdout } = verify(all, '--explain', `GET ${target}`);
    assert.equal(code, 1);
    assert.ok(stdout.startsWith(`bad_target: ${fault}: `), stdout);
  }
  assert.equal(verify(all, '--explain', 'GET').code, 2);
});

test('cases hold, or the first that does not is named', () => {
  const some = policy([rule('open', '/open', 'public'), rule('shut', '/shut', 'protected')]);
  const holds = file(
    'holds.txt',
    '# METHOD PATH ACCESS [RULE]\n\nGET /open public open\nGET /open/ deny default\n' +
      'GET /shut/ protected # both spellings\nGET /open/../shut deny bad_target\n',
  );
  assert.deepEqual(verify(some, '--cases', holds).stdout, 'ok: 4 cases hold\n');
  for (const [line, said] of [
    ['GET /shut public', /^differs: .*fails.txt:2: GET \/shut is protected by shut, not public/],
    ['GET /open public shut', /^differs: .*:2: GET \/open is public by open, not public by shut/],
  ]) {
    const fails = file('fails.txt', `GET /open public\n${line}\n`);
    const { code, stdout } = verify(some, '--cases', fails);
    assert.equal(code, 1);
    assert.match(stdout, said);
  }
  const odd = verify(some, '--cases', file('odd.txt', 'GET /open\n'));
  assert.equal(odd.code, 2);
  assert.match(odd.stderr, /odd.txt:1: /);
  assert.equal(verify(some, '--cases', '').code, 2, 'an empty variable is no file without cases');
});

test('the rules as Markdown and as OpenAPI', () => {
  const some = policy([rule('one', '/a/{id}', 'protected', 'methods = ["GET"]\nsummary = "A|B"')]);
  const table = verify(some, '--docs').stdout.trimEnd().split('\n');
  assert.equal(table.length, 4);
  assert.equal(table[2], '| one | GET | any | `/a/{id}` | protected |  |  | A\\|B |');
  const { rules } = JSON.parse(verify(some, '--docs', '--json').stdout);
  assert.equal(rules[0].id, 'one');
  const { paths } = JSON.parse(verify(some, '--openapi').stdout);
  assert.deepEqual(paths['/a/{id}'].get.security, [{ clerkSession: [] }]);
});
