// Tokens that are signed well: whose they are, for whom, when, of what kind; and sets of keys.
import { issuer, keySets, now, token } from './base.mjs';

let cases = [];
const add = (name, expect, how) => cases.push(token(name, expect, how));
const say = (name, expect, body, options) => add(name, expect, { body, options });

// Each claim with what it cannot be, or may be after all.
const odd = [['null', null], ['true', true], ['false', false], ['0', 0], ['a string', 'x'], ['a list', [1]], ['an object', {}]];
const m = 'malformed';
for (const [claim, expected] of Object.entries({
  exp: [m, m, m, 'expired', m, m, m],
  iat: [m, m, m, 'lifetime_too_long', m, m, m],
  nbf: [m, m, m, 'ok', m, m, m],
  iss: Array(7).fill('bad_issuer'),
  sub: Array(7).fill('bad_subject'),
  sid: [m, m, m, m, 'ok', m, m],
  azp: ['bad_azp', 'bad_azp', 'bad_azp', 'bad_azp', 'ok', 'bad_azp', 'bad_azp'],
  aud: [...Array(4).fill('bad_audience'), 'ok', 'bad_audience', 'bad_audience'],
  sts: [m, m, m, m, 'session_pending', m, m],
  v: [m, m, m, 'ok', m, m, m],
  jti: [m, m, m, m, 'ok', m, m],
  o: ['ok', m, m, m, m, m, m],
  act: ['ok', m, m, m, m, m, m],
  fva: ['ok', m, m, m, m, m, m],
  pla: Array(7).fill('ok'),
  custom: Array(7).fill('ok'),
})) {
  odd.forEach(([name, value], i) => say(`${claim} is ${name}`, expected[i], { [claim]: value }));
}
for (const [claim, expected] of Object.entries({
  exp: m, iat: m, nbf: 'ok', iss: 'bad_issuer', sub: 'bad_subject', sid: 'bad_type', azp: 'ok', sts: 'ok', v: 'ok', jti: 'ok',
})) {
  say(`${claim} absent`, expected, { [claim]: undefined });
}

// Time: five seconds either way, an hour at most (RFC 7519 sections 4.1.4 to 4.1.6).
for (const [name, expected, body] of [
  ['exp 4 s ago', 'ok', { exp: now - 4 }],
  ['exp 4.5 s ago, which is 5 in whole seconds', 'expired', { exp: now - 4.5 }],
  ['exp 3.5 s ago', 'ok', { exp: now - 3.5 }],
  ['exp 5 s ago', 'expired', { exp: now - 5 }],
  ['exp 6 s ago', 'expired', { exp: now - 6 }],
  ['exp now', 'ok', { exp: now }],
  ['exp as text', m, { exp: `${now + 60}` }],
  ['exp below zero', m, { exp: -1 }],
  ['exp in milliseconds', m, { exp: (now + 60) * 1000 }],
  ['exp beyond all time', m, { exp: 1e300 }],
  ['exp with a fraction', 'ok', { exp: now + 0.25 }],
  ['nbf 5 s ahead', 'ok', { nbf: now + 5 }],
  ['nbf 5.5 s ahead', 'not_yet_valid', { nbf: now + 5.5 }],
  ['nbf 9 s ahead', 'not_yet_valid', { nbf: now + 9 }],
  ['iat 5 s ahead', 'ok', { iat: now + 5 }],
  ['iat 6 s ahead', 'issued_in_future', { iat: now + 6 }],
  ['an hour to live', 'ok', { exp: now + 3600 }],
  ['an hour and a second to live', 'lifetime_too_long', { exp: now + 3601 }],
  ['ten years to live', 'lifetime_too_long', { exp: now + 315_360_000 }],
  ['issued long ago, near its end', 'lifetime_too_long', { iat: now - 3600, exp: now + 1 }],
]) {
  say(name, expected, body);
}
say('an hour to live where a minute is the most', 'lifetime_too_long', { exp: now + 3600 }, { max_lifetime: 60 });
say('two hours to live where that is allowed', 'ok', { exp: now + 7200 }, { max_lifetime: 7200 });
say('a year later', 'expired', {}, { now: now + 31_536_000 });
say('a year earlier', 'not_yet_valid', {}, { now: now - 31_536_000 });

