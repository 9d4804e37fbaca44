// What a contract and meters come to while the period runs, what was given back of an invoice, and the date of a
// customer whose time is a test clock's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { assertTidy, openShop, WAYS } from './shop.mjs';
import { say, words } from './words.mjs';

const shop = openShop(furnish);
let metered;

async function furnish() {
  const { stripe } = shop;
  const meter = await stripe.billing.meters.create({
    display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' },
  });
  metered = await stripe.prices.create({
    currency: 'eur', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    product_data: { name: 'API calls' }, billing_scheme: 'tiered', tiers_mode: 'graduated',
    tiers: [{ up_to: 1000, unit_amount: 2 }, { up_to: 'inf', unit_amount: 1 }],
  });
}

const use = (who, value) => shop.stripe.billing.meterEvents.create({
  event_name: 'calls', payload: { stripe_customer_id: who.id, value: String(value) },
});

for (const { way, options } of WAYS) {
  test(`usage, its price and what is missing of a commitment, ${way}`, async (t) => {
    const who = await shop.customer({ plan: null });
    await shop.stripe.subscriptions.create({
      customer: who.id, items: [{ price: shop.plans.team.month.id }, { price: metered.id }],
      minimum_commitment: { amount: 10_000, period: 'billing_period' },
    });
    await use(who, 400);
    const page = await shop.visit(who, { t, ...options });
    const promised = page.locator('.fact', { hasText: say('home.commitment') });
    const used = page.locator('.fact', { hasText: 'API calls' });
    await used.getByText(say('home.usage_tier', { price: '€0.02', last: '1,000' })).waitFor();
    await used.getByText('€8.00').waitFor();
    // 29 euros for the month and 8 for usage.
    await promised.getByText('€37.00').waitFor();
    await promised.getByText(say('home.commitment_missing', { missing: '€63.00' })).waitFor();
    await checkAccessible(page);
    await use(who, 6_600);
    await page.reload();
    await used.getByText(say('home.usage_last_tier', { price: '€0.01' })).waitFor();
    await promised.getByText(say('home.commitment_met')).waitFor();
    assertTidy(page);
  });

  test(`when usage is billed early, ${way}`, async (t) => {
    const who = await shop.customer({ plan: null });
    await shop.stripe.subscriptions.create({
      customer: who.id, items: [{ price: metered.id, billing_thresholds: { usage_gte: 5_000 } }],
      billing_thresholds: { amount_gte: 50_000 },
    });
    const page = await shop.visit(who, { t, ...options });
    const early = page.locator('.fact', { hasText: say('home.early') });
    await early.getByText(say('home.early_amount', { amount: '€500.00' })).waitFor();
    await early.getByText(say('home.early_units', { product: 'API calls', units: '5,000' })).waitFor();
    await checkAccessible(page);
    assertTidy(page);
  });

  test(`what was given back of an invoice, ${way}`, async (t) => {
    const who = await shop.customer({ plan: 'team' });
    const { stripe } = shop;
    const [invoice] = (await stripe.invoices.list({ customer: who.id })).data;
    const note = await stripe.creditNotes.create({ invoice: invoice.id, amount: 500, credit_amount: 200, refund_amount: 300 });
    const payments = await stripe.invoicePayments.list({ invoice: invoice.id });
    await stripe.refunds.create({ payment_intent: payments.data[0].payment.payment_intent, amount: 400 });
    const page = await shop.visit(who, { t, path: `/portal/invoices/${invoice.id}`, ...options });
    const row = page.getByRole('row').filter({ hasText: say('invoice.credit_note', { number: note.number }) });
    await row.getByText('€3.00').waitFor();
    await row.getByText(say('invoice.to_balance')).waitFor();
    await row.getByText('€5.00', { exact: true }).waitFor();
    const alone = page.getByRole('row').filter({ hasText: '€4.00' });
    await alone.getByText(say('invoice.refund'), { exact: true }).waitFor();
    assert.equal(await page.getByRole('row').filter({ hasText: '€3.00' }).count(), 1, 'a refund is told twice');
    await checkAccessible(page);
    assertTidy(page);
  });

  test(`what the merchant gave back past the card, ${way}`, async (t) => {
    const who = await shop.customer({ plan: null });
    const { stripe } = shop;
    const draft = await stripe.invoices.create({ customer: who.id, currency: 'eur', collection_method: 'send_invoice', days_until_due: 30 });
    await stripe.invoices.addLines(draft.id, { lines: [{ amount: 2_500, description: 'Hours' }] });
    const invoice = await stripe.invoices.finalizeInvoice(draft.id);
    const at = Math.floor(Date.now() / 1000);
    const record = await stripe.paymentRecords.reportPayment({
      amount_requested: { value: 2_500, currency: 'eur' }, initiated_at: at - 100, customer_details: { customer: who.id },
      payment_method_details: { type: 'custom', custom: { display_name: 'Cheque' } },
      outcome: 'guaranteed', guaranteed: { guaranteed_at: at - 50 },
    });
    await stripe.invoices.attachPayment(invoice.id, { payment_record: record.id });
    await stripe.paymentRecords.reportRefund(record.id, {
      amount: { value: 700, currency: 'eur' }, initiated_at: at - 20, outcome: 'refunded', refunded: { refunded_at: at - 10 },
      processor_details: { type: 'custom', custom: { refund_reference: '7' } },
    });
    const page = await shop.visit(who, { t, path: `/portal/invoices/${invoice.id}`, ...options });
    const row = page.getByRole('row').filter({ hasText: '€7.00' });
    await row.getByText(say('invoice.refund'), { exact: true }).waitFor();
    await row.getByText(say('invoice.otherwise')).waitFor();
    await checkAccessible(page);
    assertTidy(page);
  });

  test(`a customer of a test clock sees its date, ${way}`, async (t) => {
    const frozen = Date.UTC(2031, 2, 3) / 1000;
    const clock = await shop.stripe.testHelpers.testClocks.create({ frozen_time: frozen });
    const who = await shop.customer({ customer: { test_clock: clock.id } });
    for (const tag of ['en', 'fr']) {
      const page = await shop.visit(await shop.link(who.id, { locale: tag }), { t, ...options });
      const months = words(tag)('format.months').split('|');
      await page.getByText(words(tag)('shell.simulated', { date: `3 ${months[2]} 2031` })).waitFor();
      await checkAccessible(page);
      assertTidy(page);
    }
    const other = await shop.visit(await shop.customer(), { t, ...options });
    assert.equal(await other.getByText(/Simulated date/).count(), 0);
  });
}
