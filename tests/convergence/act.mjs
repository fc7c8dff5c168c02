// What people do in Clerk, strangers in Supabase Auth, and somebody by hand in the table and among
// the copies: the steps of a plan that are no faults.
// A step that a fault of the API refuses is no change, or half of one; both are the truth then.
export class Acts {
  constructor({ simulator, postgres, database, plan, env }) {
    this.simulator = simulator;
    this.auth = {
      url: `${env.SUPABASE_URL}${plan.bare ? '' : '/auth/v1'}/admin/users`,
      key: env.SUPABASE_SERVICE_ROLE_KEY,
    };
    this.query = (text, values) => postgres.query(database, text, values);
    this.people = []; // Clerk ids
    this.editedRows = new Set(); // Clerk ids of rows that were changed by hand
    this.strangers = new Map(); // of Auth users who came from elsewhere: id → address
    this.count = 0;
  }

  async begin() {
    const { users } = await this.simulator.control('GET', '/users?limit=1000');
    this.people = users.map((user) => user.id);
  }

  // Of a Clerk that lists nobody a pass concludes nothing, by design: who is gone stays a row until
  // somebody signs up. Nothing can be said of a world that ends so, and none does.
  async end() {
    const nobody = async () =>
      (await this.simulator.control('GET', '/users?limit=1')).users.length === 0;
    this.count += 1;
    while (await nobody()) await this.#create({ email_address: [this.#address('last')] });
  }

  // Whether there was something to do it to.
  async take(step) {
    this.count += 1;
    const needs = { create: 0, foreign: 0, swap: 2, handover: 2 }[step.kind] ?? 1;
    if (this.people.length < needs) return;
    await this[step.kind](step);
  }

  #someone(number) {
    return this.people[number % this.people.length];
  }
  #two(step) {
    const one = this.#someone(step.who);
    const others = this.people.filter((id) => id !== one);
    return [one, others[step.other % others.length]];
  }
  #address(prefix = 'p') {
    return `${prefix}${this.count}@example.com`;
  }

  // The answer's body, or nothing where it was refused or lost.
  async #call(method, path, body) {
    try {
      const answer = await this.simulator.raw(method, path, {
        body,
        headers: { 'content-type': 'application/json' },
      });
      return answer.ok ? await answer.json() : undefined;
    } catch {
      return undefined;
    }
  }

  async #user(id) {
    const user = await this.#call('GET', `/users/${id}`);
    return user?.id === id ? user : undefined;
  }

  async create(step) {
    const person = {
      email: { email_address: [this.#address()] },
      mixed_case: { email_address: [`P.${this.count}@Example.COM`] },
      phone: { phone_number: [`+1555${String(1_000_000 + this.count)}`] },
      none: { username: `p${this.count}` },
    }[step.shape];
    await this.#create({ ...person, last_name: step.last ? 'Last' : undefined });
  }

  async #create(person) {
    const user = await this.#call('POST', '/users', {
      first_name: `First${this.count}`,
      ...person,
    });
    if (user?.id) this.people.push(user.id);
  }

  rename(step) {
    const first_name = step.other % 10 === 0 ? '' : `Changed${this.count}`;
    return this.#call('PATCH', `/users/${this.#someone(step.who)}`, { first_name });
  }

  role(step) {
    const public_metadata = { role: step.role };
    return this.#call('PATCH', `/users/${this.#someone(step.who)}/metadata`, { public_metadata });
  }

  standing(step) {
    return this.#call('POST', `/users/${this.#someone(step.who)}/${step.standing}`);
  }

  // Another address instead of those that there are; whether it is theirs now.
  async #move(id, address) {
    const user = await this.#user(id);
    if (!user) return false;
    const made = await this.#call('POST', '/email_addresses', {
      user_id: id,
      email_address: address,
      verified: true,
      primary: true,
    });
    for (const old of user.email_addresses) {
      await this.#call('DELETE', `/email_addresses/${old.id}`);
    }
    return made !== undefined;
  }

  email(step) {
    return this.#move(this.#someone(step.who), this.#address());
  }

  async no_email(step) {
    const user = await this.#user(this.#someone(step.who));
    for (const one of user?.email_addresses ?? []) {
      await this.#call('DELETE', `/email_addresses/${one.id}`);
    }
  }

  async #addressOf(id) {
    const user = await this.#user(id);
    const primary = user?.email_addresses.find((one) => one.id === user.primary_email_address_id);
    return primary?.email_address;
  }

  async swap(step) {
    const [one, other] = this.#two(step);
    const [first, second] = [await this.#addressOf(one), await this.#addressOf(other)];
    if (!first || !second) return;
    await this.#move(one, this.#address('between'));
    await this.#move(other, first);
    await this.#move(one, second);
  }

  async handover(step) {
    const [one, other] = this.#two(step);
    const address = await this.#addressOf(one);
    if (!address) return;
    await this.#move(one, this.#address('gave'));
    await this.#move(other, address);
  }

  async remove(step) {
    const id = this.#someone(step.who);
    if (await this.#call('DELETE', `/users/${id}`)) {
      this.people.splice(this.people.indexOf(id), 1);
    }
  }

  // Gone, and here again with the same address: another user to Clerk.
  async rebirth(step) {
    const address = await this.#addressOf(this.#someone(step.who));
    await this.remove(step);
    if (address) await this.#create({ email_address: [address] });
  }

  async edit_row(step) {
    const edit = {
      name: "UPDATE users SET name = 'By Hand'",
      role: "UPDATE users SET role = 'admin'",
      email: 'UPDATE users SET email = NULL',
      gone: 'DELETE FROM users',
    }[step.edit];
    const id = this.#someone(step.who);
    this.editedRows.add(id);
    try {
      await this.query(`${edit} WHERE clerk_id = $1`, [id]);
    } catch {
      // The server restarts just now.
    }
  }

  // Somebody at Supabase's own pages.
  async edit_copy(step) {
    const { users } = await this.simulator.control('GET', '/auth/users');
    const copies = users.filter((user) => user.app_metadata.clerk_id);
    if (copies.length === 0) return;
    const { id } = copies[step.who % copies.length];
    if (step.edit === 'gone') {
      await this.simulator.control('DELETE', `/auth/users/${id}`);
      return;
    }
    const change = {
      name: { user_metadata: { full_name: 'By Hand' } },
      role: { app_metadata: { role: 'owner' } },
      ban: { ban_duration: '1h' },
      email: { email: this.#address('edited'), email_confirm: true },
    }[step.edit];
    await fetch(`${this.auth.url}/${id}`, {
      method: 'PUT',
      headers: { apikey: this.auth.key, authorization: `Bearer ${this.auth.key}` },
      body: JSON.stringify(change),
    }).catch(() => {}); // a fault of Auth's
  }

  // An Auth user of the application's own, with an address that nobody has, or that somebody at
  // Clerk will have, or has already.
  async foreign(step) {
    const taken = step.taken && this.people.length > 0;
    const address = taken ? await this.#addressOf(this.#someone(step.who)) : this.#address('f');
    if (!address) return;
    try {
      const user = await this.simulator.control('POST', '/auth/users', {
        email: address,
        email_confirm: true,
        user_metadata: { theme: 'dark' },
      });
      this.strangers.set(user.id, user.email);
    } catch {
      // The copy of the one at Clerk has it.
    }
  }
}
