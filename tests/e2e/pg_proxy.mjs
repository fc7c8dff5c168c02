// A network before PostgreSQL that misbehaves when told to: a port of the loopback interface that
// forwards to the server's socket, message by message, so that a connection can be cut at a place
// that matters. It works in this process: what is run to its end by spawnSync goes round it.
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';

import { reset } from './tcp_proxy.mjs';

// What a client may ask before anything else: TLS or GSSAPI encryption. The answer is no.
const ENCRYPTION_REQUESTS = [80877103, 80877104];
const REQUEST_SIZE = 8;

// What comes between answers: 'A'.
const NOTIFICATION = 0x41;

const isEncryptionRequest = (bytes) =>
  bytes.length >= REQUEST_SIZE &&
  bytes.readUInt32BE(0) === REQUEST_SIZE &&
  ENCRYPTION_REQUESTS.includes(bytes.readUInt32BE(4));

// Takes a server's bytes apart: whole messages, and of each answer (up to ReadyForQuery) the tags
// of its commands, as "COMMIT" or "INSERT 0 1".
class Answers {
  constructor() {
    this.rest = Buffer.alloc(0);
    this.tags = [];
  }

  // The whole messages that end in `chunk`, as [bytes, tags]; tags only at the end of an answer.
  *read(chunk) {
    let bytes = Buffer.concat([this.rest, chunk]);
    while (bytes.length >= 5 && bytes.length > bytes.readUInt32BE(1)) {
      const message = bytes.subarray(0, 1 + bytes.readUInt32BE(1));
      bytes = bytes.subarray(message.length);
      const kind = String.fromCharCode(message[0]);
      if (kind === 'C') this.tags.push(message.toString('utf8', 5, message.length - 1));
      yield [message, kind === 'Z' ? this.tags.splice(0) : null];
    }
    this.rest = bytes;
  }
}

// A client's connection and its own to the server.
class Link {
  constructor(proxy, client) {
    this.proxy = proxy;
    this.client = client;
    this.held = [];
    this.answers = new Answers();
    this.begun = false;
    client.on('error', () => {});
    client.on('close', () => this.close());
    client.on('data', (chunk) => this.fromClient(chunk));
    client.unref();
    if (proxy.frozen) client.pause();
  }

  open() {
    this.begun = true;
    this.server = net.connect(this.proxy.target);
    this.server.unref();
    this.server.on('error', () => {});
    this.server.on('close', () => this.close());
    this.server.on('data', (chunk) => this.fromServer(chunk));
  }

  fromClient(chunk) {
    if (!this.begun && isEncryptionRequest(chunk)) {
      this.client.write('N');
      const more = chunk.subarray(REQUEST_SIZE);
      if (more.length > 0) this.fromClient(more);
      return;
    }
    if (!this.begun) this.open();
    if (this.proxy.deaf && chunk.includes('LISTEN ')) this.cut();
    else this.server.write(chunk);
  }

  fromServer(chunk) {
    for (const [message, tags] of this.answers.read(chunk)) {
      if (message[0] === NOTIFICATION && this.proxy.muted) {
        this.proxy.silenced += 1;
        continue;
      }
      this.held.push(message);
      if (tags && this.proxy.takes(tags)) {
        this.close();
        return;
      }
      const notice = this.held.length === 1 && message[0] === NOTIFICATION;
      if (tags || notice || !this.proxy.losing) this.pass();
    }
  }

  pass() {
    for (const message of this.held.splice(0)) this.client.write(message);
  }

  freeze(on) {
    for (const socket of [this.client, this.server]) {
      if (on) socket?.pause();
      else socket?.resume();
    }
  }

  // What the server had said and was not held back is passed on; then both ends are gone.
  close() {
    this.proxy.links.delete(this);
    this.client.destroySoon();
    this.server?.destroy();
  }

  cut() {
    this.proxy.links.delete(this);
    reset(this.client);
    this.server?.destroy();
  }
}

export class PgProxy {
  // Before a `Postgres`, which may go and come.
  static async start(postgres) {
    const proxy = new PgProxy(path.join(postgres.folder, '.s.PGSQL.5432'));
    proxy.listener.listen(0, '127.0.0.1');
    await once(proxy.listener, 'listening');
    proxy.listener.unref();
    proxy.port = proxy.listener.address().port;
    return proxy;
  }

  constructor(target) {
    this.target = target;
    this.links = new Set();
    this.accepted = 0;
    this.lost = 0; // answers that were lost
    this.losing = null;
    this.frozen = false;
    this.refusing = false;
    this.deaf = false;
    this.muted = false;
    this.silenced = 0; // notifications that were lost
    this.listener = net.createServer((client) => {
      this.accepted += 1;
      if (this.refusing) reset(client.on('error', () => {}));
      else this.links.add(new Link(this, client));
    });
  }

  url(database) {
    return `postgresql://postgres@127.0.0.1:${this.port}/${database}`;
  }

  get forwarding() {
    return this.links.size;
  }

  // Every connection of now is reset.
  cut() {
    for (const link of [...this.links]) link.cut();
  }

  // New connections are reset at once, until told otherwise.
  refuse(on = true) {
    this.refusing = on;
  }

  // Nobody gets to listen for notifications, until told otherwise: who asks to is cut off.
  deafen(on = true) {
    this.deaf = on;
  }

  // Notifications get lost, until told otherwise; who listens does not notice.
  mute(on = true) {
    this.muted = on;
  }

  // No byte goes either way, on new connections neither, until told otherwise.
  freeze(on = true) {
    this.frozen = on;
    for (const link of this.links) link.freeze(on);
  }

  // The next answer that has a command whose tag matches is lost with its connection, after the
  // server has carried it out: the client cannot know. /^BEGIN/ cuts inside a transaction.
  loseAnswer(tag = /^COMMIT$/) {
    this.losing = tag;
  }

  // Whether this answer is the one to lose.
  takes(tags) {
    if (!this.losing || !tags.some((tag) => this.losing.test(tag))) return false;
    this.losing = null;
    this.lost += 1;
    return true;
  }

  async stop() {
    this.cut();
    this.listener.close();
  }
}
