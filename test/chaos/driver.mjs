// Customers who go on ordering whatever happens, and who remember what they were told.
import { seeded } from './random.mjs';

/** Milliseconds without an answer after which a customer gives up and tries again. */
const PATIENCE_MS = 15_000;
const RETRY_MS = 300;
/** Requests under way per tenant. */
const MOST_AT_ONCE = 40;
const CUSTOMERS_PER_TENANT = 3;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Creates orders for every tenant. Each attempt, also a repeated one, has an amount of its own in cents, so that the order
 * table tells for each attempt whether it was committed: `attempts` maps `tenant` to amount to `{ customerId, orderId }`,
 * where `orderId` is there if the api acknowledged it.
 */
export class Driver {
  attempts = new Map();
  acknowledged = 0;
  unanswered = 0;
  #stopped = false;
  #open = new Set();

  constructor(stage, seed) {
    this.stage = stage;
    this.random = seeded(seed);
  }

  /** The customers who are going to order. */
  async prepare(tenants) {
    this.customers = new Map();
    for (const tenant of tenants) {
      const names = Array.from({ length: CUSTOMERS_PER_TENANT }, (_, index) => `customer ${index + 1} of ${tenant}`);
      const made = await Promise.all(
        names.map((name) => this.stage.client.post('/customers', tenant, { name, email: 'ana@example.com' })),
      );
      const ids = made.map(({ id }) => id);
      this.customers.set(tenant, ids);
      this.attempts.set(tenant, new Map());
    }
  }

  /** Orders `perSecond` times for each tenant until `stop`. */
  run(perSecond) {
    this.running = Promise.all([...this.customers.keys()].map((tenant) => this.#keepOrdering(tenant, perSecond)));
  }

  /** Resolves when nobody waits for an answer any more. */
  async stop() {
    this.#stopped = true;
    await this.running;
    await Promise.all(this.#open);
  }

  async #keepOrdering(tenant, perSecond) {
    while (!this.#stopped) {
      if (this.#open.size < MOST_AT_ONCE * this.customers.size) this.#track(this.#order(tenant));
      await pause(this.random.between(0, 2_000 / perSecond));
    }
  }

  #track(work) {
    const tracked = work.finally(() => this.#open.delete(tracked));
    this.#open.add(tracked);
  }

  /** One order, with as many attempts as it takes. */
  async #order(tenant) {
    const customerId = this.random.pick(this.customers.get(tenant));
    while (!(await this.#attempt(tenant, customerId))) {
      if (this.#stopped) return;
      await pause(RETRY_MS);
    }
  }

  async #attempt(tenant, customerId) {
    const ours = this.attempts.get(tenant);
    const cents = ours.size + 1;
    const attempt = { customerId, orderId: undefined };
    ours.set(cents, attempt);
    try {
      attempt.orderId = await this.#post(tenant, customerId, cents);
      this.acknowledged += 1;
      return true;
    } catch {
      this.unanswered += 1;
      return false;
    }
  }

  async #post(tenant, customerId, cents) {
    const response = await fetch(`${this.stage.apiUrl}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tenant-id': tenant },
      body: JSON.stringify({ customerId, amount: (cents / 100).toFixed(2) }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const body = await response.json();
    if (response.status !== 201) throw new Error(`answered ${response.status}`);
    return body.id;
  }
}
