// A network before an upstream of rollcall's that misbehaves when told to, and counts who comes.
import { once } from 'node:events';
import net from 'node:net';

// Closes a connection as a crash does. One that is already being closed in order is never gone if
// it is reset as well, and the process at its end waits for it for ever.
export function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

export class TcpProxy {
  // Before `port` of this machine.
  static async start(port) {
    const proxy = new TcpProxy(port);
    proxy.listener.listen(0, '127.0.0.1');
    await once(proxy.listener, 'listening');
    proxy.listener.unref();
    proxy.port = proxy.listener.address().port;
    return proxy;
  }

  constructor(port) {
    this.target = port;
    this.accepted = 0; // connections
    this.asked = 0; // connections, and requests on those that were kept
    this.down = false;
    this.answers = 'whole'; // or 'reset': after the first byte; 'drip': a byte each 100 ms
    this.sockets = new Set();
    this.listener = net.createServer((client) => this.accept(client));
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  accept(client) {
    this.accepted += 1;
    client.on('error', () => {});
    client.unref();
    if (this.down) {
      this.asked += 1;
      reset(client);
      return;
    }
    const server = net.connect(this.target, '127.0.0.1');
    server.unref();
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    }
    server.on('error', () => reset(client));
    server.on('close', () => client.destroySoon());
    client.on('close', () => server.destroy());
    client.on('data', (chunk) => {
      this.asked += 1;
      server.write(chunk);
    });
    server.on('data', (chunk) => this.answer(client, server, chunk));
  }

  answer(client, server, chunk) {
    if (this.answers === 'whole') {
      client.write(chunk);
    } else if (this.answers === 'reset') {
      client.write(chunk.subarray(0, 1), () => reset(client));
    } else {
      server.pause();
      this.drip(client, chunk, 0);
    }
  }

  drip(client, chunk, at) {
    if (client.destroyed || at >= chunk.length) return;
    client.write(chunk.subarray(at, at + 1));
    setTimeout(() => this.drip(client, chunk, at + 1), 100).unref();
  }

  // Nobody is let in, and who is in is thrown out, until told otherwise.
  close(on = true) {
    this.down = on;
    if (on) for (const socket of this.sockets) reset(socket);
  }

  stop() {
    this.close();
    this.listener.close();
  }
}
