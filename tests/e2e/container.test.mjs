// The Containerfile, as far as it can be looked at without building it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(path.join(root, 'deploy/container/Containerfile'), 'utf8');
const file = DockerfileParser.parse(text);

test('it is well-formed', () => {
  assert.deepEqual(validate(text), []);
});

test('what it copies is there', () => {
  const ignored = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n');
  for (const copy of file.getCOPYs().filter((one) => one.getFlags().length === 0)) {
    for (const source of copy.getArguments().slice(0, -1)) {
      assert.ok(existsSync(path.join(root, source.getValue())), source.getValue());
      assert.ok(!ignored.includes(source.getValue().split('/')[0]), source.getValue());
    }
  }
  // The package is where ./dev package leaves it.
  const [copied] = file.getCOPYs().filter((one) => one.getFlags().length > 0);
  const made = copied.getArguments()[0].getValue().replace('/src/', '');
  const script = readFileSync(path.join(root, 'tools/dev/package.sh'), 'utf8');
  assert.ok(script.includes(path.dirname(made)));
});

test('what is built with is what ./dev package installs', () => {
  const verb = readFileSync(path.join(root, 'tools/dev/package.sh'), 'utf8');
  const sets = /^need (.*)$/m.exec(verb)[1];
  assert.ok(text.includes(`RUN tools/install.sh ${sets}\n`), sets);
});

test('versions are named, the user is a number, no shell starts it, no secret is in it', () => {
  for (const from of file.getFROMs()) {
    assert.match(from.getImage(), /^debian:12(-slim)?$/, 'the Debian that the package is for');
  }
  const stage = text.slice(text.lastIndexOf('\nFROM '));
  assert.match(stage, /^USER [1-9]\d*:[1-9]\d*$/m);
  assert.match(stage, /^STOPSIGNAL SIGTERM$/m);
  assert.match(stage, /^HEALTHCHECK .* CMD \["rollcall", "health"\]$/m);
  assert.match(stage, /^ENTRYPOINT \["rollcall"\]$/m);
  assert.match(stage, /^CMD \["serve"\]$/m);
  assert.doesNotMatch(text, /SECRET|TOKEN|PASSWORD/, 'an image holds no secret');
});
