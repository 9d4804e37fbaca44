// Every page, in light and dark, on a phone and on a desk, in each language: accessible, within the window, no complaint
// of the browser. Pictures of all of them are kept in end2end/results/.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible, screenshot } from '../harness.mjs';
import { changePath, choose, review } from './changing.mjs';
import { assertTidy, openShop, ready } from './shop.mjs';

const shop = openShop(furnish);
/** A customer with something on every page: a long name, two cards, tax, an open invoice. */
let who;
let pages;

async function furnish() {
  who = await shop.customer({
    name: 'Wolfeschlegelsteinhausenbergerdorff & Töchter Aktiengesellschaft', tax: true, plan: 'team', quantity: 12,
    customer: { address: { line1: 'Lange Straße 1', postal_code: '10115', city: 'Berlin', country: 'DE' } },
  });
  const failing = await shop.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: who.id });
  await shop.stripe.subscriptions.create({
    customer: who.id, items: [{ price: shop.plans.business.year.id }], default_payment_method: failing.id,
  });
  const invoices = (await shop.stripe.invoices.list({ customer: who.id })).data;
  const [open, paid] = ['open', 'paid'].map((status) => invoices.find((invoice) => invoice.status === status));
  await promise(failing);
  pages = {
    home: '/portal', change: changePath(who), cancel: `/portal/subscriptions/${who.subscription.id}/cancel`,
    invoices: '/portal/invoices', 'invoice-paid': `/portal/invoices/${paid.id}`, 'invoice-open': `/portal/invoices/${open.id}`,
    cards: '/portal/payment-methods', 'card-new': '/portal/payment-methods/new',
    'card-remove': `/portal/payment-methods/${failing.id}/remove`, details: '/portal/details', mail: '/portal/mail',
    'not-found': '/portal/nowhere', 'change-code': `${changePath(who)}?code=TENTH`, 'change-no-code': `${changePath(who)}?code=NOSUCH`,
    'invoice-credited': `/portal/invoices/${paid.id}`, pause: `/portal/subscriptions/${who.subscription.id}/pause`,
    resume: `/portal/subscriptions/${paused}/resume`,
  };
  const note = { invoice: paid.id, amount: 2000, credit_amount: 800, refund_amount: 1200 };
  await shop.stripe.creditNotes.create(note);
}

/** A subscription that stands still. */
let paused;

/** Usage with a commitment, a pause, a code and backup cards. */
async function promise(failing) {
  const { stripe, plans } = shop;
  const meter = await stripe.billing.meters.create({
    display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' },
  });
  const metered = await stripe.prices.create({
    currency: 'eur', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    product_data: { name: 'API calls' }, billing_scheme: 'tiered', tiers_mode: 'graduated',
    tiers: [{ up_to: 1000, unit_amount: 2 }, { up_to: 'inf', unit_amount: 1 }],
  });
  await stripe.subscriptions.create({
    customer: who.id, items: [{ price: plans.business.month.id }, { price: metered.id }],
    minimum_commitment: { amount: 25_000, period: 'billing_period' },
  });
  await stripe.billing.meterEvents.create({ event_name: 'calls', payload: { stripe_customer_id: who.id, value: '640' } });
  const resting = await stripe.subscriptions.create({ customer: who.id, items: [{ price: plans.basic.month.id }] });
  paused = (await stripe.subscriptions.pause(resting.id)).id;
  const other = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: who.id });
  await stripe.customers.update(who.id, {
    invoice_settings: { backup_payment_methods: [other.id, failing.id] },
  });
  const { id: coupon } = await stripe.coupons.create({ percent_off: 10, name: 'A tenth', duration: 'repeating', duration_in_months: 3 });
  await stripe.promotionCodes.create({ code: 'TENTH', promotion: { type: 'coupon', coupon } });
  await stripe.billingPortal.configurations.update(shop.configuration.id, { features: { subscription_pause: { enabled: true } } });
}

