// The first page: where the customer stands, when the next payment comes and how much it is, in their own language.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTidy, openShop, until, WAYS } from './shop.mjs';
import { near, say, words } from './words.mjs';

const shop = openShop();
const lead = (page) => page.locator('.page-header p').first();
const endOf = (who) => who.subscription.items.data[0].current_period_end;

/** A price in another currency, on a product of its own. */
async function price(currency, amount) {
  const product = await shop.stripe.products.create({ name: 'Studio' });
  return shop.stripe.prices.create({ product: product.id, currency, unit_amount: amount, recurring: { interval: 'month' } });
}

for (const { way, options } of WAYS) {
  test(`who pays regularly sees what comes next, ${way}`, async (t) => {
    const who = await shop.customer({ plan: 'team', quantity: 3 });
    const page = await shop.visit(who, { t, ...options });
    const date = near('en', endOf(who));
    assert.equal(await lead(page).innerText(), say('home.lead_next', { amount: '€87.00', date }));
    const card = page.getByRole('article');
    await card.getByRole('heading', { name: '3 × Team' }).waitFor();
    await card.getByText(say('status.active_renews', { date })).waitFor();
    await card.getByText('€87.00').first().waitFor();
    await card.getByText(`Visa`).first().waitFor();
    const recent = page.getByRole('table', { name: say('home.recent_invoices') });
    await recent.getByText('€87.00').waitFor();
    await recent.getByText(say('invoice_status.paid')).waitFor();
    await page.getByText('ada@example.com').first().waitFor();
    assertTidy(page);
  });
}

test('a trial says until when it is free and what comes then', async (t) => {
  const who = await shop.customer({ subscription: { trial_period_days: 5 } });
  const page = await shop.visit(who, { t });
  const date = near('en', who.subscription.trial_end);
  await page.getByRole('article').getByText(say('status.trial', { date })).waitFor();
  assert.equal(await lead(page).innerText(), say('home.lead_next', { amount: '€12.00', date }));
  await page.getByText(say('attention.trial_ends', { date })).waitFor();
  await page.getByText(say('attention.trial_then', { amount: '€12.00' })).waitFor();
});

test('a trial without a card asks for one', async (t) => {
  const who = await shop.customer({ card: null, subscription: { trial_period_days: 5 } });
  const page = await shop.visit(who, { t });
  await page.getByText(say('attention.trial_no_card')).waitFor();
  const add = page.getByRole('link', { name: say('attention.add_card') });
  assert.equal(await add.getAttribute('href'), '/portal/payment-methods/new');
});

test('a failed payment stands first, with the way to pay it', async (t) => {
  const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
  assert.equal(who.subscription.status, 'incomplete');
  const page = await shop.visit(who, { t });
  const banner = page.getByRole('alert').filter({ hasText: say('attention.payment_failed', { amount: '€12.00' }) });
  await banner.waitFor();
  const pay = banner.getByRole('link', { name: say('attention.pay', { amount: '€12.00' }) });
  assert.match(await pay.getAttribute('href'), /^\/portal\/invoices\/in_\w+$/);
  await page.getByText(say('status.incomplete')).waitFor();
  const above = await banner.evaluate((element) => {
    const article = document.querySelector('article');
    return Boolean(element.compareDocumentPosition(article) & Node.DOCUMENT_POSITION_FOLLOWING);
  });
  assert.ok(above, 'something else stands above the failed payment');
  const next = page.getByText(say('home.next_payment'), { exact: true });
  assert.equal(await next.count(), 0, 'a renewal is announced before the first payment is through');
});

