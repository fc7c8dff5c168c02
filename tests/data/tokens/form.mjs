// Tokens that are not in form (RFC 7515 sections 2, 4.1, 5.2, 7.1; RFC 8259), and those that just are.
import { claims, header, token } from './base.mjs';
import { b64, compact, sign } from './signer.mjs';

const rs256 = (input) => sign('RS256', 'main', input);
const good = compact(header, claims, rs256);
const [head, body, signature] = good.split('.');
const text = JSON.stringify;
const cases = [];
const add = (name, expect, how) => cases.push(token(name, expect, how));
const as = (name, expect, written) => add(name, expect, { token: written });

as('good', 'ok', good);

// Three parts, and nothing else.
as('nothing', 'missing_token', '');
as('one part', 'malformed', head);
as('two parts', 'malformed', `${head}.${body}`);
as('four parts', 'malformed', `${good}.`);
as('five parts, as a JWE has', 'malformed', `${head}.AA.AA.AA.AA`);
as('two dots', 'malformed', '..');
as('no header', 'malformed', `.${body}.${signature}`);
as('no payload', 'bad_signature', `${head}..${signature}`);
as('no signature', 'bad_signature', `${head}.${body}.`);
as('a space before', 'malformed', ` ${good}`);
as('a space behind', 'malformed', `${good} `);
as('a line end inside', 'malformed', `${head}.\n${body}.${signature}`);
as('a zero byte behind', 'malformed', `${good}\0`);
as('Bearer before', 'malformed', `Bearer ${good}`);
as('in quotes', 'malformed', `"${good}"`);
as('a comma and another', 'malformed', `${good},${good}`);

// One base64url for one string of bytes.
for (const [name, at] of [['header', 0], ['payload', 1], ['signature', 2]]) {
  const parts = [head, body, signature];
  const changed = (part) => parts.map((old, i) => (i === at ? part(old) : old)).join('.');
  as(`${name} with padding`, 'malformed', changed((part) => `${part}=`));
  as(`${name} with a character of plain base64`, 'malformed', changed((part) => `+${part.slice(1)}`));
  as(`${name} percent-encoded`, 'malformed', changed((part) => `%65${part.slice(1)}`));
  as(`${name} with one character too many`, 'malformed', changed((part) => part.padEnd(Math.ceil(part.length / 4) * 4 + 1, 'A')));
}
// 256 bytes leave four bits of the last character unused: fifteen other texts decode alike, loosely.
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const last = alphabet.indexOf(signature.at(-1));
as('signature with unused bits set', 'malformed', `${head}.${body}.${signature.slice(0, -1)}${alphabet[last + 1]}`);

// Size.
const sized = (size) => {
  const wide = (pad) => compact(header, { ...claims, pad }, rs256);
  let pad = 'a'.repeat(Math.floor(((size - wide('').length) * 3) / 4));
  while (wide(pad).length < size) pad += 'a';
  return wide(pad);
};
const largest = sized(8192);
as(`of ${largest.length} bytes`, largest.length === 8192 ? 'ok' : 'too_large', largest);
as('larger than 8 KiB', 'too_large', sized(8195));
as('of a megabyte of dots', 'too_large', '.'.repeat(9000));

