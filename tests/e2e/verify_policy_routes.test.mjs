// `rollcall verify policy --routes`: a policy against the route files of a Next.js application, and
// the comments that it adds to them.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';

import { rollcall } from './service.mjs';

const made = [];
let root, app;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'rollcall-routes-'));
  made.push(root);
  app = path.join(root, 'src', 'app');
  mkdirSync(app, { recursive: true });
});
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const put = (name, bytes) => {
  const to = path.join(app, name);
  mkdirSync(path.dirname(to), { recursive: true });
  writeFileSync(to, bytes);
  return to;
};
const rule = (id, route, access, more = '') =>
  `[[rule]]\nid = "${id}"\npath = "${route}"\naccess = "${access}"\n${more}\n`;
const verify = (rules, ...words) => {
  const policy = path.join(root, 'policy.toml');
  writeFileSync(policy, `version = 1\ndefault = "deny"\n${rules.join('')}`);
  return rollcall(['verify', 'policy', policy, '--routes', app, ...words]);
};

const PROTECTED = '// Protected endpoint: Requires valid JWT';
const USER = '// Database client: user (row level security applies)';

test('endpoints without a rule, and rules without an endpoint', () => {
  put('api/orders/[id]/route.ts', `${PROTECTED}\nexport async function GET() {}\n`);
  put('api/open/route.js', 'export const POST = 1\n');
  put('_lib/util.ts', 'export const GET = 1\n');
  const { code, stdout } = verify([
    rule('one', '/api/orders/{id}', 'protected'),
    rule('gone', '/api/gone', 'admin'),
  ]);
  assert.equal(code, 1);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'endpoint_without_rule: api/open/route.js: POST /api/open has no rule; the default is deny',
    'rule_without_endpoint: gone: line 8, /api/gone: nothing of the application is there',
  ]);
  const right = verify([
    rule('one', '/api/orders/{id}', 'protected'),
    rule('open', '/api/open', 'protected'),
  ]);
  assert.match(right.stdout, /^missing_comment: api\/open\/route.js: should begin .*Protected/);
});

test('--write adds the comments and nothing else', () => {
  const bodies = {
    'api/a/route.ts': "'use server'\nexport const GET = 1\n",
    'api/b/route.ts': "\uFEFFexport const GET = 1\r\nconst s = 'x'\r\n",
    'api/c/route.ts': 'export const GET = 1',
    'api/d/route.ts': `${PROTECTED}\n${USER}\nexport const GET = 1\n`,
  };
  const files = Object.entries(bodies).map(([name, body]) => put(name, body));
  chmodSync(files[0], 0o640);
  const rules = [rule('all', '/api/**', 'protected', 'client = "user"')];
  const before = statSync(files[3]).mtimeMs;
  const { code, stdout } = verify(rules, '--write');
  assert.deepEqual([code, stdout.split('\n')[0]], [0, 'written: comments at the top of 3 files']);
  const texts = files.map((name) => readFileSync(name, 'utf8'));
  assert.equal(texts[0], `${PROTECTED}\n${USER}\n${bodies['api/a/route.ts']}`);
  assert.equal(texts[1], `\uFEFF${PROTECTED}\r\n${USER}\r\n${bodies['api/b/route.ts'].slice(1)}`);
  assert.equal(texts[2], `${PROTECTED}\n${USER}\n${bodies['api/c/route.ts']}`);
  assert.equal(texts[3], bodies['api/d/route.ts']);
  assert.equal(statSync(files[0]).mode & 0o777, 0o640);
  assert.equal(statSync(files[3]).mtimeMs, before);
  assert.deepEqual(readdirSync(path.dirname(files[0])), ['route.ts'], 'nothing is left behind');
  const again = verify(rules, '--write');
  assert.deepEqual([again.code, again.stdout], [0, 'ok: 4 endpoints, each with its rule\n']);
  assert.equal(readFileSync(files[0], 'utf8'), texts[0]);
});

test('what says something else is left to a person', () => {
  const body = '// Public endpoint: No authentication required\nexport const GET = 1\n';
  const file = put('api/a/route.ts', body);
  const { code, stdout } = verify([rule('all', '/api/**', 'protected')], '--write');
  assert.equal(code, 1);
  assert.match(stdout, /^other_comment: api\/a\/route.ts: the comment "Public endpoint/);
  assert.equal(readFileSync(file, 'utf8'), body);
});

test('no link is followed, and each is named', () => {
  const outside = path.join(root, 'outside');
  mkdirSync(path.join(outside, 'api'), { recursive: true });
  const target = path.join(outside, 'api', 'route.ts');
  writeFileSync(target, 'export const GET = 1\n');
  put('api/a/route.ts', `${PROTECTED}\nexport const GET = 1\n`);
  mkdirSync(path.join(app, 'api', 'b'));
  symlinkSync(target, path.join(app, 'api', 'b', 'route.ts'));
  symlinkSync(outside, path.join(app, 'out'));
  symlinkSync(app, path.join(app, 'round'));
  const { code, stdout } = verify([rule('all', '/**', 'protected')], '--write');
  assert.equal(code, 1);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'not_read: api/b/route.ts: is a symbolic link',
    'not_read: out: is a symbolic link',
    'not_read: round: is a symbolic link',
  ]);
  assert.equal(readFileSync(target, 'utf8'), 'export const GET = 1\n');
  assert.ok(!existsSync(path.join(outside, 'api', '.route.ts.new')));
});

test('usage', () => {
  for (const words of [['--routes', path.join(root, 'none')], ['--routes', ''], ['--write']]) {
    const { code } = rollcall(['verify', 'policy', '-', ...words], {}, 'version = 1\n');
    assert.equal(code, 2, words);
  }
  const report = JSON.parse(verify([rule('gone', '/x', 'admin')], '--json').stdout);
  assert.deepEqual(report.findings.map(({ fault }) => fault), ['rule_without_endpoint']);
  assert.equal(report.accepted, false);
});
