// What happens after a failed payment, as a merchant's program sees it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { advance, clocked, monthly, openOffice, seconds } from './office.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);

const START = '2027-01-10T09:00:00Z';
const RENEWED = '2027-02-10T11:00:00Z';

/** A command of the binary about the office's database. */
function perennial(office, ...words) {
  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  return run(binary, [...words, '--database', office.server.database]);
}

/** A subscription that was paid once, whose customer pays with `card` from then on. */
async function renewing(stripe, card) {
  const { clock, customer } = await clocked(stripe, START);
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  assert.equal(subscription.status, 'active');
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  return { clock, customer, subscription, method };
}

async function latest(stripe, subscription) {
  const { latest_invoice: invoice, status, cancellation_details: details } = await stripe.subscriptions.retrieve(
    subscription.id, { expand: ['latest_invoice'] },
  );
  return { invoice, status, details };
}

test('retries come to an end, and the subscription with them', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const { clock, subscription } = await renewing(stripe, 'pm_card_chargeCustomerFail');
  await advance(stripe, clock, RENEWED);
  const failed = await latest(stripe, subscription);
  assert.equal(failed.status, 'past_due');
  assert.equal(failed.invoice.attempt_count, 1);
  assert.ok(failed.invoice.next_payment_attempt > seconds(RENEWED));
  await advance(stripe, clock, '2027-03-01T12:00:00Z');
  const ended = await latest(stripe, subscription);
  assert.equal(ended.status, 'canceled');
  assert.equal(ended.details.reason, 'payment_failed');
  assert.equal(ended.invoice.status, 'open');
  assert.equal(ended.invoice.auto_advance, false);
  assert.equal(ended.invoice.next_payment_attempt, null);
});

test('a new card pays what is open', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const { clock, customer, subscription } = await renewing(stripe, 'pm_card_chargeCustomerFail');
  await advance(stripe, clock, RENEWED);
  assert.equal((await latest(stripe, subscription)).status, 'past_due');
  const method = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  await advance(stripe, clock, '2027-02-10T11:01:00Z');
  const paid = await latest(stripe, subscription);
  assert.equal(paid.status, 'active');
  assert.equal(paid.invoice.status, 'paid');
});

test('other cards are charged only with leave, in their order', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const { clock, customer, subscription } = await renewing(stripe, 'pm_card_chargeCustomerFail');
  const other = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id });
  await assert.rejects(
    stripe.customers.update(customer.id, { invoice_settings: { backup_payment_methods: ['pm_nobody'] } }),
    (error) => error.param?.startsWith('invoice_settings[backup_payment_methods]'),
  );
  const allowed = await stripe.customers.update(customer.id, {
    invoice_settings: { backup_payment_methods: [other.id] },
  });
  assert.deepEqual(allowed.invoice_settings.backup_payment_methods.payment_methods, [other.id]);
  assert.equal(allowed.invoice_settings.backup_payment_methods.consented_through, 'api');
  await advance(stripe, clock, RENEWED);
  const paid = await latest(stripe, subscription);
  assert.equal(paid.status, 'active');
  assert.equal(paid.invoice.status, 'paid');
  assert.equal(paid.invoice.attempt_count, 1);
});

test('a policy is the merchant\'s to set', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant('Ilmenau');
  const { stdout } = await perennial(office, 'merchant', 'list');
  const [, id] = stdout.match(/(acct_\w+)  Ilmenau/);
  const update = (...words) => perennial(office, 'merchant', 'update', '--merchant', id, ...words);
  await assert.rejects(update('--retry-days', '0,1'), /between 1 and 60/);
  await assert.rejects(update('--smart-retries', '14:9'), /at most 8/);
  await update('--retry-days', '1', '--after-retries', 'mark-unpaid');
  const { clock, subscription } = await renewing(stripe, 'pm_card_chargeCustomerFail');
  await advance(stripe, clock, '2027-02-12T12:00:00Z');
  const ended = await latest(stripe, subscription);
  assert.equal(ended.status, 'unpaid');
  assert.equal(ended.invoice.attempt_count, 2);
});
