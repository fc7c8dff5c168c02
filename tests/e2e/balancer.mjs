// A load balancer before several services, as simple as one can be: in turn to those whose /readyz
// says 200, a connection for each request, and nothing is tried twice. What the services fail to
// answer its clients see.
import http from 'node:http';

const lookEvery = 100; // ms

export class Balancer {
  static async start() {
    const balancer = new Balancer();
    balancer.backends = []; // {service, ready}
    balancer.turn = 0;
    balancer.failures = []; // of connections, in words
    balancer.server = http.createServer((request, response) => balancer.pass(request, response));
    // Its clients keep their connections; one that it closed as they sent would be its own failure.
    balancer.server.keepAliveTimeout = 0;
    await new Promise((resolve) => balancer.server.listen(0, '127.0.0.1', resolve));
    balancer.port = balancer.server.address().port;
    return balancer;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // `service` gets requests from when it is ready, and while it says so.
  add(service) {
    const backend = { service, ready: false };
    this.backends.push(backend);
    this.look(backend);
  }

  remove(service) {
    this.backends = this.backends.filter((backend) => backend.service !== service);
  }

  takes(service) {
    return this.backends.some((backend) => backend.service === service && backend.ready);
  }

  look(backend) {
    if (this.stopped || !this.backends.includes(backend)) return;
    const again = (ready) => {
      backend.ready = ready;
      setTimeout(() => this.look(backend), lookEvery);
    };
    http
      .get({ port: backend.service.port, path: '/readyz', agent: false, timeout: 5_000 })
      .on('response', (answer) => {
        answer.resume();
        again(answer.statusCode === 200);
      })
      .on('timeout', function hangs() {
        this.destroy(new Error('no answer'));
      })
      .on('error', () => again(false));
  }

  pass(request, response) {
    const ready = this.backends.filter((backend) => backend.ready);
    this.turn += 1;
    const backend = ready[this.turn % ready.length];
    const failed = (error) => {
      this.failures.push(error.message);
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    };
    if (backend === undefined) {
      failed(new Error('nobody is ready'));
      return;
    }
    const { method, url: path, headers } = request;
    const onward = http.request(
      { port: backend.service.port, method, path, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.on('error', failed).pipe(response);
      },
    );
    onward.on('error', failed);
    request.pipe(onward);
  }

  async stop() {
    this.stopped = true;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