/** Fails when something stands out of the window to the side, and names it. */
async function assertNoSideways(page, name) {
  const out = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.body.querySelectorAll('*')]
      .filter((element) => element.getBoundingClientRect().right > width + 1)
      .slice(0, 8).map((element) => `${element.localName}.${element.className} ${Math.round(element.getBoundingClientRect().right)}`);
  });
  assert.deepEqual(out, [], `${name} scrolls sideways`);
}

async function lookAtAll({ t, options, label, names = Object.keys(pages), check }) {
  const page = await shop.visit(await shop.link(who.id, { locale: options.tongue ?? 'en' }), { t, ...options });
  const failures = [];
  for (const name of names) {
    const answer = await page.goto(`${shop.server.url}${pages[name]}`);
    const expected = name === 'not-found' ? 404 : 200;
    try {
      assert.equal(answer.status(), expected, name);
      await ready(page);
      await check(page, name);
    } catch (error) {
      failures.push(`${name}: ${error.message}`);
    }
    await screenshot(page, `${name}-${label}`);
  }
  assert.deepEqual(failures, []);
  assertTidy(page, { refused: [404] });
}

const both = async (page, name) => {
  await checkAccessible(page);
  await assertNoSideways(page, name);
};

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1280]) {
    test(`every page is accessible in ${colorScheme}, ${width} px wide`, async (t) => {
      const options = { colorScheme, viewport: { width, height: 800 } };
      await lookAtAll({ t, options, label: `${width}-${colorScheme}`, check: both });
    });
  }
}

test('every page is accessible without JavaScript', async (t) => {
  const options = { javaScript: false, viewport: { width: 360, height: 800 } };
  await lookAtAll({ t, options, label: '360-noscript', check: (page) => checkAccessible(page) });
});

for (const tongue of ['en', 'fr', 'zh']) {
  test(`no page scrolls sideways at 320 px, in ${tongue}`, async (t) => {
    const options = { tongue, viewport: { width: 320, height: 700 } };
    // The same document as another one.
    const names = Object.keys(pages).filter((name) => name !== 'invoice-paid');
    await lookAtAll({ t, options, label: `320-${tongue}`, names, check: assertNoSideways });
  });
}

for (const tongue of ['fr', 'zh']) {
  test(`every page at a desk, in ${tongue}`, async (t) => {
    const names = Object.keys(pages).filter((name) => !['change-no-code', 'pause', 'resume', 'invoice-paid', 'card-remove'].includes(name));
    await lookAtAll({ t, options: { tongue }, label: `1280-${tongue}`, names, check: both });
  });
}

test('the quote is accessible and within the window', async (t) => {
  for (const { colorScheme, width } of [{ colorScheme: 'light', width: 320 }, { colorScheme: 'dark', width: 1280 }]) {
    const options = { colorScheme, viewport: { width, height: 800 } };
    const page = await shop.visit(await shop.link(who.id), { t, path: pages.change, ...options });
    await choose(page, { plan: 'Business' });
    await screenshot(page, `change-chosen-${width}-${colorScheme}`);
    await both(page, 'change with a choice');
    await review(page, who);
    await screenshot(page, `quote-${width}-${colorScheme}`);
    await both(page, 'quote');
    assertTidy(page);
  }
});

test('the bank’s page is accessible', async (t) => {
  const customer = await shop.customer();
  const page = await shop.visit(customer, { t, path: '/portal/payment-methods/new', viewport: { width: 320, height: 700 } });
  for (const [field, text] of Object.entries({ number: '4000002500003155', expiry: '12 / 40', cvc: '123', name: 'Ada' })) {
    await page.locator(`#${field}`).fill(text);
  }
  await page.locator('button[type=submit].button, form .acts button').first().click();
  await page.waitForURL(/\/sandbox\/challenge\//);
  await both(page, 'bank');
  await screenshot(page, 'bank-320');
});
