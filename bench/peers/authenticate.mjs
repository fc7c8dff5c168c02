// How often Clerk's own library judges a request: authenticateRequest with a pinned key, so that it
// asks nobody, eight at a time. Prints one JSON object.
import { readFileSync } from 'node:fs';
import { createClerkClient } from '@clerk/backend';
import { env } from './processes.mjs';

const tokens = readFileSync(env('TOKENS'), 'utf8').trim().split('\n');
const seconds = Number(env('SECONDS'));
const clerk = createClerkClient({
  secretKey: 'sk_test_of_the_benchmark',
  publishableKey: `pk_test_${Buffer.from('clerk.example.com$').toString('base64')}`,
  jwtKey: readFileSync(env('PEM'), 'utf8'),
  telemetry: { disabled: true },
});
const options = { authorizedParties: [env('PARTY')] };
const requests = tokens.map(
  (token) =>
    new Request('https://app.example.com/orders/1', {
      headers: { authorization: `Bearer ${token}` },
    }),
);

let judged = 0;
async function judgeUntil(end, first) {
  for (let at = first; performance.now() < end; at += 1) {
    const state = await clerk.authenticateRequest(requests[at % requests.length], options);
    if (!state.isAuthenticated) throw new Error(`${state.reason}: ${state.message}`);
    judged += 1;
  }
}

async function run(milliseconds) {
  const end = performance.now() + milliseconds;
  await Promise.all(Array.from({ length: 8 }, (_, n) => judgeUntil(end, n)));
}

await run(500);
judged = 0;
const before = process.cpuUsage();
const started = performance.now();
await run(seconds * 1000);
const elapsed = (performance.now() - started) / 1000;
const used = process.cpuUsage(before);
const cpu = (used.user + used.system) / 1e6;
process.stdout.write(
  `${JSON.stringify({ judged, per_second: judged / elapsed, per_cpu_second: judged / cpu })}\n`,
);
