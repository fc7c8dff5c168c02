// A gate to measure: a service with users, tokens of theirs that live for the whole run, and nginx
// in front of an application, with the gate and without.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Publisher, issuer, keySet, mainKey, party, tokenOf } from '../../tests/e2e/gate_stand.mjs';
import { pem } from '../../tests/data/tokens/signer.mjs';
import { freePorts } from './cluster.mjs';
import { clerkId, send } from './load.mjs';
import * as paths from './paths.mjs';
import { Service } from './process.mjs';
import { freshDatabase, rowsVisible, startRollcall } from './rollcall.mjs';

const database = 'rollcall_gate';
const folder = join(paths.out, 'gate');
const policy = 'version = 1\ndefault = "protected"\n';
const host = 'app.example.com';

const write = (name, text) => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

// Requests for `path`, one for each token, as a proxy asks the gate.
function headsOf(path, tokens) {
  const fields = (token) => [
    ...[`GET ${path} HTTP/1.1`, `Host: ${host}`, 'X-Original-URI: /orders/1?page=2'],
    ...['X-Original-Method: GET', `X-Forwarded-Host: ${host}`, `Authorization: Bearer ${token}`],
  ];
  return tokens.map((token) => `${fields(token).join('\r\n')}\r\n\r\n`).join('');
}

export class Gate {
  static async start({ cluster }, users) {
    mkdirSync(folder, { recursive: true });
    const gate = new Gate();
    await freshDatabase(cluster, database);
    gate.publisher = await Publisher.start();
    gate.service = await startRollcall(cluster, database, {
      name: 'rollcall-gate',
      more: {
        ROLLCALL_GATE_POLICY: write('policy.toml', policy),
        ROLLCALL_GATE_TRUSTED_PROXIES: '127.0.0.1',
        ROLLCALL_GATE_JWKS_URL: gate.publisher.url,
        ROLLCALL_GATE_ISSUER: issuer,
        CLERK_AUTHORIZED_PARTIES: party,
      },
    });
    const { port } = gate.service;
    const { first } = await send({ ports: [port], connections: 4, seconds: 30, count: users });
    await rowsVisible(cluster, database, clerkId(first), clerkId(first + users - 1), users);
    const exp = Math.floor(Date.now() / 1000) + 3000;
    const tokens = Array.from({ length: users }, (_, n) => tokenOf(clerkId(first + n), { exp }));
    gate.tokens = write('tokens', `${tokens.join('\n')}\n`);
    gate.keys = write('keys.json', keySet(mainKey));
    gate.pem = write('key.pem', pem('main'));
    gate.decide = write('decide', headsOf('/gate/decide', tokens));
    gate.empty = write('empty', headsOf('/livez', tokens));
    const asked = (token) =>
      `GET /orders/1?page=2 HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    gate.request = write('request', tokens.map(asked).join(''));
    return gate;
  }

  // nginx with the configuration of examples/, but for addresses; without the gate nobody is asked.
  async proxy({ gated }) {
    const [port, application] = await freePorts(2);
    let text = readFileSync(join(paths.root, 'examples/nginx/rollcall.conf'), 'utf8')
      .replace('127.0.0.1:8080', `127.0.0.1:${this.service.port}`)
      .replace('127.0.0.1:3000', `127.0.0.1:${application}`)
      .replace('listen 127.0.0.1:8000', `listen 127.0.0.1:${port}`);
    if (!gated) {
      text = text.replace(/^ *auth_request.*\n/gm, '').replace(/\$rollcall_\w+/g, '""');
    }
    const name = gated ? 'nginx-gate' : 'nginx-bare';
    const rules = write(`${name}.rules`, text);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((what) => `${what}_temp_path ${folder}/${name}.${what};`)
      .join(' ');
    const main = write(
      `${name}.conf`,
      `${process.getuid() === 0 ? 'user root;\n' : ''}daemon off; worker_processes 1;
pid ${folder}/${name}.pid; error_log stderr; events {}
http { access_log off; keepalive_requests 1000000; ${temporary} include ${rules};
server { listen 127.0.0.1:${application}; location / { return 200 "ok"; } } }
`,
    );
    const words = ['-c', main, '-e', 'stderr', '-p', folder];
    const service = new Service(name, 'nginx', words, { PATH: `${process.env.PATH}:/usr/sbin` });
    await service.ready(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
      return answer !== undefined;
    });
    service.port = port;
    return service;
  }

  async stop() {
    await this.service.stop();
    await this.publisher.stop();
  }
}
