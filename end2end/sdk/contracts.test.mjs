// Contracts through the official client and through time: schedules in phases, commitments, prices made for one
// customer, changes that wait for their payment.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, clocked, monthly, openOffice, seconds, utc } from './office.mjs';

const START = '2027-01-31T10:00:00Z';

async function totals(stripe, subscription) {
  const found = [];
  for await (const invoice of stripe.invoices.list({ subscription, limit: 100 })) found.push(invoice.total);
  return found.reverse();
}

test('a negotiated contract: a ramp with a commitment, then it ends', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START);
  const price = await monthly(stripe, 1000);
  const made = await stripe.subscriptionSchedules.create({
    customer: customer.id,
    start_date: 'now',
    end_behavior: 'cancel',
    phases: [
      {
        items: [{ price: price.id, quantity: 1 }],
        duration: { interval: 'month', interval_count: 3 },
        minimum_commitment: { amount: 5000, period: 'phase' },
      },
      {
        items: [{
          price_data: { currency: 'usd', product: price.product, unit_amount: 800, recurring: { interval: 'month' } },
          quantity: 5,
        }],
        add_invoice_items: [{ price_data: { currency: 'usd', product: price.product, unit_amount: 2500 } }],
        duration: { interval: 'month', interval_count: 2 },
      },
    ],
  });
  assert.equal(made.object, 'subscription_schedule');
  assert.equal(made.status, 'active');
  assert.equal(made.test_clock, clock.id);
  assert.deepEqual(made.phases.map((phase) => utc(phase.end_date)), ['2027-04-30T10:00:00', '2027-06-30T10:00:00']);
  const subscription = await stripe.subscriptions.retrieve(made.subscription, { expand: ['schedule'] });
  assert.equal(subscription.schedule.id, made.id);
  assert.equal(subscription.status, 'active');
  await advance(stripe, clock, '2027-04-29T10:00:00Z');
  const preview = await stripe.invoices.createPreview({ subscription: subscription.id });
  await advance(stripe, clock, '2027-05-02T10:00:00Z');
  const [latest] = (await stripe.invoices.list({ subscription: subscription.id, limit: 1 })).data;
  // 5 at 8, 25 once, and what 3 months at 10 lack of 50.
  assert.equal(latest.total, 4000 + 2500 + 2000);
  assert.equal(preview.total, latest.total);
  assert.equal(latest.status, 'paid');
  const running = await stripe.subscriptionSchedules.retrieve(made.id);
  assert.equal(utc(running.current_phase.start_date), '2027-04-30T10:00:00');
  await advance(stripe, clock, '2027-08-01T10:00:00Z');
  assert.deepEqual(await totals(stripe, subscription.id), [1000, 1000, 1000, 8500, 4000]);
  assert.equal((await stripe.subscriptionSchedules.retrieve(made.id)).status, 'completed');
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, 'canceled');
});

test('a schedule of a running subscription: changed, released, and listed', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START);
  const [small, big] = [await monthly(stripe, 1000), await monthly(stripe, 3000, 'Team')];
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: small.id }] });
  const schedule = await stripe.subscriptionSchedules.create({ from_subscription: own.id });
  const [running] = schedule.phases;
  await stripe.subscriptionSchedules.update(schedule.id, {
    phases: [
      { start_date: running.start_date, end_date: running.end_date, items: [{ price: small.id, quantity: 1 }] },
      { items: [{ price: big.id, quantity: 1 }], duration: { interval: 'month', interval_count: 1 } },
    ],
    metadata: { deal: '42' },
  });
  const waiting = await stripe.invoices.createPreview({ subscription: own.id });
  assert.equal(waiting.total, 3000);
  await assert.rejects(stripe.subscriptions.update(own.id, { cancel_at_period_end: true }), /update the schedule/);
  await assert.rejects(stripe.subscriptions.pause(own.id), /pausing it is not allowed.*release the subscription/);
  await advance(stripe, clock, '2027-03-01T12:00:00Z');
  assert.deepEqual(await totals(stripe, own.id), [1000, 3000]);
  const released = await stripe.subscriptionSchedules.release(schedule.id);
  assert.equal(released.status, 'released');
  assert.equal(released.released_subscription, own.id);
  assert.equal((await stripe.subscriptions.retrieve(own.id)).schedule, null);
  const { data } = await stripe.subscriptionSchedules.list({ customer: customer.id });
  assert.deepEqual(data.map((one) => one.metadata.deal), ['42']);
});

test('a schedule that starts later is canceled before it does anything', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START);
  const price = await monthly(stripe, 1000);
  const later = await stripe.subscriptionSchedules.create({
    customer: customer.id, start_date: seconds('2027-06-01T00:00:00Z'), phases: [{ items: [{ price: price.id }] }],
  });
  assert.equal(later.status, 'not_started');
  assert.equal((await stripe.subscriptionSchedules.list({ scheduled: true })).data.length, 1);
  const gone = await stripe.subscriptionSchedules.cancel(later.id);
  assert.equal(gone.status, 'canceled');
  await advance(stripe, clock, '2027-07-01T00:00:00Z');
  assert.equal((await stripe.subscriptions.list({ customer: customer.id, status: 'all' })).data.length, 0);
});
