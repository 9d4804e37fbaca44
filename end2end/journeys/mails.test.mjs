// Mail: what a failed payment's mail leads to, and how mail is stopped. Time is a test clock's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrive, assertTidy, openShop, until, WAYS } from './shop.mjs';
import { checkAccessible } from '../harness.mjs';
import { say } from './words.mjs';

// Shows the mails of test mode at /dev/mail.
process.env.PERENNIAL_DEV = 'true';
const shop = openShop();

const plain = (html) => html.replaceAll('&amp;', '&').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>');

/** The mails to an address, newest first: `{ id, subject }`. */
async function mailsTo(email) {
  const page = await (await fetch(`${shop.server.url}/dev/mail`)).text();
  const rows = [...page.matchAll(/<tr><td><a href="\/dev\/mail\/([^"]+)">(.*?)<\/a><\/td><td>(.*?)<\/td>/g)];
  return rows.map(([, id, subject, to]) => ({ id, subject: plain(subject), to: plain(to) })).filter(({ to }) => to.includes(email));
}

/** Waits for the mail with this subject, and answers its plain text. */
async function mail(email, subject) {
  const found = await until(async () => (await mailsTo(email)).find((one) => one.subject === subject), `no mail "${subject}" came`);
  return (await fetch(`${shop.server.url}/dev/mail/${found.id}/text`)).text();
}

const link = (text, room) => text.match(new RegExp(`http\\S+/${room}/[0-9a-f]{64}`))[0];

/** A customer with a clock of their own, whose next renewal fails. */
async function debtor(email) {
  const { stripe, plans } = shop;
  const now = Math.floor(Date.now() / 1000);
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: now });
  const customer = await stripe.customers.create({ name: 'Ada Lovelace', email, test_clock: clock.id, preferred_locales: ['en'] });
  const pay = async (card) => {
    const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  };
  await pay('pm_card_visa');
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: plans.basic.month.id }] });
  await pay('pm_card_chargeCustomerFail');
  const end = subscription.items.data[0].current_period_end;
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: end + 2 * 3600 });
  await until(async () => {
    const { status } = await stripe.testHelpers.testClocks.retrieve(clock.id);
    assert.ok(['ready', 'advancing'].includes(status), status);
    return status === 'ready';
  }, 'the clock never arrived');
  return { id: customer.id, subscription };
}

let people = 0;

for (const { way, options } of WAYS) {
  test(`a failed payment's mail leads to another card and to paid, ${way}`, async (t) => {
    const email = `ada${people += 1}@example.com`;
    const who = await debtor(email);
    const text = await mail(email, say('letter.failed_subject', { amount: '€12.00', merchant: 'Halden' }));
    const url = link(text, 'm');
    // A server on the way looks first, and spoils nothing.
    for (let look = 0; look < 3; look += 1) assert.equal((await fetch(url)).status, 200);

    const page = await shop.opened.newPage(options);
    page.lively = options.javaScript !== false && options.wasm !== false;
    page.wasmBlocked = options.wasm === false;
    t.after(() => page.context().close());
    await page.goto(url);
    await page.getByRole('heading', { level: 1, name: say('letter.open_title') }).waitFor();
    await checkAccessible(page);
    await arrive(page, /^\/portal\/invoices\/in_/, () => page.getByRole('button', { name: say('letter.open_go') }).click());
    const path = new URL(page.url()).pathname;
    await arrive(page, '/portal/payment-methods/new', () => page.getByRole('link', { name: say('invoice.other_card') }).click());
    for (const [field, value] of Object.entries({ number: '4242424242424242', expiry: '12 / 40', cvc: '123', name: 'Ada' })) {
      await page.locator(`#${field}`).fill(value);
    }
    await arrive(page, path, () => page.getByRole('button', { name: say('card.save') }).click());
    const pay = page.getByRole('button', { name: say('invoice.pay', { amount: '€12.00' }) });
    await pay.click();
    await page.getByRole('status').filter({ hasText: say('done.invoice_paid') }).waitFor();
    const invoice = await shop.stripe.invoices.retrieve(path.split('/').pop());
    assert.equal(invoice.status, 'paid');
    assert.equal((await shop.stripe.subscriptions.retrieve(who.subscription.id)).status, 'active');

    // The link still lets its reader in, now to an invoice that is paid.
    await page.goto(url);
    await arrive(page, path, () => page.getByRole('button', { name: say('letter.open_go') }).click());
    await page.getByText(/^Paid on \d/).first().waitFor();
    assertTidy(page);
  });

  test(`receipts are stopped from the mail, and come again, ${way}`, async (t) => {
    const email = `grace${people += 1}@example.com`;
    await shop.customer({ email });
    const text = await mail(email, say('letter.receipt_subject', { amount: '€12.00', merchant: 'Halden' }));
    const url = link(text, 'u');
    const page = await shop.opened.newPage(options);
    page.wasmBlocked = options.wasm === false;
    t.after(() => page.context().close());
    await page.goto(url);
    await page.getByRole('heading', { level: 1, name: say('letter.stop_title') }).waitFor();
    await page.getByRole('button', { name: say('letter.stop_go') }).click();
    await page.getByRole('heading', { level: 1, name: say('letter.stopped_title') }).waitFor();
    await checkAccessible(page);
    await page.getByRole('button', { name: say('letter.stop_undo') }).click();
    await page.getByRole('heading', { level: 1, name: say('letter.undone_title') }).waitFor();

    // As a mail program does it by itself.
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
    assert.equal((await fetch(url, { method: 'POST', body })).status, 200);
    await page.goto(url);
    await page.getByRole('heading', { level: 1, name: say('letter.stopped_title') }).waitFor();
    assertTidy(page);
  });
}

test('the development page shows a mail in every form', async (t) => {
  const email = `lin${people += 1}@example.com`;
  await shop.customer({ email, locale: 'zh' });
  const { id, subject } = await until(async () => (await mailsTo(email))[0], 'no mail came');
  const page = await shop.opened.newPage();
  t.after(() => page.context().close());
  await page.goto(`${shop.server.url}/dev/mail/${id}`);
  await page.getByRole('heading', { level: 1, name: subject }).waitFor();
  const letter = page.frameLocator('iframe').first();
  await letter.getByRole('heading', { level: 1 }).waitFor();
  assert.equal(await letter.locator('html').getAttribute('lang'), 'zh');
  const pdf = await fetch(`${shop.server.url}/dev/mail/${id}/pdf`);
  assert.equal(pdf.headers.get('content-type'), 'application/pdf');
  assertTidy(page);
});
