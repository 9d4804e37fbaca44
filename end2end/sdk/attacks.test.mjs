// What a hostile yet skilled program would try: everything at once, at odd moments, with odd amounts. Each of these
// broke something once.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, audit, clocked, openOffice, refused, seconds } from './office.mjs';

const START = seconds('2027-04-01T00:00:00Z');
const DAY = 86_400;

async function open(t) {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  return { stripe, server: office.server };
}

const price = (stripe, unit_amount, more = {}) => stripe.prices.create({
  currency: 'usd', unit_amount, recurring: { interval: 'month' }, product_data: { name: `Plan ${unit_amount}` }, ...more,
});

const month = { interval: 'month', interval_count: 1 };

test('phases that their subscription could not have are refused when they are agreed', async (t) => {
  const { stripe, server } = await open(t);
  const { clock, customer } = await clocked(stripe, START);
  const [usd, eur] = [await price(stripe, 1000), await price(stripe, 1000, { currency: 'eur' })];
  const yearly = await price(stripe, 9000, { recurring: { interval: 'year' } });
  const classic = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: usd.id }], billing_mode: { type: 'classic' },
  });
  const schedule = await stripe.subscriptionSchedules.create({ from_subscription: classic.id });
  const [{ start_date, end_date }] = schedule.phases;
  const change = (items) => stripe.subscriptionSchedules.update(schedule.id, {
    phases: [{ start_date, end_date, items: [{ price: usd.id }] }, { items, duration: month }],
  });
  const mixed = await refused(change([{ price: usd.id }, { price: yearly.id }]));
  assert.equal(mixed.param, 'phases[1][items][1][price]');
  assert.equal((await refused(change([{ price: eur.id }]))).param, 'phases[1][items]');
  const twoCurrencies = stripe.subscriptionSchedules.create({
    customer: customer.id, start_date: 'now',
    phases: [{ items: [{ price: usd.id }], duration: month }, { items: [{ price: eur.id }], duration: month }],
  });
  assert.equal((await refused(twoCurrencies)).param, 'phases[1][items]');
  // What is agreed for later says in which currency the customer pays from now on.
  const { customer: later } = await clocked(stripe, START);
  await stripe.subscriptionSchedules.create({
    customer: later.id, start_date: START + 5 * DAY, phases: [{ items: [{ price: eur.id }], duration: month }],
  });
  const other = await refused(stripe.subscriptions.create({ customer: later.id, items: [{ price: usd.id }] }));
  assert.equal(other.status, 400);
  const moved = await advance(stripe, clock, START + 70 * DAY);
  assert.equal(moved.status, 'ready');
  await audit(server);
});

test('a customer who was deleted is charged nothing any more', async (t) => {
  const { stripe, server } = await open(t);
  const { clock, customer } = await clocked(stripe, START);
  const bill = async (who) => {
    const invoice = await stripe.invoices.create({ customer: who.id, auto_advance: true, currency: 'usd' });
    await stripe.invoiceItems.create({ customer: who.id, invoice: invoice.id, amount: 500, currency: 'usd' });
    return invoice;
  };
  const { clock: another, customer: failing } = await clocked(stripe, START, { card: 'pm_card_chargeCustomerFail' });
  const draft = await bill(customer);
  const tried = await stripe.invoices.finalizeInvoice((await bill(failing)).id);
  assert.equal(tried.status, 'open');
  await stripe.customers.del(customer.id);
  await stripe.customers.del(failing.id);
  for (const one of [clock, another]) await advance(stripe, one, START + 40 * DAY);
  const after = await Promise.all([draft, tried].map((one) => stripe.invoices.retrieve(one.id)));
  assert.deepEqual(after.map((one) => [one.status, one.amount_paid, one.auto_advance]), [['draft', 0, false], ['open', 0, false]]);
  assert.equal(after[1].next_payment_attempt, null);
  await audit(server);
});

test('the audit knows what was metered, added late, or on trial from its first second', async (t) => {
  const { stripe, server } = await open(t);
  const { clock, customer } = await clocked(stripe, START);
  const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } });
  const calls = await price(stripe, undefined, { unit_amount_decimal: '0.35', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id } });
  const flat = await price(stripe, 1000);
  const metered = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: calls.id }] });
  await stripe.subscriptions.pause(metered.id, { resumes_at: START + 30 * DAY });
  await advance(stripe, clock, START + 100 * DAY);
  const [item] = metered.items.data;
  const added = await price(stripe, 700);
  await stripe.subscriptions.update(metered.id, {
    items: [{ id: item.id, price: flat.id, quantity: 1 }, { price: added.id }], proration_behavior: 'none', billing_cycle_anchor: 'now',
  });
  const trial = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: flat.id }] });
  await stripe.subscriptions.update(trial.id, { trial_end: START + 120 * DAY, proration_behavior: 'none' });
  await advance(stripe, clock, START + 200 * DAY);
  await audit(server);
});

test('usage reaches its threshold however fast a test clock goes on', async (t) => {
  const { stripe, server } = await open(t);
  const { clock, customer } = await clocked(stripe, START);
  const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } });
  const calls = await price(stripe, 10, { recurring: { interval: 'month', usage_type: 'metered', meter: meter.id } });
  const own = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: calls.id }], billing_thresholds: { amount_gte: 1000 },
  });
  for (const day of [1, 4, 7, 10]) {
    await advance(stripe, clock, START + day * DAY);
    await stripe.billing.meterEvents.create({
      event_name: 'calls', timestamp: START + day * DAY - 10, payload: { stripe_customer_id: customer.id, value: '43' },
    });
  }
  await advance(stripe, clock, START + 31 * DAY);
  const { data } = await stripe.invoices.list({ subscription: own.id });
  // 4.30 a day: the third one reaches 10.
  assert.deepEqual(data.map((one) => [one.billing_reason, one.total, one.created]), [
    ['subscription_cycle', 430, START + 30 * DAY],
    ['subscription_threshold', 1290, START + 7 * DAY],
  ]);
  await audit(server);
});
