// Invoices that are paid in parts, as a merchant's program does it. The audit proves the books.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit, openOffice, payer, refused } from './office.mjs';

async function opened(stripe, customer, amount) {
  const draft = await stripe.invoices.create({ customer: customer.id, currency: 'usd' });
  await stripe.invoices.addLines(draft.id, { lines: [{ amount, description: 'Consulting' }] });
  return stripe.invoices.finalizeInvoice(draft.id);
}

test('payment intents and a cheque pay an invoice in parts', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const card = customer.invoice_settings.default_payment_method;
  const invoice = await opened(stripe, customer, 10_000);

  const intent = await stripe.paymentIntents.create({
    amount: 3000, currency: 'usd', customer: customer.id, payment_method: card, metadata: { part: '1' },
  });
  assert.equal(intent.status, 'requires_confirmation');
  const alone = await refused(stripe.paymentIntents.confirm(intent.id));
  assert.equal(alone.code, 'payment_intent_unexpected_state');
  let now = await stripe.invoices.attachPayment(invoice.id, { payment_intent: intent.id, expand: ['payments'] });
  assert.equal(now.status, 'open');
  assert.deepEqual(now.payments.data.map((own) => [own.is_default, own.status, own.amount_requested, own.amount_paid]), [
    [true, 'open', 10_000, null], [false, 'open', 3000, null],
  ]);
  assert.equal((await stripe.paymentIntents.confirm(intent.id)).status, 'succeeded');
  now = await stripe.invoices.retrieve(invoice.id);
  assert.deepEqual([now.amount_paid, now.amount_remaining, now.status], [3000, 7000, 'open']);

  const record = await stripe.paymentRecords.reportPayment({
    amount_requested: { value: 2500, currency: 'usd' }, initiated_at: 1_700_000_000,
    payment_method_details: { type: 'custom', custom: { display_name: 'Cheque' } },
    customer_details: { customer: customer.id }, outcome: 'guaranteed', guaranteed: { guaranteed_at: 1_700_000_100 },
    processor_details: { type: 'custom', custom: { payment_reference: '42' } },
  });
  assert.deepEqual(record.amount_guaranteed, { currency: 'usd', value: 2500 });
  assert.deepEqual((await stripe.paymentRecords.retrieve(record.id)), record);
  now = await stripe.invoices.attachPayment(invoice.id, { payment_record: record.id });
  assert.deepEqual([now.amount_paid, now.amount_remaining], [5500, 4500]);

  now = await stripe.invoices.pay(invoice.id, { expand: ['payments'] });
  assert.deepEqual([now.status, now.amount_paid, now.amount_remaining, now.amount_overpaid], ['paid', 10_000, 0, 0]);
  assert.equal(now.payments.data.reduce((sum, own) => sum + own.amount_paid, 0), 10_000);

  const listed = await stripe.invoicePayments.list({ invoice: invoice.id });
  assert.deepEqual(listed.data.map((own) => own.amount_paid).sort(), [2500, 3000, 4500]);
  for (const own of listed.data) assert.deepEqual((await stripe.invoicePayments.retrieve(own.id)).id, own.id);
  const byRecord = await stripe.invoicePayments.list({ payment: { type: 'payment_record', payment_record: record.id } });
  assert.equal(byRecord.data[0].invoice, invoice.id);
  const page = await stripe.invoicePayments.list({ invoice: invoice.id, limit: 1 });
  const rest = await stripe.invoicePayments.list({ invoice: invoice.id, starting_after: page.data[0].id });
  assert.equal(page.data.length + rest.data.length, 3);
  await audit(server);
});

test('what is paid beyond the rest is the customer\'s credit', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const invoice = await opened(stripe, customer, 5000);
  const intent = await stripe.paymentIntents.create({
    amount: 6500, currency: 'usd', customer: customer.id, payment_method: customer.invoice_settings.default_payment_method,
  });
  await stripe.invoices.attachPayment(invoice.id, { payment_intent: intent.id });
  await stripe.paymentIntents.confirm(intent.id);
  const paid = await stripe.invoices.retrieve(invoice.id);
  assert.deepEqual([paid.status, paid.amount_paid, paid.amount_overpaid], ['paid', 5000, 1500]);
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, -1500);
  const [change] = (await stripe.customers.listBalanceTransactions(customer.id)).data;
  assert.deepEqual([change.type, change.amount], ['invoice_overpaid', -1500]);
  const none = await refused(stripe.invoices.attachPayment(invoice.id, { payment_intent: intent.id }));
  assert.equal(none.code, 'invoice_not_payable');
  await audit(server);
});

test('a part that fails leaves the invoice as it was, and can be given up', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe, 'pm_card_chargeCustomerFail');
  const invoice = await opened(stripe, customer, 5000);
  const intent = await stripe.paymentIntents.create({
    amount: 2000, currency: 'usd', customer: customer.id, payment_method: customer.invoice_settings.default_payment_method,
  });
  await stripe.invoices.attachPayment(invoice.id, { payment_intent: intent.id });
  const declined = await refused(stripe.paymentIntents.confirm(intent.id));
  assert.equal(declined.status, 402);
  const after = await stripe.invoices.retrieve(invoice.id);
  assert.deepEqual([after.attempt_count, after.amount_paid], [invoice.attempt_count, 0]);
  const given = await stripe.paymentIntents.cancel(intent.id);
  assert.equal(given.status, 'canceled');
  const listed = await stripe.invoicePayments.list({ invoice: invoice.id, status: 'canceled' });
  assert.equal(listed.data.length, 1);
});

test('payments of an invoice are chosen by their status before they are paged', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const invoice = await opened(stripe, customer, 50_000);
  const intent = await stripe.paymentIntents.create({
    amount: 2000, currency: 'usd', customer: customer.id, payment_method: customer.invoice_settings.default_payment_method,
  });
  await stripe.invoices.attachPayment(invoice.id, { payment_intent: intent.id });
  await stripe.paymentIntents.cancel(intent.id);
  const cheques = 12;
  for (let made = 0; made < cheques; made += 1) {
    const record = await stripe.paymentRecords.reportPayment({
      amount_requested: { value: 10, currency: 'usd' }, initiated_at: 1_700_000_000,
      payment_method_details: { type: 'custom', custom: { display_name: 'Cheque' } },
      customer_details: { customer: customer.id }, outcome: 'guaranteed', guaranteed: { guaranteed_at: 1_700_000_100 },
      processor_details: { type: 'custom', custom: { payment_reference: `${made}` } },
    });
    await stripe.invoices.attachPayment(invoice.id, { payment_record: record.id });
  }
  const list = (status, more) => stripe.invoicePayments.list({ invoice: invoice.id, status, ...more });
  const canceled = await list('canceled', { limit: 1 });
  assert.deepEqual([canceled.data.map((own) => own.payment.payment_intent), canceled.has_more], [[intent.id], false]);
  assert.deepEqual((await list('open')).data.map((own) => own.is_default), [true]);
  const first = await list('paid', { limit: 10 });
  assert.deepEqual([first.data.length, first.has_more], [10, true]);
  const rest = await list('paid', { limit: 10, starting_after: first.data.at(-1).id });
  assert.deepEqual([rest.data.length, rest.has_more], [cheques - 10, false]);
  const back = await list('paid', { limit: 10, ending_before: rest.data[0].id });
  assert.deepEqual(back.data.map((own) => own.id), first.data.map((own) => own.id));
  await audit(server);
});
