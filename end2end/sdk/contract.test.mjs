// What every client relies on: error classes, paging, expansion, idempotency, keys.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Stripe from 'stripe';
import { monthly, openOffice, payer } from './office.mjs';

test('errors arrive as the classes of the client', async (t) => {
  const { merchant, client } = await openOffice(t);
  const { test: stripe } = await merchant();
  await assert.rejects(client('sk_test_nobody').customers.list(), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeAuthenticationError);
    assert.match(error.message, /^Invalid API Key provided: \*+$/);
    return true;
  });
  await assert.rejects(stripe.customers.retrieve('cus_nobody'), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
    assert.equal(error.statusCode, 404);
    assert.equal(error.code, 'resource_missing');
    assert.equal(error.message, "No such customer: 'cus_nobody'");
    assert.match(error.requestId, /^req_/);
    return true;
  });
  await assert.rejects(stripe.customers.create({ nmae: 'Ada' }), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
    assert.equal(error.message, 'Received unknown parameter: nmae');
    assert.equal(error.param, 'nmae');
    return true;
  });
  await assert.rejects(stripe.prices.create({ currency: 'usd', product: 'prod_x', unit_amount: 'many' }), {
    code: 'parameter_invalid_integer', param: 'unit_amount',
  });
  await assert.rejects(
    stripe.paymentMethods.create({ type: 'card', card: { number: '4242424242424241', exp_month: 1, exp_year: 2034 } }),
    (error) => {
      assert.ok(error instanceof Stripe.errors.StripeCardError);
      assert.equal(error.param, 'card[number]');
      return true;
    },
  );
  const customer = await stripe.customers.create();
  await assert.rejects(stripe.paymentMethods.attach('pm_card_chargeDeclinedInsufficientFunds', { customer: customer.id }), {
    type: 'StripeCardError', code: 'card_declined', decline_code: 'insufficient_funds',
  });
});

test('lists are paged by the client without a gap', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const made = [];
  for (let n = 0; n < 25; n += 1) made.unshift((await stripe.customers.create({ name: `Customer ${n}` })).id);
  const seen = [];
  for await (const customer of stripe.customers.list({ limit: 10 })) seen.push(customer.id);
  assert.deepEqual(seen, made);
  const back = await stripe.customers.list({ limit: 7, ending_before: made[20] });
  assert.deepEqual(back.data.map((customer) => customer.id), made.slice(13, 20));
  assert.equal(back.has_more, true);
  const few = await stripe.customers.list({ limit: 100 }).autoPagingToArray({ limit: 3 });
  assert.equal(few.length, 3);
});

test('a repeated request is answered again, not done again', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const options = { idempotencyKey: 'order-17' };
  const first = await stripe.customers.create({ name: 'Ada' }, options);
  const again = await stripe.customers.create({ name: 'Ada' }, options);
  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
  await assert.rejects(stripe.customers.create({ name: 'Eve' }, options), { type: 'StripeIdempotencyError' });
  const many = await Promise.allSettled(
    Array.from({ length: 8 }, () => stripe.customers.create({ name: 'Bob' }, { idempotencyKey: 'order-18' })),
  );
  const ids = new Set(many.filter((one) => one.status === 'fulfilled').map((one) => one.value.id));
  assert.equal(ids.size, 1);
  for (const one of many.filter((one) => one.status === 'rejected')) assert.equal(one.reason.statusCode, 409);
  assert.equal((await stripe.customers.list()).data.length, 2);
});

test('ids expand into objects, in lists too', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const price = await monthly(stripe, 900);
  for (let n = 0; n < 3; n += 1) await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const list = await stripe.subscriptions.list({
    expand: ['data.customer.invoice_settings.default_payment_method', 'data.latest_invoice', 'data.items.data.price.product'],
  });
  assert.equal(list.data.length, 3);
  for (const subscription of list.data) {
    assert.equal(subscription.customer.invoice_settings.default_payment_method.card.last4, '4242');
    assert.equal(subscription.latest_invoice.total, 900);
    assert.equal(subscription.items.data[0].price.product.name, 'Pro');
  }
  await assert.rejects(stripe.subscriptions.list({ expand: ['data.name'] }), /cannot be expanded/);
});

test('merchants and modes keep to themselves', async (t) => {
  const { merchant } = await openOffice(t);
  const ours = await merchant('Ours');
  const theirs = await merchant('Theirs');
  const customer = await ours.test.customers.create({ name: 'Ada' });
  for (const stranger of [ours.live, theirs.test, theirs.live]) {
    await assert.rejects(stranger.customers.retrieve(customer.id), { code: 'resource_missing', statusCode: 404 });
    await assert.rejects(stranger.customers.del(customer.id), { code: 'resource_missing' });
    await assert.rejects(stranger.billingPortal.sessions.create({ customer: customer.id }), { code: 'resource_missing' });
    assert.equal((await stranger.customers.list()).data.length, 0);
    assert.equal((await stranger.events.list()).data.length, 0);
  }
  assert.equal((await ours.live.customers.create({ name: 'Ada' })).livemode, true);
});
