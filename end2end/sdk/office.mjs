// A merchant of its own on a Perennial of its own, and the official client as its program would use it.

import { execFile } from 'node:child_process';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
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

/** A test clock at a moment (seconds, or anything that `Date` reads), with a payer who follows it. */
export async function clocked(stripe, moment, { card = 'pm_card_visa' } = {}) {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: seconds(moment) });
  const customer = await stripe.customers.create({ name: 'Ada Lovelace', email: 'ada@example.com', test_clock: clock.id });
  if (!card) return { clock, customer };
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
  const paying = await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  return { clock, customer: paying };
}

/** Moves a test clock to a moment and waits until it stands there. */
export async function advance(stripe, clock, moment) {
  let moved = await stripe.testHelpers.testClocks.advance(clock.id ?? clock, { frozen_time: seconds(moment) });
  for (let tries = 0; moved.status === 'advancing'; tries += 1) {
    if (tries > 1200) throw new Error(`the clock still stands at ${new Date(moved.frozen_time * 1000).toISOString()}`);
    await new Promise((done) => setTimeout(done, 50));
    moved = await stripe.testHelpers.testClocks.retrieve(moved.id);
  }
  return moved;
}

/** Seconds since 1970 of a number of them, or of anything that `Date` reads. */
export function seconds(moment) {
  return typeof moment === 'number' ? moment : Math.floor(new Date(moment).getTime() / 1000);
}

/** A moment in seconds as a date and time in UTC, to compare with and to read in failures. */
export function utc(at) {
  return at === null ? null : new Date(at * 1000).toISOString().slice(0, 19);
}

/** Runs `perennial audit` and answers with its report on the books that have something in them. */
export async function audit(server) {
  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  const { stdout } = await run(binary, ['audit', '--json', '--database', server.database, '--log', 'error']);
  const reports = stdout.trim().split('\n').map((line) => JSON.parse(line)).filter((report) => report.customers > 0);
  for (const report of reports) {
    assert.deepEqual(report.exceptions, []);
    for (const book of report.books) assert.equal(book.explained_share, '100 %');
  }
  return reports[0];
}

/** What a call is refused with. */
export async function refused(call) {
  try {
    await call;
  } catch (error) {
    return { param: error.param, code: error.code, type: error.type, status: error.statusCode, message: error.message };
  }
  throw new Error('it was not refused');
}
