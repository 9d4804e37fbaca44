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

test('a payment without an invoice is held, given back, and pays an invoice when it is attached', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const card = customer.invoice_settings.default_payment_method;
  const wish = { amount: 6000, currency: 'usd', customer: customer.id };
  assert.equal((await refused(stripe.paymentIntents.create({ ...wish, confirm: true }))).param, 'payment_method');
  assert.equal((await refused(stripe.paymentIntents.create({ ...wish, off_session: true }))).param, 'off_session');
  assert.equal((await refused(stripe.paymentIntents.create({ ...wish, amount: 5, payment_method: card, confirm: true }))).param, 'amount');

  const held = await stripe.paymentIntents.create({ ...wish, payment_method: card, confirm: true, off_session: true });
  assert.deepEqual([held.status, held.amount_received], ['succeeded', 6000]);
  const accounts = async () => (await audit(server)).books[0].accounts;
  assert.deepEqual([(await accounts()).unapplied_payments.ledger, (await accounts()).cash.ledger], [-6000, 6000]);
  assert.equal((await refused(stripe.paymentIntents.confirm(held.id))).code, 'payment_intent_unexpected_state');
  assert.equal((await refused(stripe.paymentIntents.cancel(held.id))).code, 'payment_intent_unexpected_state');
  const back = await stripe.refunds.create({ payment_intent: held.id, amount: 1000 });
  assert.equal(back.status, 'succeeded');
  assert.equal((await accounts()).unapplied_payments.ledger, -5000);

  const invoice = await opened(stripe, customer, 8000);
  let now = await stripe.invoices.attachPayment(invoice.id, { payment_intent: held.id, expand: ['payments'] });
  assert.deepEqual([now.status, now.amount_paid, now.amount_remaining], ['open', 5000, 3000]);
  assert.equal((await accounts()).unapplied_payments?.ledger ?? 0, 0);
  assert.equal((await refused(stripe.invoices.attachPayment(invoice.id, { payment_intent: held.id }))).param, 'payment_intent');

  // Confirmed later, and more than is still owed.
  const later = await stripe.paymentIntents.create({ ...wish, amount: 4000, description: 'Deposit' });
  assert.equal(later.status, 'requires_payment_method');
  const changed = await stripe.paymentIntents.update(later.id, { amount: 4500, payment_method: card });
  assert.deepEqual([changed.status, changed.amount], ['requires_confirmation', 4500]);
  assert.equal((await refused(stripe.paymentIntents.update(later.id, { amount: 5 }))).code, 'amount_too_small');
  assert.equal((await stripe.paymentIntents.update(later.id, { amount: 4000 })).amount, 4000);
  assert.equal((await refused(stripe.paymentIntents.update(held.id, { amount: 4000 }))).code, 'payment_intent_unexpected_state');
  assert.equal((await stripe.paymentIntents.confirm(later.id, { payment_method: card })).status, 'succeeded');
  now = await stripe.invoices.attachPayment(invoice.id, { payment_intent: later.id });
  assert.deepEqual([now.status, now.amount_paid, now.amount_overpaid], ['paid', 8000, 1000]);
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, -1000);
  const whole = await stripe.refunds.create({ payment_intent: held.id });
  assert.equal(whole.amount, 5000);
  const listed = await stripe.invoicePayments.list({ invoice: invoice.id, status: 'paid' });
  assert.deepEqual(listed.data.map((own) => own.amount_paid).sort(), [3000, 5000]);
  assert.equal((await accounts()).cash.ledger, 4000);
});

