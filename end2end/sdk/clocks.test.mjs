// Test clocks, through the official client: a time of its own for some customers.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, clocked, monthly, openOffice, seconds, utc } from './office.mjs';

const START = '2027-01-31T10:00:00Z';

async function all(list) {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
}

test('a year of monthly billing in one advance, each invoice at its own date', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START);
  assert.equal(clock.object, 'test_helpers.test_clock');
  assert.equal(clock.status, 'ready');
  assert.equal(customer.test_clock, clock.id);
  assert.equal(utc(customer.created), '2027-01-31T10:00:00');
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  assert.equal(subscription.test_clock, clock.id);
  assert.equal(utc(subscription.created), '2027-01-31T10:00:00');
  assert.equal(subscription.status, 'active');

  const target = seconds('2028-02-01T00:00:00Z');
  const moving = await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: target });
  assert.equal(moving.status, 'advancing');
  assert.deepEqual(moving.status_details, { advancing: { target_frozen_time: target } });
  let now = moving;
  while (now.status === 'advancing') {
    await new Promise((done) => setTimeout(done, 30));
    now = await stripe.testHelpers.testClocks.retrieve(clock.id);
  }
  assert.equal(now.status, 'ready');
  assert.equal(now.frozen_time, target);
  assert.deepEqual(now.status_details, {});

  const invoices = (await all(stripe.invoices.list({ customer: customer.id, limit: 5 }))).reverse();
  const expected = [
    '2027-01-31', '2027-02-28', '2027-03-31', '2027-04-30', '2027-05-31', '2027-06-30', '2027-07-31',
    '2027-08-31', '2027-09-30', '2027-10-31', '2027-11-30', '2027-12-31', '2028-01-31',
  ];
  assert.deepEqual(invoices.map((invoice) => utc(invoice.created)), expected.map((day) => `${day}T10:00:00`));
  for (const [index, invoice] of invoices.entries()) {
    assert.equal(invoice.status, 'paid');
    assert.equal(invoice.total, 2000);
    assert.equal(invoice.test_clock, clock.id);
    const hour = index === 0 ? 10 : 11;
    assert.equal(utc(invoice.status_transitions.paid_at), `${expected[index]}T${hour}:00:00`);
    const period = invoice.lines.data[0].period;
    assert.equal(utc(period.start), `${expected[index]}T10:00:00`);
    if (expected[index + 1]) assert.equal(utc(period.end), `${expected[index + 1]}T10:00:00`);
  }
  const filtered = await stripe.invoices.list({
    customer: customer.id, created: { gte: seconds('2027-06-01'), lt: seconds('2027-09-01') },
  });
  assert.equal(filtered.data.length, 3);
  const told = await all(stripe.events.list({ types: [
    'test_helpers.test_clock.created', 'test_helpers.test_clock.advancing', 'test_helpers.test_clock.ready',
  ] }));
  assert.deepEqual(told.reverse().map((event) => event.type.split('.').pop()), ['created', 'advancing', 'ready']);
  const paid = await all(stripe.events.list({ type: 'invoice.paid' }));
  assert.equal(paid.length, 13);
  assert.equal(utc(paid[0].created), '2028-01-31T11:00:00');
  const expanded = await stripe.subscriptions.retrieve(subscription.id, { expand: ['test_clock'] });
  assert.equal(expanded.test_clock.frozen_time, target);
});

test('what has no clock does not move, and workers of real time leave what has one alone', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const past = await clocked(stripe, '2020-01-01T00:00:00Z');
  const price = await monthly(stripe, 2000);
  await stripe.subscriptions.create({ customer: past.customer.id, items: [{ price: price.id }] });
  const real = await stripe.customers.create({ name: 'Real' });
  assert.equal(real.test_clock, null);
  assert.ok(Math.abs(real.created - Date.now() / 1000) < 60);
  await new Promise((done) => setTimeout(done, 2500));
  assert.equal((await stripe.invoices.list({ customer: past.customer.id })).data.length, 1);
  const own = await stripe.customers.list({ test_clock: past.clock.id });
  assert.deepEqual(own.data.map((customer) => customer.id), [past.customer.id]);
  await advance(stripe, past.clock, '2020-02-02T00:00:00Z');
  assert.equal((await stripe.invoices.list({ customer: past.customer.id })).data.length, 2);
});

