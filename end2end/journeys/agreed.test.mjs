// What a customer is told of a change that waits for its payment, of what was agreed for years, and of what made their
// balance.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible, screenshot } from '../harness.mjs';
import { assertTidy, openShop, WAYS } from './shop.mjs';
import { say, words } from './words.mjs';

const shop = openShop();

/** On phones and desktops, light and dark: no scrolling sideways, nothing that axe minds. */
async function everywhere(t, who, name) {
  for (const [size, viewport] of [['phone', { width: 360, height: 740 }], ['desktop', { width: 1280, height: 800 }]]) {
    for (const colorScheme of ['light', 'dark']) {
      for (const locale of ['en', 'fr', 'zh']) {
        const url = await shop.link(who.id, { locale });
        const page = await shop.visit(url, { t, viewport, colorScheme, javaScript: false });
        const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth').catch(() => 0);
        assert.ok(wide <= 0, `${size} ${locale}: ${wide} px too wide`);
        await page.locator('.home details summary').first().click();
        if (locale === 'en' || size === 'phone') await screenshot(page, `${name}-${size}-${colorScheme}-${locale}`);
        if (colorScheme === 'dark') await checkAccessible(page);
      }
    }
  }
}

for (const { way, options } of WAYS) {
  test(`a change that waits for its payment is told, and paid, ${way}`, async (t) => {
    const { stripe } = shop;
    const who = await shop.customer({ plan: 'basic' });
    const broke = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: who.id });
    await stripe.customers.update(who.id, { invoice_settings: { default_payment_method: broke.id } });
    const waiting = await stripe.subscriptions.update(who.subscription.id, {
      items: [{ id: who.subscription.items.data[0].id, price: shop.plans.business.month.id }],
      payment_behavior: 'pending_if_incomplete', proration_behavior: 'always_invoice', expand: ['latest_invoice'],
    });
    assert.ok(waiting.pending_update.expires_at);
    const page = await shop.visit(who, { t, ...options });
    const fact = page.locator('.fact', { hasText: say('home.unpaid') });
    await fact.getByText('Business').waitFor();
    await fact.getByText('€99.00').waitFor();
    const due = `€${(waiting.latest_invoice.amount_remaining / 100).toFixed(2)}`;
    await checkAccessible(page);
    await Promise.all([
      page.waitForURL(`**/portal/invoices/${waiting.latest_invoice.id}`),
      fact.getByRole('link', { name: say('home.unpaid_pay', { amount: due }) }).click(),
    ]);
    // Its own page says what paying it changes.
    const waits = page.locator('.fact', { hasText: say('home.unpaid') });
    await waits.getByText('Business').waitFor();
    await waits.getByText('€99.00').waitFor();
    await checkAccessible(page);
    assertTidy(page);
    // Paid by another card, the change is made.
    const good = await stripe.paymentMethods.attach('pm_card_visa', { customer: who.id });
    await stripe.invoices.pay(waiting.latest_invoice.id, { payment_method: good.id });
    const after = await shop.visit(await shop.link(who.id), { t, ...options });
    assert.equal(await after.locator('.fact', { hasText: say('home.unpaid') }).count(), 0);
    await after.getByRole('heading', { name: 'Business' }).waitFor();
  });

  test(`the later steps of a contract, its end, and what then, ${way}`, async (t) => {
    const { stripe, plans } = shop;
    for (const [end, text] of [['cancel', 'home.contract_ends'], ['release', 'home.contract_goes_on']]) {
      const who = await shop.customer({ plan: null });
      const phase = (quantity) => ({
        items: [{ price: plans.team.month.id, quantity }], duration: { interval: 'month', interval_count: 6 },
      });
      const schedule = await stripe.subscriptionSchedules.create({
        customer: who.id, start_date: 'now', end_behavior: end, phases: [phase(5), phase(10), phase(20), phase(40)],
      });
      const page = await shop.visit(who, { t, ...options });
      const steps = page.locator('.fact', { hasText: say('home.planned') });
      assert.equal(await steps.count(), 3);
      for (const [place, amount] of [[0, '€290.00'], [1, '€580.00'], [2, '€1,160.00']]) {
        await steps.nth(place).getByText(amount).waitFor();
      }
      const until = new Date(schedule.phases[3].end_date * 1000);
      const agreed = page.locator('.fact', { hasText: say('home.contract') }).filter({ hasText: String(until.getUTCFullYear()) });
      const [, rest] = say(text, { date: '|' }).split('|');
      await agreed.getByText(rest).waitFor();
      await checkAccessible(page);
      assertTidy(page);
    }
  });

  test(`what made a balance, ${way}`, async (t) => {
    const { stripe } = shop;
    const who = await shop.customer({ plan: null });
    await stripe.customers.createBalanceTransaction(who.id, { amount: -5000, currency: 'eur', description: 'For the trouble in May' });
    await stripe.customers.createBalanceTransaction(who.id, { amount: -700, currency: 'eur' });
    await stripe.subscriptions.create({ customer: who.id, items: [{ price: shop.plans.basic.month.id }] });
    const page = await shop.visit(who, { t, ...options });
    const why = page.locator('details', { hasText: say('home.balance_why') });
    await why.locator('summary').click();
    const rows = why.getByRole('listitem');
    assert.equal(await rows.count(), 3);
    await rows.nth(0).getByRole('link', { name: say('home.balance_used') }).waitFor();
    await rows.nth(0).getByText('€12.00').waitFor();
    await rows.nth(1).getByText(say('home.balance_adjusted', { merchant: 'Halden' })).waitFor();
    await rows.nth(2).getByText('For the trouble in May').waitFor();
    await rows.nth(2).getByText('€50.00').waitFor();
    await checkAccessible(page);
    assertTidy(page);
    const other = await shop.visit(await shop.customer(), { t, ...options });
    assert.equal(await other.locator('details', { hasText: say('home.balance_why') }).count(), 0);
  });
}