test('a cheque that is given back is reported, and never beyond what credit notes leave', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const report = (outcome) => stripe.paymentRecords.reportPayment({
    amount_requested: { value: 5000, currency: 'usd' }, initiated_at: 1_700_000_000,
    payment_method_details: { type: 'custom', custom: { display_name: 'Cheque' } },
    customer_details: { customer: customer.id }, ...outcome,
  });
  const back = (record, value, more = {}) => stripe.paymentRecords.reportRefund(record.id, {
    outcome: 'refunded', refunded: { refunded_at: 1_700_000_200 },
    processor_details: { type: 'custom', custom: { refund_reference: '7' } },
    ...(value ? { amount: { value, currency: 'usd' } } : {}), ...more,
  });
  const sure = { outcome: 'guaranteed', guaranteed: { guaranteed_at: 1_700_000_100 } };
  assert.equal((await refused(back(await report({}), 100))).status, 400);
  const cheque = await report(sure);
  assert.equal((await refused(back(cheque, 5001))).param, 'amount[value]');
  assert.equal((await refused(back(cheque, 0, { amount: { value: 5, currency: 'eur' } }))).param, 'amount[currency]');
  const less = await back(cheque, 1000, { metadata: { why: 'late' } });
  assert.deepEqual([less.amount_refunded.value, less.metadata.why], [1000, 'late']);
  const invoice = await opened(stripe, customer, 6000);
  const part = await stripe.invoices.attachPayment(invoice.id, { payment_record: cheque.id });
  assert.deepEqual([part.amount_paid, part.amount_remaining], [4000, 2000]);
  await back(cheque, 1500);
  const paid = await stripe.invoices.pay(invoice.id);
  assert.equal(paid.status, 'paid');
  const note = (amount) => stripe.creditNotes.create({ invoice: invoice.id, amount, out_of_band_amount: amount });
  assert.equal((await refused(note(4501))).param, 'out_of_band_amount');
  await note(2500);
  assert.equal((await refused(back(cheque, 2001))).param, 'amount[value]');
  assert.equal((await back(cheque, 2000)).amount_refunded.value, 4500);
  assert.equal((await refused(back(cheque))).param, 'amount[value]');
  const { accounts } = (await audit(server)).books[0];
  assert.deepEqual([accounts.out_of_band.ledger, accounts.refunds.ledger], [-2000, 3500]);
});

test('a payment without an invoice that is refused or waits for its proof takes nothing', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const wish = { amount: 6000, currency: 'usd', confirm: true };
  const poor = await payer(stripe, 'pm_card_chargeCustomerFail');
  const declined = await refused(stripe.paymentIntents.create({
    ...wish, customer: poor.id, payment_method: poor.invoice_settings.default_payment_method,
  }));
  assert.equal(declined.status, 402);
  const [tried] = (await stripe.paymentIntents.list({ customer: poor.id })).data;
  assert.equal(tried.status, 'requires_payment_method');
  const other = await stripe.paymentMethods.attach('pm_card_visa', { customer: poor.id });
  assert.equal((await stripe.paymentIntents.confirm(tried.id, { payment_method: other.id })).status, 'succeeded');
  const careful = await payer(stripe, 'pm_card_authenticationRequired');
  const waits = await stripe.paymentIntents.create({
    ...wish, customer: careful.id, payment_method: careful.invoice_settings.default_payment_method,
  });
  assert.equal(waits.status, 'requires_action');
  assert.ok(waits.next_action.redirect_to_url.url);
  const given = await stripe.paymentIntents.cancel(waits.id);
  assert.equal(given.status, 'canceled');
  assert.equal((await audit(server)).books[0].accounts.cash.ledger, 6000);
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

  // Of all invoices together, too.
  await opened(stripe, customer, 7000);
  const all = (status, more) => stripe.invoicePayments.list({ status, ...more });
  assert.deepEqual((await all('canceled', { limit: 1 })).data.map((own) => own.id), canceled.data.map((own) => own.id));
  const page = await all('paid', { limit: 10 });
  assert.deepEqual([page.data.length, page.has_more], [10, true]);
  const end = await all('paid', { limit: 10, starting_after: page.data.at(-1).id });
  assert.deepEqual([end.data.length, end.has_more], [cheques - 10, false]);
  const open = await all('open', { limit: 1 });
  assert.deepEqual([open.data.length, open.has_more], [1, true]);
  const older = await all('open', { starting_after: open.data[0].id });
  assert.deepEqual([older.data.map((own) => own.invoice), older.has_more], [[invoice.id], false]);
  await audit(server);
});
