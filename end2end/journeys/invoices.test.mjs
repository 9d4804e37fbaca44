// Invoices: the list, the document, its PDF, and paying one that is open.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { arrive, assertTidy, openShop, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const invoicesOf = async (who) => (await shop.stripe.invoices.list({ customer: who.id })).data;

for (const { way, options } of WAYS) {
  test(`from the list to the document and its PDF, ${way}`, async (t) => {
    const who = await shop.customer({
      plan: 'team', quantity: 3, tax: true,
      customer: { address: { line1: 'Rue de Rivoli 1', postal_code: '75001', city: 'Paris', country: 'FR' } },
    });
    const [invoice] = await invoicesOf(who);
    const page = await shop.visit(who, { t, ...options });
    await arrive(page, '/portal/invoices', () => page.getByRole('navigation').getByRole('link', { name: say('shell.invoices') }).click());
    const link = page.getByRole('link', { name: say('invoices.open', { number: invoice.number }) });
    await arrive(page, `/portal/invoices/${invoice.id}`, () => link.click());
    const paper = page.getByRole('article', { name: say('document.title', { number: invoice.number }) });
    for (const text of [
      'Halden', 'Ada Lovelace', 'ada@example.com', 'Rue de Rivoli 1', '75001 Paris', invoice.number, 'Team',
      '€29.00', '€87.00', '€17.40', '€104.40',
    ]) {
      await paper.getByText(text).filter({ visible: true }).first().waitFor();
    }
    await page.getByText(/^Paid on \d/).first().waitFor();
    assert.equal(await page.getByRole('button', { name: /^Pay/ }).count(), 0);

    const [download] = await Promise.all([
      page.waitForEvent('download'), page.getByRole('link', { name: say('invoice.download') }).click(),
    ]);
    const pdf = await readFile(await download.path());
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
    assert.match(pdf.subarray(-32).toString('latin1'), /%%EOF\s*$/);
    assert.match(download.suggestedFilename(), /\.pdf$/);
    assert.ok(download.suggestedFilename().includes(invoice.number), download.suggestedFilename());
    assertTidy(page);
  });

  test(`a card that the bank must confirm leads back to the invoice, ${way}`, async (t) => {
    for (const { answer, notice } of [
      { answer: 'fail', notice: 'done.card_not_confirmed' },
      { answer: 'approve', notice: 'done.card_added' },
    ]) {
      const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
      const [invoice] = await invoicesOf(who);
      const path = `/portal/invoices/${invoice.id}`;
      const page = await shop.visit(who, { t, path, ...options });
      await arrive(page, '/portal/payment-methods/new', () => page.getByRole('link', { name: say('invoice.other_card') }).click());
      const card = { number: '4000 0025 0000 3155', expiry: '12 / 40', cvc: '123', name: 'Ada Lovelace' };
      for (const [field, text] of Object.entries(card)) await page.locator(`#${field}`).fill(text);
      const save = page.getByRole('button', { name: say('card.save') });
      await Promise.all([page.waitForURL(/\/sandbox\/challenge\//), save.click()]);
      await arrive(page, path, () => page.locator(`button[value=${answer}]`).click());
      await page.getByText(say(notice)).waitFor();
      await page.getByRole('button', { name: say('invoice.pay', { amount: '€12.00' }) }).waitFor();
      assertTidy(page);
    }
  });

  test(`an open invoice is paid, ${way}, once`, async (t) => {
    const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
    const good = await shop.stripe.paymentMethods.attach('pm_card_mastercard', { customer: who.id });
    const [invoice] = await invoicesOf(who);
    assert.equal(invoice.status, 'open');
    const page = await shop.visit(who, { t, ...options });
    await arrive(page, `/portal/invoices/${invoice.id}`, () => page.getByRole('link', { name: say('attention.pay', { amount: '€12.00' }) }).click());
    const pay = page.getByRole('button', { name: say('invoice.pay', { amount: '€12.00' }) });

    // With the card that failed it fails again, and says so.
    await page.locator(`input[type=radio][value=${who.method.id}]`).check();
    await pay.click();
    await page.getByRole('alert').filter({ hasText: say('refused.declined') }).filter({ hasText: say('decline.generic') }).waitFor();
    assert.equal((await shop.stripe.invoices.retrieve(invoice.id)).status, 'open');

    await page.locator(`input[type=radio][value=${good.id}]`).check();
    await pay.click();
    await page.getByRole('status').filter({ hasText: say('done.invoice_paid') }).waitFor();
    await page.getByText(/^Paid on \d/).first().waitFor();
    assert.equal(await pay.count(), 0);
    const paid = await shop.stripe.invoices.retrieve(invoice.id);
    assert.deepEqual([paid.status, paid.amount_paid, paid.amount_remaining], ['paid', 1200, 0]);
    const started = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    assert.equal(started.status, 'active');
    assertTidy(page, { refused: [402] });
  });

  test(`the bank asks before an invoice is paid, ${way}`, async (t) => {
    for (const { answer, status, notice } of [
      { answer: 'approve', status: 'paid', notice: say('done.invoice_paid') },
      { answer: 'fail', status: 'open', notice: say('done.payment_not_confirmed') },
    ]) {
      const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
      const asking = await shop.stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer: who.id });
      const [invoice] = await invoicesOf(who);
      const path = `/portal/invoices/${invoice.id}`;
      const page = await shop.visit(who, { t, path, ...options });
      await page.locator(`input[type=radio][value=${asking.id}]`).check();
      await page.getByRole('button', { name: say('invoice.pay', { amount: '€12.00' }) }).click();
      await page.waitForURL(/\/sandbox\/challenge\//);
      assert.equal((await shop.stripe.invoices.retrieve(invoice.id)).amount_paid, 0, 'charged before the proof');
      await arrive(page, path, () => page.locator(`button[value=${answer}]`).click());
      await page.getByText(notice).first().waitFor();
      assert.equal((await shop.stripe.invoices.retrieve(invoice.id)).status, status);
      assertTidy(page);
    }
  });

  test(`with no card one adds it and comes back to the invoice, ${way}`, async (t) => {
    const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
    await shop.stripe.paymentMethods.detach(who.method.id);
    const [invoice] = await invoicesOf(who);
    const path = `/portal/invoices/${invoice.id}`;
    const page = await shop.visit(who, { t, path, ...options });
    await arrive(page, '/portal/payment-methods/new', () => page.getByRole('link', { name: say('methods.add') }).click());
    for (const [field, text] of Object.entries({ number: '4242424242424242', expiry: '12 / 40', cvc: '123', name: 'Ada' })) {
      await page.locator(`#${field}`).fill(text);
    }
    await arrive(page, path, () => page.getByRole('button', { name: say('card.save') }).click());
    await page.getByRole('button', { name: say('invoice.pay', { amount: '€12.00' }) }).click();
    await page.getByRole('status').filter({ hasText: say('done.invoice_paid') }).waitFor();
    assert.equal((await shop.stripe.invoices.retrieve(invoice.id)).status, 'paid');
    assertTidy(page);
  });
}

test('paying twice at the same moment charges once', async (t) => {
  const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
  await shop.stripe.paymentMethods.attach('pm_card_visa', { customer: who.id });
  const [invoice] = await invoicesOf(who);
  const page = await shop.visit(who, { t, path: `/portal/invoices/${invoice.id}` });
  const post = (method) => page.request.post(`${shop.server.url}/api/portal/pay`, {
    form: { id: invoice.id, payment_method: method }, headers: { origin: shop.server.url, 'sec-fetch-site': 'same-origin' },
  });
  const methods = (await shop.stripe.paymentMethods.list({ customer: who.id })).data.filter((method) => method.card.last4 === '4242');
  await Promise.all(Array.from({ length: 5 }, () => post(methods[0].id)));
  const paid = await shop.stripe.invoices.retrieve(invoice.id, { expand: ['payments'] });
  assert.deepEqual([paid.status, paid.amount_paid], ['paid', 1200]);
});

test('an invoice of long ago is found by paging', async (t) => {
  const who = await shop.customer({ plan: null });
  // Each subscription brings an invoice.
  for (let made = 0; made < 27; made += 1) {
    await shop.stripe.subscriptions.create({ customer: who.id, items: [{ price: shop.plans.basic.month.id }] });
  }
  const numbers = (await shop.stripe.invoices.list({ customer: who.id, limit: 100 })).data.map((invoice) => invoice.number);
  for (const { options } of WAYS.slice(0, 2)) {
    const page = await shop.visit(await shop.link(who.id), { t, path: '/portal/invoices', ...options });
    const seen = [];
    for (;;) {
      await page.locator('td.when').first().waitFor();
      seen.push(...await page.locator('tbody .number').allInnerTexts());
      const next = page.getByRole('link', { name: say('action.next') });
      if (!(await next.count())) break;
      const before = page.url();
      await next.click();
      await page.waitForURL((url) => url.href !== before);
      await page.getByText(seen.at(-1), { exact: true }).waitFor({ state: 'detached' });
    }
    assert.deepEqual(seen, numbers);
  }
});
