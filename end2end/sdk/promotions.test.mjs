// Promotion codes through the official client.

import test from 'node:test';
import assert from 'node:assert/strict';
import { monthly, openOffice, payer } from './office.mjs';

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return { status: error.statusCode, code: error.code, param: error.param };
  }
  return assert.fail('it was not refused');
}

test('a code is made, redeemed, counted and used up', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const price = await monthly(stripe, 2000);
  const coupon = await stripe.coupons.create({ percent_off: 25, duration: 'forever' });
  const code = await stripe.promotionCodes.create({
    promotion: { type: 'coupon', coupon: coupon.id }, code: 'Spring', max_redemptions: 2, metadata: { from: 'mail' },
  });
  assert.equal(code.object, 'promotion_code');
  assert.equal(code.active, true);
  assert.equal(code.promotion.coupon, coupon.id);
  assert.deepEqual(
    await refusal(stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'SPRING' })),
    { status: 400, code: 'resource_already_exists', param: 'code' },
  );
  assert.deepEqual((await stripe.promotionCodes.list({ code: 'sPrInG' })).data.map((one) => one.id), [code.id]);
  const subscribe = async () => {
    const customer = await payer(stripe);
    return stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      discounts: [{ promotion_code: code.id }],
      expand: ['latest_invoice', 'discounts'],
    });
  };
  const first = await subscribe();
  assert.equal(first.latest_invoice.total, 1500);
  assert.equal(first.discounts[0].promotion_code, code.id);
  assert.equal(first.discounts[0].source.coupon, coupon.id);
  await subscribe();
  const used = await stripe.promotionCodes.retrieve(code.id);
  assert.deepEqual([used.times_redeemed, used.active], [2, false]);
  assert.equal((await stripe.coupons.retrieve(coupon.id)).times_redeemed, 2);
  const late = await refusal(subscribe());
  assert.deepEqual([late.status, late.param], [400, 'discounts[0][promotion_code]']);
  assert.equal((await refusal(stripe.promotionCodes.update(code.id, { active: true }))).param, 'active');
});

test('each restriction refuses by name', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const price = await monthly(stripe, 2000);
  const coupon = await stripe.coupons.create({ amount_off: 500, currency: 'usd', duration: 'once' });
  const promotion = { type: 'coupon', coupon: coupon.id };
  const [ada, other] = [await payer(stripe), await payer(stripe)];
  const hers = await stripe.promotionCodes.create({ promotion, code: 'HERS', customer: ada.id });
  const big = await stripe.promotionCodes.create({
    promotion, code: 'BIG', restrictions: { minimum_amount: 5000, minimum_amount_currency: 'usd' },
  });
  const first = await stripe.promotionCodes.create({
    promotion, code: 'FIRST', restrictions: { first_time_transaction: true },
  });
  const off = await stripe.promotionCodes.create({ promotion, code: 'OFF', active: false });
  const subscribe = (customer, code, quantity = 1) => stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id, quantity }], discounts: [{ promotion_code: code.id }],
    expand: ['latest_invoice'],
  });
  for (const [customer, code] of [[other, hers], [ada, big], [ada, off]]) {
    const refused = await refusal(subscribe(customer, code));
    assert.deepEqual(refused, { status: 400, code: 'promotion_code_invalid', param: 'discounts[0][promotion_code]' });
  }
  assert.equal((await subscribe(ada, first)).latest_invoice.total, 1500);
  assert.equal((await refusal(subscribe(ada, first))).code, 'promotion_code_invalid');
  assert.equal((await subscribe(ada, hers)).latest_invoice.total, 1500);
  assert.equal((await subscribe(ada, big, 3)).latest_invoice.total, 5500);
  const minimum = await stripe.promotionCodes.retrieve(big.id);
  assert.deepEqual(
    [minimum.restrictions.minimum_amount, minimum.restrictions.minimum_amount_currency], [5000, 'usd'],
  );
});
