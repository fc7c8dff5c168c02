// Writes key_sets.json, form.json, attacks.json, playbook.json, claims.json and sets.json: tokens, and
// what becomes of each by the specifications (RFC 7515, 7517, 7518, 7519, 8725; Clerk's pages on
// session tokens). What is expected is written by hand beside each token; nothing here asks the code
// under test.
//
//   node tests/data/tokens/generate.mjs            # all; some signatures are new each time
//   node tests/data/tokens/generate.mjs playbook
import { writeFileSync } from 'node:fs';

import { attacks } from './attacks.mjs';
import { claimCases, setCases } from './claims.mjs';
import { form } from './form.mjs';
import { playbook } from './playbook.mjs';
import { keySets, now } from './base.mjs';

const write = (name, value) =>
  writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(value, null, 1)}\n`);

write('key_sets.json', keySets);
const files = { form, attacks, playbook, claims: claimCases, sets: setCases };
const wanted = process.argv.slice(2);
for (const [name, tokens] of Object.entries(files)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const names = tokens.map((token) => token.name);
  if (new Set(names).size !== names.length) throw new Error(`${name}: a name twice`);
  write(`${name}.json`, { now, tokens });
  console.log(`${name}.json: ${tokens.length} tokens`);
}
