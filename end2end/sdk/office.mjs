// A merchant of its own on a Perennial of its own, and the official client as its program would use it.

import { execFile } from 'node:child_process';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Stripe from 'stripe';
import { startServer } from '../harness.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);

/** Starts a server without the demo. `merchant()` makes one and answers with its `test` and `live` clients and keys. */
export async function openOffice(t) {
  const server = await startServer({ t, demo: false });
  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  const client = (key, options = {}) => new Stripe(key, {
    host: server.host, port: server.port, protocol: 'http', telemetry: false, maxNetworkRetries: 0, ...options,
  });
  async function merchant(name = 'Halden') {
    const { stdout } = await run(binary, ['merchant', 'create', '--name', name, '--database', server.database]);
    const key = (kind) => stdout.match(new RegExp(`sk_${kind}_\\w+`))?.[0];
    return { name, testKey: key('test'), liveKey: key('live'), test: client(key('test')), live: client(key('live')) };
  }
  /** A call without the client, to see exactly what comes over the wire. */
  async function raw(key, path, { method = 'GET', body, headers = {} } = {}) {
    const answer = await fetch(`${server.url}${path}`, {
      method,
      body,
      headers: {
        authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/x-www-form-urlencoded' } : {}), ...headers,
      },
    });
    return { status: answer.status, headers: answer.headers, json: await answer.json() };
  }
  return { server, merchant, client, raw };
}

/** A product with a monthly price of so many cents. */
export async function monthly(stripe, cents, name = 'Pro') {
  return stripe.prices.create({
    currency: 'usd', unit_amount: cents, recurring: { interval: 'month' }, product_data: { name },
  });
}

/** A customer who pays with one of Stripe's test cards by default. */
export async function payer(stripe, card = 'pm_card_visa') {
  const customer = await stripe.customers.create({ name: 'Ada Lovelace', email: 'ada@example.com' });
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
  return stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
}