test('all of it on phones and desktops, light and dark, in three languages', async (t) => {
  const { stripe, plans } = shop;
  const who = await shop.customer({ plan: 'basic' });
  await stripe.customers.createBalanceTransaction(who.id, { amount: -5000, currency: 'eur', description: 'For the trouble in May' });
  const phase = (quantity) => ({ items: [{ price: plans.team.month.id, quantity }], duration: { interval: 'month', interval_count: 6 } });
  await stripe.subscriptionSchedules.create({
    customer: who.id, start_date: 'now', end_behavior: 'cancel', phases: [phase(5), phase(10), phase(20)],
  });
  const broke = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: who.id });
  await stripe.subscriptions.update(who.subscription.id, { default_payment_method: broke.id });
  await stripe.subscriptions.update(who.subscription.id, {
    items: [{ id: who.subscription.items.data[0].id, price: plans.business.year.id, quantity: 3 }],
    payment_behavior: 'pending_if_incomplete', proration_behavior: 'always_invoice',
  });
  await stripe.customers.createBalanceTransaction(who.id, { amount: -1900, currency: 'eur' });
  const [open] = (await stripe.invoices.list({ customer: who.id, status: 'open' })).data;
  for (const [size, viewport] of [['phone', { width: 360, height: 740 }], ['desktop', { width: 1280, height: 800 }]]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await shop.visit(await shop.link(who.id), { t, viewport, colorScheme, javaScript: false });
      await page.goto(new URL(`/portal/invoices/${open.id}`, page.url()).href);
      await page.locator('.fact', { hasText: say('home.unpaid') }).waitFor();
      await screenshot(page, `waits-${size}-${colorScheme}`);
      await checkAccessible(page);
    }
  }
  await everywhere(t, who, 'agreed');
  const french = await shop.visit(await shop.link(who.id, { locale: 'fr' }), { t, javaScript: false });
  await french.getByText(words('fr')('home.contract')).first().waitFor();
});