test('a trial whose first payment fails is past due, and says when it is tried again', async (t) => {
  const soon = () => ({ trial_end: Math.floor(Date.now() / 1000) + 5 });
  const who = await shop.customer({ card: 'pm_card_chargeCustomerFail', subscription: soon });
  // The invoice of a trial's end is a draft for an hour; finalising it by hand has it charged at once.
  const draft = await until(async () => {
    const { data } = await shop.stripe.invoices.list({ customer: who.id, status: 'draft' });
    return data[0];
  });
  await shop.stripe.invoices.finalizeInvoice(draft.id);
  const late = await until(async () => {
    const now = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    return now.status === 'past_due' && now;
  });
  const [invoice] = (await shop.stripe.invoices.list({ customer: who.id, status: 'open' })).data;
  assert.equal(late.latest_invoice, invoice.id);
  const page = await shop.visit(who, { t });
  await page.getByRole('alert').filter({ hasText: say('attention.payment_failed', { amount: '€12.00' }) }).waitFor();
  const date = near('en', invoice.next_payment_attempt);
  await page.getByText(say('attention.retry', { date })).waitFor();
  await page.getByText(say('status.past_due_retry', { date })).first().waitFor();
});

test('a cancelled subscription says when it ends', async (t) => {
  const who = await shop.customer({ subscription: { cancel_at_period_end: true } });
  const page = await shop.visit(who, { t });
  await page.getByText(say('status.ends', { date: near('en', endOf(who)) })).first().waitFor();
  assert.equal(await lead(page).innerText(), say('home.lead_quiet'));
  await page.getByRole('button', { name: say('home.keep') }).waitFor();
  assert.equal(await page.getByRole('link', { name: say('home.cancel') }).count(), 0);
});

test('yen have no decimals', async (t) => {
  const yen = await price('jpy', 1980);
  const who = await shop.customer({ plan: null });
  await shop.stripe.subscriptions.create({ customer: who.id, items: [{ price: yen.id, quantity: 2 }] });
  const page = await shop.visit(who, { t });
  assert.match(await lead(page).innerText(), /¥3,960 on/);
  assert.equal(await page.getByText('¥3,960.00').count(), 0);
});

test('an Arabic name keeps its own direction and does not turn the page around', async (t) => {
  const name = 'نور الهاشمي (شركة)';
  const page = await shop.visit(await shop.customer({ name }), { t });
  const shown = page.locator('.who');
  assert.equal(await shown.innerText(), name);
  assert.equal(await page.locator('html').getAttribute('dir'), 'ltr');
  const isolated = await shown.evaluate((element) => {
    const styles = [...element.querySelectorAll('*'), element].map((one) => [one.localName, getComputedStyle(one).unicodeBidi, one.dir]);
    return styles.some(([tag, bidi, dir]) => tag === 'bdi' || ['isolate', 'plaintext', 'isolate-override'].includes(bidi) || dir === 'auto');
  });
  assert.ok(isolated, 'the name is not isolated from the text around it');
});

for (const { tag, amount } of [{ tag: 'fr', amount: '87,00 €' }, { tag: 'zh', amount: '€87.00' }]) {
  for (const { way, options } of WAYS) {
    test(`a customer whose language is ${tag} reads it at once, ${way}`, async (t) => {
      const who = await shop.customer({ plan: 'team', quantity: 3, locale: tag });
      const page = await shop.visit(who, { t, ...options });
      const theirs = words(tag);
      assert.equal(await page.locator('html').getAttribute('lang'), tag);
      await page.getByRole('heading', { level: 1, name: theirs('shell.home') }).waitFor();
      const plain = (text) => text.replace(/[\u00a0\u202f]/g, ' ');
      const expected = plain(theirs('home.lead_next', { amount, date: near(tag, endOf(who)) }));
      assert.equal(plain(await lead(page).innerText()), expected);
      await page.getByRole('link', { name: theirs('home.change') }).waitFor();
      assertTidy(page);
    });
  }
}

test('who has nothing yet is told what will be here', async (t) => {
  const page = await shop.visit(await shop.customer({ card: null, plan: null }), { t });
  await page.getByText(say('home.none'), { exact: true }).waitFor();
  assert.equal(await lead(page).innerText(), say('home.lead_quiet'));
});
