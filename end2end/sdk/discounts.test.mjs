// Discounts are told of, coupons take off amounts in several currencies, and a subscription that is not
// paid at once leaves nothing behind where the merchant wants it so.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit, monthly, openOffice, payer, refused } from './office.mjs';

test('discounts of subscriptions and items are told of', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const price = await monthly(stripe, 2000);
  const [ten, twenty] = await Promise.all([10, 20].map((percent) => stripe.coupons.create({ percent_off: percent, duration: 'forever' })));
  const subscription = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id, discounts: [{ coupon: twenty.id }] }], discounts: [{ coupon: ten.id }],
  });
  const [item] = subscription.items.data;
  const told = async (type) => (await stripe.events.list({ type })).data.map((event) => event.data.object);
  const created = await told('customer.discount.created');
  assert.deepEqual(created.map((own) => own.source.coupon).sort(), [ten.id, twenty.id].sort());
  const ofItem = created.find((own) => own.source.coupon === twenty.id);
  assert.deepEqual([ofItem.object, ofItem.subscription, ofItem.subscription_item], ['discount', subscription.id, item.id]);
  const half = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
  await stripe.subscriptions.update(subscription.id, { discounts: [{ coupon: half.id }] });
  const { data: switched } = await stripe.events.list({ type: 'customer.discount.updated' });
  assert.equal(switched.length, 1, 'from one coupon to another is one change');
  const [{ data: { object: now, previous_attributes: before } }] = switched;
  assert.deepEqual([now.source.coupon, now.subscription, now.subscription_item], [half.id, subscription.id, null]);
  assert.deepEqual(before.source, { coupon: ten.id });
  assert.equal(before.id, created.find((own) => own.source.coupon === ten.id).id);
  await stripe.subscriptions.update(subscription.id, { discounts: '' });
  const deleted = await told('customer.discount.deleted');
  assert.deepEqual(deleted.map((own) => own.source.coupon), [half.id]);
  await stripe.subscriptions.update(subscription.id, { discounts: [{ coupon: ten.id }, { coupon: half.id }] });
  assert.equal((await told('customer.discount.created')).length, 4);
  assert.equal((await told('customer.discount.updated')).length, 1);
});

test('a coupon takes off amounts in several currencies', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const coupon = await stripe.coupons.create({
    amount_off: 500, currency: 'usd', duration: 'once', currency_options: { eur: { amount_off: 450 } }, expand: ['currency_options'],
  });
  assert.deepEqual(coupon.currency_options, { eur: { amount_off: 450 }, usd: { amount_off: 500 } });
  assert.equal((await stripe.coupons.retrieve(coupon.id)).currency_options, undefined);
  const more = await stripe.coupons.update(coupon.id, {
    currency_options: { gbp: { amount_off: 400 } }, expand: ['currency_options'],
  });
  assert.deepEqual(Object.keys(more.currency_options).sort(), ['eur', 'gbp', 'usd']);
  const customer = await payer(stripe);
  const draft = await stripe.invoices.create({ customer: customer.id, currency: 'gbp', discounts: [{ coupon: coupon.id }] });
  const lined = await stripe.invoices.addLines(draft.id, { lines: [{ amount: 2000, description: 'Tea' }] });
  assert.equal(lined.total, 1600);
  const percent = await refused(stripe.coupons.create({ percent_off: 5, duration: 'once', currency_options: { eur: { amount_off: 1 } } }));
  assert.equal(percent.param, 'currency_options');
});

test('error_if_incomplete leaves no subscription behind', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe, 'pm_card_chargeCustomerFail');
  const price = await monthly(stripe, 2000);
  const declined = await refused(stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], payment_behavior: 'error_if_incomplete',
  }));
  assert.deepEqual([declined.status, declined.type], [402, 'StripeCardError']);
  const left = await stripe.subscriptions.list({ customer: customer.id, status: 'all' });
  assert.deepEqual(left.data, []);
  for (const invoice of (await stripe.invoices.list({ customer: customer.id })).data) assert.equal(invoice.status, 'void');
  await audit(server);
});
