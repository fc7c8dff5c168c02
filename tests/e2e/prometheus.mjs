// A Prometheus of its own, which scrapes one service with the rules of deploy/prometheus.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort } from './service.mjs';
import { until } from './simulator.mjs';

const rules = fileURLToPath(new URL('../../deploy/prometheus/rules.yml', import.meta.url));

export class Prometheus {
  static async start(service) {
    const server = new Prometheus();
    server.folder = mkdtempSync(path.join(os.tmpdir(), 'rollcall-prometheus-'));
    server.url = `http://127.0.0.1:${await freePort()}`;
    const config = path.join(server.folder, 'prometheus.yml');
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        rule_files: [rules],
        scrape_configs: [
          {
            job_name: 'rollcall',
            static_configs: [{ targets: [`127.0.0.1:${service.adminPort}`] }],
          },
        ],
      }),
    );
    server.child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${path.join(server.folder, 'data')}`,
        `--web.listen-address=${server.url.slice('http://'.length)}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    server.closed = once(server.child, 'close');
    await until(
      () =>
        fetch(`${server.url}/-/ready`).then(
          (answer) => answer.ok,
          () => false,
        ),
      'Prometheus to be ready',
      60_000,
    );
    return server;
  }

  async get(route) {
    const answer = await (await fetch(`${this.url}/api/v1/${route}`)).json();
    if (answer.status !== 'success') throw new Error(`${route}: ${answer.error}`);
    return answer.data;
  }

  // The samples that an expression gives now.
  async query(expression) {
    return (await this.get(`query?query=${encodeURIComponent(expression)}`)).result;
  }

  // The same, once there are any: a scrape that was too late leaves a gap behind.
  async answer(expression) {
    return until(
      async () => {
        const samples = await this.query(expression);
        return samples.length > 0 && samples;
      },
      `something to come of: ${expression}`,
    );
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.closed;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
