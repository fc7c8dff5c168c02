// How every peer runs: some processes of one program under node:cluster. The parent prints "ready"
// once all of them are, restarts nothing, and takes them down with it.
import cluster from 'node:cluster';

// `start` runs in every child, with the child's number from 0; it resolves when the child serves.
export async function runProcesses(count, start) {
  if (cluster.isPrimary) {
    let ready = 0;
    for (let number = 0; number < count; number += 1) {
      const child = cluster.fork({ PEER_NUMBER: String(number) });
      child.on('message', (message) => {
        if (message === 'ready' && (ready += 1) === count) {
          process.stdout.write('ready\n');
        }
      });
      child.on('exit', (code) => process.exit(code ?? 1));
    }
    return;
  }
  process.on('disconnect', () => process.exit(0));
  await start(Number(process.env.PEER_NUMBER));
  process.send('ready');
}

export function env(name) {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

// The whole body of a node:http request.
export async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function answer(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