// Whose it is.
for (const sub of ['', 'user_', 'user', 'USER_2def', 'user-2def', ' user_2def', 'user_2def ', 'user_2def\n', 'user_2_def', 'user_é', 'user_2def\0', 'mch_2abc', 'client_2abc', 'oauth_2abc', `user_${'a'.repeat(251)}`]) {
  say(`sub ${JSON.stringify(sub.slice(0, 30))} of ${sub.length}`, 'bad_subject', { sub });
}
say('sub of 255 characters', 'ok', { sub: `user_${'a'.repeat(250)}` });
for (const sid of ['', 'a b', 'é', `s${'a'.repeat(255)}`]) {
  say(`sid ${JSON.stringify(sid.slice(0, 20))} of ${sid.length}`, m, { sid });
}

// Of what kind.
const kind = (name, expected, head, body) => add(name, expected, { head, body });
kind('typ absent', 'ok', { typ: undefined });
for (const typ of ['jwt', 'at+jwt', 'application/at+jwt', 'JWS', 'dpop+jwt', 'application/jwt', '', 'JWT ']) {
  kind(`typ ${JSON.stringify(typ)}`, 'bad_type', { typ });
}
kind('cat absent', 'ok', { cat: undefined });
kind('cat of a JWT template', 'bad_type', { cat: 'cl_B7d4PD222AAA' }, { sid: undefined });
kind('cat of a JWT template, with a session', 'bad_type', { cat: 'cl_B7d4PD222AAA' });
kind('cat of a machine', 'bad_type', { cat: 'cl_B7d4PD333AAA' }, { sub: 'mch_2abc', sid: undefined });
kind('a machine without cat', 'bad_subject', { cat: undefined }, { sub: 'mch_2abc', sid: undefined });
kind('an unknown cat', 'ok', { cat: 'cl_I7d4PD111III' });
say('pending', 'session_pending', { sts: 'pending' });
say('sts empty', 'session_pending', { sts: '' });
say('sts Active', 'session_pending', { sts: 'Active' });
say('pending and expired', 'expired', { sts: 'pending', exp: now - 60 });

// For whom.
for (const iss of [`${issuer}/`, `${issuer}.evil.com`, 'http://clerk.example.com', 'https://CLERK.example.com', 'clerk.example.com', '', ` ${issuer}`]) {
  say(`iss ${JSON.stringify(iss)}`, 'bad_issuer', { iss });
}
say('iss anything, where none is asked for', 'ok', { iss: 'https://elsewhere' }, { issuer: null });
say('no issuer is known', 'bad_issuer', {}, { issuers: [] });
say('iss absent, where the issuer is empty', 'bad_issuer', { iss: undefined }, { issuer: '' });
say('one of two issuers', 'ok', {}, { issuers: ['https://a.example.com', issuer] });
const parties = { authorized_parties: ['https://app.example.com', 'https://admin.example.com'] };
say('azp one of the parties', 'ok', {}, parties);
say('azp the other', 'ok', { azp: 'https://admin.example.com' }, parties);
for (const azp of ['https://evil.com', 'https://app.example.com/', 'https://app.example.com.evil.com', 'http://app.example.com', 'https://app.example.com:443', '', 'null']) {
  say(`azp ${JSON.stringify(azp)}`, 'bad_azp', { azp }, parties);
}
say('azp absent, parties set', 'bad_azp', { azp: undefined }, parties);
say('azp a list with a party', 'bad_azp', { azp: ['https://app.example.com'] }, parties);
const audience = { audiences: ['api'] };
say('aud right', 'ok', { aud: 'api' }, audience);
say('aud a list with the right one', 'ok', { aud: ['web', 'api'] }, audience);
say('aud another', 'bad_audience', { aud: 'web' }, audience);
say('aud a list without', 'bad_audience', { aud: ['web'] }, audience);
say('aud an empty list', 'bad_audience', { aud: [] }, audience);
say('aud absent where one is asked for', 'bad_audience', {}, audience);
say('aud a list with a number', 'bad_audience', { aud: ['api', 1] }, audience);

