// The steps of a plan that are faults. Those that last end by themselves, beside what goes on;
// `over` waits for that.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Faults {
  constructor(stand) {
    this.stand = stand;
    this.lasting = new Set();
  }

  async strike(step) {
    await this[step.kind](step);
  }

  // From `begin` to `end`, which are not waited for.
  #last(ms, begin, end) {
    const one = Promise.resolve(begin())
      .then(() => sleep(ms))
      .then(end)
      .finally(() => this.lasting.delete(one));
    this.lasting.add(one);
  }

  async over() {
    await Promise.all(this.lasting);
  }

  #process(step) {
    const { keepers } = this.stand;
    return keepers[step.process % keepers.length];
  }

  clerk_api(step) {
    return this.stand.simulator.faults({ [step.fault]: step.times });
  }
  auth_api(step) {
    return this.stand.simulator.faults({ [step.fault]: step.times });
  }
  auth_down(step) {
    const set = (auth_down) => this.stand.simulator.faults({ auth_down });
    this.#last(step.ms, () => set(true), () => set(false));
  }

  kill(step) {
    this.#process(step).signal('SIGKILL');
  }
  term(step) {
    this.#process(step).signal('SIGTERM');
  }
  stop(step) {
    const keeper = this.#process(step);
    const { pid } = keeper.service.child;
    this.#last(
      step.ms,
      () => keeper.signal('SIGSTOP'),
      () => keeper.service.child.pid === pid && keeper.signal('SIGCONT'),
    );
  }

  postgres_restart() {
    this.stand.postgres.down('immediate');
    this.stand.postgres.up();
  }
  postgres_freeze(step) {
    const { proxy } = this.stand;
    this.#last(step.ms, () => proxy.freeze(), () => proxy.freeze(false));
  }
  postgres_cut() {
    this.stand.proxy.cut();
  }
  postgres_refuse(step) {
    const { proxy } = this.stand;
    proxy.cut();
    this.#last(step.ms, () => proxy.refuse(), () => proxy.refuse(false));
  }
  answer_lost(step) {
    this.stand.proxy.loseAnswer(new RegExp(step.tag));
  }

  // Somebody runs a pass by hand, where nothing is known of Supabase. It may end in any way but by
  // a signal.
  pass(step) {
    const one = this.stand
      .run(['sync', ...(step.full ? ['--full'] : [])], { SUPABASE_URL: '' })
      .then(({ code, output }) => {
        if (code === null) this.stand.findings.push(`a pass by hand was killed: ${output}`);
      })
      .finally(() => this.lasting.delete(one));
    this.lasting.add(one);
  }

  // Another process takes the deliveries.
  redirect(step) {
    return this.stand.deliverTo(this.#process(step));
  }
}