test('renewals with a failing card are retried at the clock\'s time', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START);
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: failing.id } });
  await advance(stripe, clock, '2027-02-28T12:00:00Z');
  const late = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  assert.equal(late.status, 'past_due');
  assert.equal(late.latest_invoice.attempt_count, 1);
  assert.equal(utc(late.latest_invoice.created), '2027-02-28T10:00:00');
  assert.ok(late.latest_invoice.next_payment_attempt > seconds('2027-02-28T12:00:00Z'));
  assert.ok(late.latest_invoice.next_payment_attempt < seconds('2027-03-31T00:00:00Z'));
  await advance(stripe, clock, late.latest_invoice.next_payment_attempt + 60);
  const again = await stripe.invoices.retrieve(late.latest_invoice.id);
  assert.equal(again.attempt_count, 2);
  const good = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: good.id } });
  const paid = await stripe.invoices.pay(again.id);
  assert.equal(paid.status, 'paid');
  assert.equal(paid.status_transitions.paid_at, late.latest_invoice.next_payment_attempt + 60);
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, 'active');
});

test('clocks go forward only, one advance at a time, in test mode only', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe, live } = await merchant();
  const refused = (promise, about) => assert.rejects(promise, (error) => {
    for (const [key, value] of Object.entries(about)) {
      if (value instanceof RegExp) assert.match(error[key], value);
      else assert.equal(error[key], value, key);
    }
    return true;
  });
  await refused(live.testHelpers.testClocks.create({ frozen_time: seconds(START) }), { statusCode: 400, message: /test mode/ });
  await refused(stripe.testHelpers.testClocks.create({}), { statusCode: 400, param: 'frozen_time' });
  await refused(stripe.testHelpers.testClocks.create({ frozen_time: -5 }), { statusCode: 400, param: 'frozen_time' });
  await refused(stripe.customers.create({ test_clock: 'clock_none' }), { statusCode: 400, param: 'test_clock' });
  const { clock, customer } = await clocked(stripe, START);
  for (const back of [seconds(START), seconds(START) - 1]) {
    await refused(stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: back }), { statusCode: 400, param: 'frozen_time' });
  }
  // Billed every day, so that twenty years take longer than the next requests.
  const price = await stripe.prices.create({
    currency: 'usd', unit_amount: 2000, recurring: { interval: 'day' }, product_data: { name: 'Day' },
  });
  await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: seconds('2047-01-31T10:00:00Z') });
  await refused(
    stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: seconds('2048-01-31T10:00:00Z') }),
    { statusCode: 400, message: /underway/ },
  );
  await refused(stripe.customers.update(customer.id, { name: 'Eve' }), { statusCode: 429, message: /underway/ });
  assert.equal((await stripe.customers.retrieve(customer.id)).name, 'Ada Lovelace');
  // Twenty years ahead: it says how far it has come, and can be stopped by deleting it.
  let moved = clock;
  for (let tries = 0; moved.frozen_time === clock.frozen_time && tries < 1200; tries += 1) {
    await new Promise((done) => setTimeout(done, 50));
    moved = await stripe.testHelpers.testClocks.retrieve(clock.id);
  }
  assert.ok(moved.frozen_time > clock.frozen_time);
  assert.deepEqual(await stripe.testHelpers.testClocks.del(clock.id), {
    id: clock.id, object: 'test_helpers.test_clock', deleted: true,
  });
});

test('deleting a clock deletes its customers and ends their subscriptions', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START);
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const other = await clocked(stripe, START);
  await stripe.testHelpers.testClocks.del(clock.id);
  await assert.rejects(stripe.testHelpers.testClocks.retrieve(clock.id), { statusCode: 404 });
  assert.equal((await stripe.customers.retrieve(customer.id)).deleted, true);
  const ended = await stripe.subscriptions.retrieve(subscription.id);
  assert.equal(ended.status, 'canceled');
  assert.equal(utc(ended.ended_at), '2027-01-31T10:00:00');
  const kept = await stripe.testHelpers.testClocks.list();
  assert.deepEqual(kept.data.map((one) => one.id), [other.clock.id]);
  const kinds = (await all(stripe.events.list({ limit: 100 }))).map((event) => event.type);
  for (const kind of ['test_helpers.test_clock.deleted', 'customer.deleted', 'customer.subscription.deleted']) {
    assert.ok(kinds.includes(kind), kind);
  }
});

test('a customer without subscriptions can be attached to a new clock', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await stripe.customers.create({ name: 'Late' });
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: seconds(START), customer: customer.id });
  assert.equal((await stripe.customers.retrieve(customer.id)).test_clock, clock.id);
  await assert.rejects(
    stripe.testHelpers.testClocks.create({ frozen_time: seconds(START), customer: customer.id }),
    { statusCode: 400, param: 'customer' },
  );
});