// The header is one JSON object of one meaning.
const headed = (name, expect, raw) => add(name, expect, { raw_head: raw });
headed('header: no JSON', 'malformed', 'alg=RS256');
headed('header: null', 'malformed', 'null');
headed('header: a list', 'malformed', text([header]));
headed('header: a string', 'malformed', text('RS256'));
headed('header: a number', 'malformed', '0');
headed('header: cut off', 'malformed', text(header).slice(0, -1));
headed('header: more behind', 'malformed', `${text(header)}{}`);
headed('header: a comment', 'malformed', `/**/${text(header)}`);
headed('header: a byte order mark', 'malformed', `\ufeff${text(header)}`);
headed('header: white space is nothing', 'ok', ` \n${JSON.stringify(header, null, 2)}\t`);
headed('header: alg twice', 'malformed', text(header).replace('{', '{"alg":"none",'));
headed('header: alg twice, the same', 'malformed', text(header).replace('{', '{"alg":"RS256",'));
headed('header: alg twice, once escaped', 'malformed', text(header).replace('{', '{"\\u0061lg":"none",'));
headed('header: kid twice', 'malformed', text(header).replace('{', '{"kid":"ins_other",'));
headed('header: an unknown name twice', 'malformed', text(header).replace('{', '{"x":1,"x":1,'));
headed('header: a name twice, further inside', 'malformed', text(header).replace('{', '{"x":{"y":1,"y":2},'));
headed('header: alg escaped is alg', 'ok', text(header).replace('alg', '\\u0061lg'));
headed('header: 33 levels', 'malformed', text(header).replace('{', `{"x":${'['.repeat(32)}${']'.repeat(32)},`));
headed('header: 32 levels', 'ok', text(header).replace('{', `{"x":${'['.repeat(31)}${']'.repeat(31)},`));
headed('header: half of a pair', 'malformed', text(header).replace('{', '{"x":"\\ud800",'));
headed('header: not UTF-8', 'malformed', Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc3, 0x28]), Buffer.from(`",${text(header).slice(1)}`)]));
headed('header: alg in capitals is no alg', 'malformed', text(header).replace('"alg"', '"ALG"'));

// What would change the meaning of the rest (RFC 7515 section 4.1.11, RFC 7516, RFC 7797).
for (const [name, extra] of [
  ['crit of an unknown extension', { crit: ['x'], x: 1 }],
  ['crit of b64', { crit: ['b64'], b64: true }],
  ['crit empty', { crit: [] }],
  ['crit no list', { crit: 'exp' }],
  ['crit null', { crit: null }],
  ['crit of a registered name', { crit: ['alg'] }],
  ['b64 false', { b64: false }],
  ['zip', { zip: 'DEF' }],
  ['cty', { cty: 'JWT' }],
  ['enc', { enc: 'A128GCM' }],
]) {
  add(`header: ${name}`, 'malformed', { head: extra });
}
add('header: oiat and others are left alone', 'ok', { head: { oiat: 1, nonce: 'n', x: { y: [] } } });

// Each of its members with what it cannot be.
for (const [name, value] of [['null', null], ['true', true], ['false', false], ['0', 0], ['a list', ['RS256']], ['an object', {}]]) {
  add(`header: alg is ${name}`, 'malformed', { head: { alg: value }, signed_as: 'RS256' });
  add(`header: kid is ${name}`, 'malformed', { head: { kid: value } });
  add(`header: typ is ${name}`, 'malformed', { head: { typ: value } });
}
add('header: cat is a number', 'malformed', { head: { cat: 1 } });
add('header: alg absent', 'malformed', { head: { alg: undefined }, signed_as: 'RS256' });

// The payload is one JSON object of one meaning, once its signature is good.
const said = (name, expect, raw) => add(name, expect, { raw_body: raw });
said('payload: empty', 'malformed', '');
said('payload: no JSON', 'malformed', 'hello');
said('payload: a list', 'malformed', text([claims]));
said('payload: null', 'malformed', 'null');
said('payload: more behind', 'malformed', `${text(claims)} x`);
said('payload: sub twice', 'malformed', text(claims).replace('{', '{"sub":"user_other",'));
said('payload: sub twice, once escaped', 'malformed', text(claims).replace('{', '{"su\\u0062":"user_other",'));
said('payload: a name twice, further inside', 'malformed', text(claims).replace('{', '{"m":[{"a":1,"a":1}],'));
said('payload: 33 levels', 'malformed', text(claims).replace('{', `{"x":${'['.repeat(32)}${']'.repeat(32)},`));
said('payload: half of a pair', 'malformed', text(claims).replace('{', '{"name":"\\udead",'));
said('payload: a number beyond double', 'malformed', text(claims).replace('{', '{"x":1e999,'));
said('payload: not UTF-8', 'malformed', Buffer.concat([Buffer.from('{"n":"'), Buffer.from([0xff]), Buffer.from(`",${text(claims).slice(1)}`)]));
said('payload: a byte order mark', 'malformed', `\ufeff${text(claims)}`);
said('payload: characters of all planes', 'ok', text({ ...claims, name: 'Zoë 😀 \u0000' }));
as('payload: no JSON and another signature', 'bad_signature', `${head}.${b64('hello')}.${signature}`);

export const form = cases;
