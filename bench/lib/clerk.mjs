// Clerk for the passes: bench_clerk, over users of one shape, each with a number of its own.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as paths from './paths.mjs';
import { Service } from './process.mjs';

const event = join(paths.bench, 'data/user_created.json');
const template = join(paths.out, 'clerk_user.json');

// The user of the event, its times of creation and change replaced by a place for them.
function writeTemplate() {
  const { data } = JSON.parse(readFileSync(event, 'utf8'));
  const mark = 'CREATED_AT_MS';
  const text = JSON.stringify({ ...data, created_at: mark, updated_at: mark });
  mkdirSync(paths.out, { recursive: true });
  writeFileSync(template, text.replaceAll(`"${mark}"`, mark));
}

export async function startClerk(count, roundTripMs = 0) {
  writeTemplate();
  const service = new Service('clerk', paths.clerk, [
    ...['--users', template, '--count', String(count)],
    ...['--round-trip-ms', String(roundTripMs)],
  ]);
  let seen = '';
  service.stdout.on('data', (chunk) => {
    seen += chunk;
  });
  await service.ready(() => seen.includes('ready\n'), 120);
  service.url = `http://127.0.0.1:${/^port (\d+)$/m.exec(seen)[1]}`;
  return service;
}