// What it says of the organization; as Clerk's SDK unpacks it.
const org = (name, body, organization) => add(name, 'ok', { body, says: { organization } });
const o = { id: 'org_1', slg: 'acme', rol: 'admin', per: 'manage,read', fpm: '3,2' };
const fea = 'o:dashboard,o:teams';
const known = { id: 'org_1', slug: 'acme', role: 'org:admin' };
org('organization, version 2', { fea, o }, { ...known, permissions: ['org:dashboard:manage', 'org:dashboard:read', 'org:teams:read'] });
org('features of users are not counted', { fea: 'u:mail, o:dashboard,uo:teams', o: { ...o, fpm: '1,2' } }, { ...known, permissions: ['org:dashboard:manage', 'org:teams:read'] });
org('fewer masks than features', { fea, o: { ...o, fpm: '1' } }, { ...known, permissions: ['org:dashboard:manage'] });
org('bits beyond the permissions', { fea, o: { ...o, fpm: '255,0' } }, { ...known, permissions: ['org:dashboard:manage', 'org:dashboard:read'] });
org('a mask that is no number', { fea, o: { ...o, fpm: '-1,2' } }, { ...known, permissions: ['org:teams:read'] });
org('a mask of 70 bits', { fea: 'o:a', o: { ...o, per: Array.from({ length: 70 }, (_, i) => `p${i}`).join(','), fpm: `${(1n << 69n) + 1n}` } }, { ...known, permissions: ['org:a:p0', 'org:a:p69'] });
org('no permissions', { o: { id: 'org_1', rol: 'member' } }, { id: 'org_1', slug: '', role: 'org:member', permissions: [] });
org('organization, version 1', { v: undefined, org_id: 'org_1', org_slug: 'acme', org_role: 'org:admin', org_permissions: ['org:a:b'] }, { ...known, permissions: ['org:a:b'] });
org('version 1 does not read o', { v: undefined, o }, null);
org('version 2 does not read org_id', { org_id: 'org_1', org_role: 'org:admin' }, null);
say('o without an id', m, { o: { rol: 'admin' } });
say('o with a role that is no string', m, { o: { ...o, rol: 1 } });
say('org_permissions no list', m, { v: 1, org_id: 'org_1', org_permissions: 'x' });
add('impersonated', 'ok', { body: { act: { iss: 'https://dashboard.clerk.com', sid: 'sess_9', sub: 'user_9' } }, says: { actor: 'user_9' } });
say('act without sub', m, { act: { iss: 'x' } });
add('factors', 'ok', { body: { fva: [7, -1] }, says: { factor_ages_minutes: [7, -1] } });
say('fva of three', m, { fva: [1, 2, 3] });
say('fva below -1', m, { fva: [-2, 0] });

export const claimCases = cases;
cases = [];

// Sets of keys, with a token that is good.
const sets = {
  ok: ['unknown members', 'other types beside', 'no alg, no use', 'key_ops verify', 'a zero before n', '32 keys', 'weak', 'of 2047 bits', 'P-384', 'crv of another', 'off the curve', 'x short', 'pem'],
  alg_not_allowed: ['alg PS256'],
  kid_unknown: ['use enc', 'key_ops sign', 'key_ops no list', 'alg RS512', 'alg HS256', 'alg ES256 of RSA', 'no kid', 'kid a number', 'e 1', 'e even', 'n padded', 'n absent'],
  jwks_unavailable: ['33 keys', 'weak alone', 'of 2047 bits alone', 'one kid twice', 'one kid of two types', 'kid twice among unusable', 'symmetric', 'k in an RSA key', 'private', 'd of another type', 'oth alone', 'empty', 'no keys', 'keys an object', 'a key alone', 'a list', 'a key that is no object', 'keys twice', 'n twice', 'html', 'no text', 'cut off', 'pem of PKCS#1', 'pem of another curve'],
};
for (const [expected, names] of Object.entries(sets)) {
  for (const keys of names) {
    if (!(keys in keySets)) throw new Error(`no key set ${keys}`);
    add(`key set: ${keys}`, expected, { options: { keys } });
  }
}
add('key set: pem, any kid', 'ok', { head: { kid: 'ins_renamed' }, options: { keys: 'pem' } });
add('key set: pem, no kid', 'kid_unknown', { head: { kid: undefined }, options: { keys: 'pem' } });
add('key set: weak, its own key', 'kid_unknown', { head: { kid: 'ins_weak' }, with: 'weak', options: { keys: 'weak' } });
add('key set: of 2047 bits, its own key', 'kid_unknown', { head: { kid: 'ins_short' }, with: 'short', options: { keys: 'of 2047 bits' } });

export const setCases = cases;
