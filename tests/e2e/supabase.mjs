// The simulated Supabase Auth of `rollcall sim`: its address and key, Supabase's own client for it,
// its fault switches, and what it has seen.
import { createClient } from '@supabase/supabase-js';
import ws from 'ws';

import { Simulator, until } from './simulator.mjs';

export class Auth {
  // A simulator of its own; `args` are flags of `rollcall sim`.
  static async start(...args) {
    return Auth.of(await Simulator.start(...args));
  }

  // That of a running simulator.
  static async of(simulator) {
    const { environment } = simulator;
    await until(() => environment.SUPABASE_SERVICE_ROLE_KEY, 'the lines about Supabase');
    return new Auth(simulator, environment.SUPABASE_URL, environment.SUPABASE_SERVICE_ROLE_KEY);
  }

  constructor(simulator, url, key) {
    this.simulator = simulator;
    this.url = url;
    this.key = key;
  }

  // What a service takes from its environment.
  get environment() {
    return { SUPABASE_URL: this.url, SUPABASE_SERVICE_ROLE_KEY: this.key };
  }

  stop() {
    return this.simulator.stop();
  }

  // supabase-js: `auth` of a client with this key, and its `admin`. Node 20 has no WebSocket of its
  // own.
  client(key = this.key, headers = {}) {
    return createClient(this.url, key, {
      auth: { persistSession: false, autoRefreshToken: false },
      realtime: { transport: ws },
      global: { headers },
    }).auth;
  }
  admin(key, headers) {
    return this.client(key, headers).admin;
  }

  // Why somebody with this password is not let in; nothing when they are.
  async refusal(email, password) {
    const { data, error } = await this.client().signInWithPassword({ email, password });
    return error?.code ?? (data.user.email === email ? undefined : 'somebody else');
  }

  // A request without the client. `path` begins after /auth/v1.
  raw(method, path, { body, headers } = {}) {
    return fetch(`${this.url}/auth/v1${path}`, {
      method,
      headers: { apikey: this.key, authorization: `Bearer ${this.key}`, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  faults(changes) {
    return this.simulator.faults(changes);
  }

  // All users with their identities, the oldest first.
  users() {
    return this.simulator.control('GET', '/auth/users').then((answer) => answer.users);
  }

  // A user who came from elsewhere, and one whom somebody removed by hand.
  addUser(body) {
    return this.simulator.control('POST', '/auth/users', body);
  }
  removeUser(id) {
    return this.simulator.control('DELETE', `/auth/users/${id}`);
  }

  // {requests: {create, list, get, update, delete, other, total}, answers: {"200": …, none: …}}
  counts() {
    return this.simulator.control('GET', '/auth');
  }

  // The newest thousand, the newest first: {at, operation, user_id, status, traceparent}.
  requests() {
    return this.simulator.control('GET', '/auth/requests').then((answer) => answer.requests);
  }
}
