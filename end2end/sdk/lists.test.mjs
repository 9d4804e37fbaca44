// Lists of subscriptions and invoices, narrowed by everything that an official client may ask for.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, clocked, monthly, openOffice, payer, refused, seconds } from './office.mjs';

/** The ids of a list, fetched page by page as clients do. */
async function ids(list, params) {
  const found = [];
  for await (const one of list({ limit: 2, ...params })) found.push(one.id);
  return found;
}

test('subscriptions are narrowed by price, collection, period, clock, creation and status', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const list = (params) => ids((p) => stripe.subscriptions.list(p), params);
  const [basic, pro, yearly] = [
    await monthly(stripe, 1000, 'Basic'), await monthly(stripe, 3000, 'Pro'),
    await stripe.prices.create({ currency: 'usd', unit_amount: 9000, recurring: { interval: 'year' }, product_data: { name: 'Year' } }),
  ];
  const customer = await payer(stripe);
  const start = (price, more = {}) => stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], ...more });
  const a = await start(basic);
  const b = await start(pro);
  const c = await start(basic, { collection_method: 'send_invoice', days_until_due: 14 });
  const d = await start(yearly);
  assert.deepEqual(await list({}), [d.id, c.id, b.id, a.id]);
  assert.deepEqual(await list({ price: basic.id }), [c.id, a.id]);
  assert.deepEqual(await list({ plan: pro.id }), [b.id]);
  assert.deepEqual(await list({ price: 'price_nothing' }), []);
  assert.deepEqual(await list({ price: '%' }), []);
  // A price that a subscription had is none that it has.
  await stripe.subscriptions.update(b.id, { items: [{ id: b.items.data[0].id, price: basic.id }] });
  assert.deepEqual(await list({ price: pro.id }), []);
  assert.deepEqual(await list({ price: basic.id }), [c.id, b.id, a.id]);
  await stripe.subscriptions.update(b.id, { items: [{ id: b.items.data[0].id, price: pro.id }] });
  assert.deepEqual(await list({ price: pro.id }), [b.id]);

  assert.deepEqual(await list({ collection_method: 'send_invoice' }), [c.id]);
  assert.deepEqual(await list({ collection_method: 'charge_automatically' }), [d.id, b.id, a.id]);
  assert.deepEqual(await list({ collection_method: 'charge_automatically', price: basic.id }), [a.id]);
  const end = d.items.data[0].current_period_end;
  assert.deepEqual(await list({ current_period_end: { gte: end } }), [d.id]);
  assert.deepEqual(await list({ current_period_end: end }), [d.id]);
  assert.deepEqual(await list({ current_period_end: { lt: end } }), [c.id, b.id, a.id]);
  assert.deepEqual(await list({ current_period_end: { gt: end } }), []);
  const began = a.items.data[0].current_period_start;
  assert.deepEqual(await list({ current_period_start: { gte: began }, price: yearly.id }), [d.id]);
  assert.deepEqual(await list({ current_period_start: { lt: began } }), []);
  assert.deepEqual(await list({ current_period_start: { lte: d.items.data[0].current_period_start } }), [d.id, c.id, b.id, a.id]);
  assert.deepEqual(await list({ created: { gt: d.created } }), []);
  assert.deepEqual(await list({ created: { gte: a.created } }), [d.id, c.id, b.id, a.id]);
  assert.deepEqual(await list({ automatic_tax: { enabled: true } }), []);
  assert.deepEqual(await list({ automatic_tax: { enabled: false } }), [d.id, c.id, b.id, a.id]);

  await stripe.subscriptions.cancel(a.id);
  assert.deepEqual(await list({}), [d.id, c.id, b.id]);
  assert.deepEqual(await list({ status: 'ended' }), [a.id]);
  assert.deepEqual(await list({ status: 'canceled', price: basic.id }), [a.id]);
  assert.deepEqual(await list({ status: 'all' }), [d.id, c.id, b.id, a.id]);
  assert.deepEqual(await list({ status: 'all', customer: customer.id, collection_method: 'send_invoice' }), [c.id]);
  for (const [params, param] of [
    [{ status: 'over' }, 'status'], [{ collection_method: 'barter' }, 'collection_method'],
    [{ price: basic.id, plan: pro.id }, 'plan'], [{ automatic_tax: {} , current_period_end: 'soon' }, 'current_period_end'],
  ]) {
    assert.equal((await refused(stripe.subscriptions.list(params))).param, param);
  }

  // Subscriptions of test clocks are shown where one is named, or their customer.
  const { clock, customer: other } = await clocked(stripe, '2027-01-01T00:00:00Z');
  const e = await stripe.subscriptions.create({ customer: other.id, items: [{ price: basic.id }] });
  assert.deepEqual(await list({ price: basic.id }), [c.id]);
  assert.deepEqual(await list({ test_clock: clock.id }), [e.id]);
  assert.deepEqual(await list({ customer: other.id }), [e.id]);
  assert.deepEqual(await list({ customer: customer.id, test_clock: clock.id }), []);
  await advance(stripe, clock, '2027-02-02T00:00:00Z');
  assert.deepEqual(await list({ test_clock: clock.id, current_period_end: seconds('2027-03-01T00:00:00Z') }), [e.id]);
  assert.deepEqual(await list({ test_clock: clock.id, current_period_end: seconds('2027-02-01T00:00:00Z') }), []);
  assert.deepEqual(await list({ test_clock: clock.id, current_period_start: { gte: seconds('2027-02-01T00:00:00Z') } }), [e.id]);
});

test('invoices are narrowed by collection, due date, status, subscription, customer and creation', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const list = (params) => ids((p) => stripe.invoices.list(p), params);
  const customer = await payer(stripe);
  const price = await monthly(stripe, 1000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const charged = subscription.latest_invoice;
  const sent = async (days) => {
    const made = await stripe.invoices.create({ customer: customer.id, collection_method: 'send_invoice', days_until_due: days });
    await stripe.invoices.addLines(made.id, { lines: [{ amount: 500, description: 'Hours' }] });
    return stripe.invoices.finalizeInvoice(made.id);
  };
  const [soon, later] = [await sent(5), await sent(30)];
  assert.deepEqual(await list({}), [later.id, soon.id, charged]);
  assert.deepEqual(await list({ collection_method: 'send_invoice' }), [later.id, soon.id]);
  assert.deepEqual(await list({ collection_method: 'charge_automatically' }), [charged]);
  assert.deepEqual(await list({ due_date: { lte: soon.due_date } }), [soon.id]);
  assert.deepEqual(await list({ due_date: { gt: soon.due_date } }), [later.id]);
  assert.deepEqual(await list({ due_date: later.due_date }), [later.id]);
  assert.deepEqual(await list({ due_date: { gte: 0 } }), [later.id, soon.id], 'nothing is due that has no date');
  assert.deepEqual(await list({ status: 'open' }), [later.id, soon.id]);
  assert.deepEqual(await list({ status: 'paid', customer: customer.id }), [charged]);
  assert.deepEqual(await list({ subscription: subscription.id }), [charged]);
  assert.deepEqual(await list({ subscription: subscription.id, collection_method: 'send_invoice' }), []);
  assert.deepEqual(await list({ created: { gt: later.created + 60 } }), []);
  assert.deepEqual(await list({ customer: 'cus_nobody' }), []);
  // Paying forgives nothing where a card pays all or nothing.
  const paid = await stripe.invoices.pay(soon.id, { forgive: true });
  assert.deepEqual([paid.status, paid.amount_paid], ['paid', 500]);
});
