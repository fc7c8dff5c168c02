// The load generator. Every request of a whole run has a user and a delivery id of its own.
import { join } from 'node:path';
import * as paths from './paths.mjs';
import { runToEnd, startPiped } from './process.mjs';

export const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
export const stripeSecret = 'whsec_of_the_benchmark';
export const userPrefix = 'user_2g7np7Hrk0SN6kj5';
const userCreated = join(paths.bench, 'data/user_created.json');
const customerCreated = join(paths.bench, 'data/customer_created.json');

// Every address of 127.0.0.0/8 is this machine's.
const flooder = '127.0.0.2';
const senders = ['127.0.0.3', '127.0.0.4', '127.0.0.5', flooder];

// A stalled disk may cost a service some 503; more of them, and the run measures something else.
const leastAccepted = 0.99;

let nextUser = 1;

export function takeUsers(count) {
  const first = nextUser;
  nextUser += count;
  return first;
}

export function clerkId(user) {
  return userPrefix + String(user).padStart(10, '0');
}

// Requests are made beforehand (about 3.7 kB each), `count` of them: as many as could be used up.
export async function send({ ports, connections = 64, seconds, count, rate = 0, stripe = false }) {
  const first = takeUsers(count);
  const answer = await runToEnd(
    paths.load,
    [
      'send',
      ...['--events', stripe ? customerCreated : userCreated],
      ...['--scheme', stripe ? 'stripe' : 'svix'],
      ...['--secret', stripe ? stripeSecret : secret],
      ...['--port', ports.join(',')],
      ...['--first', first, '--count', count, '--connections', connections],
      ...['--duration', seconds, '--rate', rate],
    ].map(String),
  );
  const outcome = { first, ...JSON.parse(answer) };
  if (outcome.accepted < outcome.sent * leastAccepted || outcome.accepted === 0) {
    throw new Error(`of ${outcome.sent} requests ${outcome.accepted} were accepted: ${answer}`);
  }
  return outcome;
}

// Deliveries from several addresses, the flooder's own among them, at a steady rate.
export function trickle({ port, seconds, rate }) {
  return generate({
    port,
    seconds,
    rate,
    scheme: 'svix',
    sources: senders,
    connections: 32,
  });
}

// What one address sends that does not verify. Beyond the limit each answer is a 429.
export function flood({ port, seconds, rate }) {
  return generate({ port, seconds, rate, scheme: 'forged', sources: [flooder], connections: 64 });
}

async function generate({ port, seconds, rate, scheme, sources, connections }) {
  const count = Math.ceil(seconds * rate);
  return JSON.parse(
    await runToEnd(
      paths.load,
      [
        'send',
        ...['--events', userCreated, '--scheme', scheme, '--secret', secret, '--port', port],
        ...['--first', takeUsers(count), '--count', count, '--connections', connections],
        ...['--duration', seconds * 2, '--rate', rate, '--source', sources.join(',')],
      ].map(String),
    ),
  );
}

// The requests of a file, which have no body, as fast as the answers come or at a steady rate.
export async function get({ port, heads, seconds, connections = 64, rate = 0 }) {
  const answer = await runToEnd(
    paths.load,
    [
      ...['get', '--port', port, '--heads', heads, '--count', 100_000_000],
      ...['--connections', connections, '--duration', seconds, '--rate', rate],
    ].map(String),
  );
  const outcome = JSON.parse(answer);
  if (outcome.accepted < outcome.sent) throw new Error(`not all were accepted: ${answer}`);
  return outcome;
}

// One event at a time, `pauseMs` between them.
export async function visible({ port, database, count, pauseMs = 20 }) {
  const first = takeUsers(count);
  const answer = await runToEnd(
    paths.load,
    [
      'visible',
      ...['--events', userCreated, '--secret', secret, '--port', port, '--database', database],
      ...['--user-prefix', userPrefix, '--first', first, '--count', count],
      ...['--pause-ms', pauseMs],
    ].map(String),
  );
  return JSON.parse(answer);
}

// The bodies of `count` events, one a line, as a stream.
export function events(count) {
  const first = takeUsers(count);
  return startPiped(paths.load, [
    'events',
    '--events',
    userCreated,
    '--first',
    String(first),
    '--count',
    String(count),
  ]).stdout;
}

export async function oneEvent() {
  const first = takeUsers(1);
  return (
    await runToEnd(paths.load, [
      'events',
      '--events',
      userCreated,
      '--first',
      String(first),
      '--count',
      '1',
    ])
  ).trim();
}
