// What a gate stands between: a publisher of keys, tokens signed by Node's own crypto, and a proxy
// that asks.
import http from 'node:http';
import { once } from 'node:events';

import { compact, published, sign } from '../data/tokens/signer.mjs';

export const issuer = 'https://clerk.example.com';
export const party = 'https://app.example.com';
const FORM = 'application/x-www-form-urlencoded';
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const JWT = 'urn:ietf:params:oauth:token-type:jwt';
export const keySet = (...keys) => JSON.stringify({ keys });
export const mainKey = published('main', 'ins_main', { alg: 'RS256' });
export const otherKey = published('other', 'ins_other', { alg: 'RS256' });

// Publishes `body` and counts who asks.
export class Publisher {
  static async start(body = keySet(mainKey)) {
    const publisher = new Publisher();
    publisher.body = body;
    publisher.status = 200;
    publisher.asked = 0;
    publisher.server = http.createServer((request, response) => {
      publisher.asked += 1;
      response.writeHead(publisher.status, { 'content-type': 'application/json' });
      response.end(publisher.body);
    });
    publisher.server.listen(0, '127.0.0.1');
    await once(publisher.server, 'listening');
    publisher.url = `http://127.0.0.1:${publisher.server.address().port}/jwks.json`;
    return publisher;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

// An application behind the gate's reverse proxy: `seen` is what came to it.
export class Application {
  static async start() {
    const application = new Application();
    application.seen = [];
    application.server = http.createServer((request, response) => {
      application.seen.push(request);
      response.end('{}');
    });
    application.server.listen(0, '127.0.0.1');
    await once(application.server, 'listening');
    application.url = `http://127.0.0.1:${application.server.address().port}`;
    return application;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

// What a client asks of the reverse proxy that listens at `port`.
export async function through(port, target, token) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`http://127.0.0.1:${port}${target}`, { headers });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}

// A session token for one of rollcall's own; `more` goes over the form.
export function exchange(at, token, more = {}, { type = FORM } = {}) {
  const form = { grant_type: GRANT, subject_token: token, subject_token_type: JWT, ...more };
  const given = Object.entries(form).filter(([, value]) => value !== undefined);
  return at.request('POST', '/oauth/token', {
    headers: { 'Content-Type': type },
    body: new URLSearchParams(given).toString(),
  });
}

// An answer in few words, of whichever mode.
export const said = (answer) =>
  `${answer.status} ${answer.status === 200 ? 'ok' : answer.json.code}`;

const seconds = () => Math.floor(Date.now() / 1000);

export function claimsOf(user, more = {}) {
  const now = seconds();
  return {
    azp: party,
    exp: now + 60,
    iat: now,
    iss: issuer,
    jti: Math.random().toString(36).slice(2),
    nbf: now - 10,
    sid: `sess_${user.slice(5)}`,
    sts: 'active',
    sub: user,
    v: 2,
    ...more,
  };
}

// A session token of `user`, signed by the key of that name.
export function tokenOf(user, more = {}, { key = 'main', head = {} } = {}) {
  const header = { alg: 'RS256', cat: 'cl_B7d4PD111AAA', kid: `ins_${key}`, typ: 'JWT', ...head };
  return compact(header, claimsOf(user, more), (input) => sign('RS256', key, input));
}

// What a proxy asks of the gate; `headers` go over its own.
export function decide(
  service,
  path,
  { token, method = 'GET', headers = {}, by = 'GET', host = 'app.example.com' } = {},
) {
  return service.request(by, '/gate/decide', {
    headers: {
      'X-Forwarded-Uri': path,
      'X-Forwarded-Method': method,
      'X-Forwarded-Host': host,
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
  });
}
