// Invoices by hand, credit notes, refunds and balances, as a merchant's program makes them. At the end
// of each test the audit proves the books.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit, monthly, openOffice, payer, refused } from './office.mjs';

/** The kinds of events about an object, oldest first. */
async function events(stripe, id) {
  const kinds = [];
  for await (const event of stripe.events.list({ limit: 100 })) {
    if (event.data.object.id === id) kinds.push(event.type);
  }
  return kinds.reverse();
}

test('an invoice is written, changed, finalised and paid', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const vat = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
  const coupon = await stripe.coupons.create({ percent_off: 10, duration: 'once' });

  const waiting = await stripe.invoiceItems.create({
    customer: customer.id, amount: 1500, currency: 'usd', description: 'Setting up',
  });
  assert.equal(waiting.invoice, null);
  const draft = await stripe.invoices.create({
    customer: customer.id, pending_invoice_items_behavior: 'include', default_tax_rates: [vat.id],
    description: 'Thank you', footer: 'Net 30', custom_fields: [{ name: 'PO', value: '42' }], metadata: { order: '7' },
    discounts: [{ coupon: coupon.id }],
  });
  assert.equal(draft.status, 'draft');
  assert.equal(draft.auto_advance, false);
  assert.equal(draft.billing_reason, 'manual');
  assert.equal(draft.number, null);
  assert.equal(draft.subtotal, 1500);
  assert.equal(draft.total, 1620);
  assert.deepEqual(draft.custom_fields, [{ name: 'PO', value: '42' }]);
  assert.equal((await stripe.invoiceItems.retrieve(waiting.id)).invoice, draft.id);

  const oneTime = await stripe.prices.create({ currency: 'usd', unit_amount: 500, product_data: { name: 'Cable' } });
  let changed = await stripe.invoices.addLines(draft.id, {
    lines: [
      { pricing: { price: oneTime.id }, quantity: 3 },
      { amount: 1000, description: 'Untaxed', tax_rates: '', discountable: false },
    ],
  });
  assert.deepEqual(changed.lines.data.map((line) => line.amount), [1500, 1500, 1000]);
  const cables = changed.lines.data[1];
  assert.equal(cables.description, 'Cable');
  assert.equal(cables.quantity, 3);
  assert.equal(cables.pricing.price_details.price, oneTime.id);
  changed = await stripe.invoices.updateLines(draft.id, { lines: [{ id: cables.id, quantity: 2 }] });
  assert.equal(changed.lines.data[1].amount, 1000);
  const line = await stripe.invoices.updateLineItem(draft.id, changed.lines.data[2].id, { description: 'By hand' });
  assert.equal(line.description, 'By hand');
  changed = await stripe.invoices.removeLines(draft.id, { lines: [{ id: line.id, behavior: 'delete' }] });
  assert.equal(changed.lines.data.length, 2);
  // (1500 + 1000) − 10 %, then 20 % on each line.
  assert.equal(changed.total, 2700);

  const open = await stripe.invoices.finalizeInvoice(draft.id);
  assert.equal(open.status, 'open');
  assert.match(open.number, /-0001$/);
  assert.equal(open.amount_remaining, 2700);
  const no = await refused(stripe.invoices.addLines(draft.id, { lines: [{ amount: 1 }] }));
  assert.equal(no.code, 'invoice_not_editable');
  assert.equal((await refused(stripe.invoices.update(draft.id, { description: 'x' }))).param, 'description');
  const noted = await stripe.invoices.update(draft.id, { metadata: { order: '8' } });
  assert.equal(noted.metadata.order, '8');
  assert.equal((await refused(stripe.invoices.del(draft.id))).code, 'invoice_not_editable');
  assert.equal((await refused(stripe.invoiceItems.del(waiting.id))).code, 'invoice_not_editable');

  const paid = await stripe.invoices.pay(draft.id, { expand: ['payments.data.payment.payment_intent'] });
  assert.equal(paid.status, 'paid');
  assert.equal(paid.payments.data[0].payment.payment_intent.amount_received, 2700);
  const payments = await stripe.invoicePayments.list({ invoice: draft.id });
  assert.deepEqual(payments.data.map((one) => [one.status, one.amount_paid]), [['paid', 2700]]);
  assert.equal((await stripe.invoicePayments.retrieve(payments.data[0].id)).invoice, draft.id);
  const kinds = await events(stripe, draft.id);
  for (const kind of ['invoice.created', 'invoice.updated', 'invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded']) {
    assert.ok(kinds.includes(kind), `${kind} in ${kinds}`);
  }
  await audit(server);
});

test('drafts go, items wait again, invoices move by themselves or are paid elsewhere', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const item = await stripe.invoiceItems.create({ customer: customer.id, amount: 700, currency: 'usd' });
  const draft = await stripe.invoices.create({ customer: customer.id, pending_invoice_items_behavior: 'include' });
  const added = await stripe.invoiceItems.create({ customer: customer.id, invoice: draft.id, amount: 300 });
  assert.equal((await stripe.invoices.retrieve(draft.id)).total, 1000);
  await stripe.invoiceItems.update(added.id, { amount: 400 });
  assert.equal((await stripe.invoices.retrieve(draft.id)).total, 1100);
  assert.equal((await stripe.invoices.del(draft.id)).deleted, true);
  assert.equal((await stripe.invoiceItems.retrieve(item.id)).invoice, null);
  assert.equal((await refused(stripe.invoiceItems.retrieve(added.id))).status, 404);
  const pending = await stripe.invoiceItems.list({ customer: customer.id, pending: true });
  assert.deepEqual(pending.data.map((one) => one.id), [item.id]);
  assert.equal((await stripe.invoiceItems.del(item.id)).deleted, true);

  const outside = await stripe.invoices.create({ customer: customer.id, currency: 'usd', collection_method: 'send_invoice', days_until_due: 14 });
  assert.equal(outside.due_date, outside.created + 14 * 86400);
  await stripe.invoiceItems.create({ customer: customer.id, invoice: outside.id, amount: 9900 });
  const sent = await stripe.invoices.sendInvoice(outside.id);
  assert.equal(sent.status, 'open');
  const settled = await stripe.invoices.pay(outside.id, { paid_out_of_band: true });
  assert.equal(settled.status, 'paid');
  assert.equal(settled.amount_remaining, 0);
  assert.equal((await refused(stripe.invoices.pay(outside.id, { paid_out_of_band: true }))).message, 'Invoice is already paid');
  assert.ok((await events(stripe, outside.id)).includes('invoice.sent'));

  const own = await stripe.invoices.create({ customer: customer.id, currency: 'usd', number: 'SPECIAL-1', auto_advance: true });
  assert.equal(own.automatically_finalizes_at, own.created + 3600);
  const small = await stripe.invoiceItems.create({ customer: customer.id, invoice: own.id, amount: 20 });
  assert.equal(small.invoice, own.id);
  const free = await stripe.invoices.finalizeInvoice(own.id);
  assert.equal(free.number, 'SPECIAL-1');
  assert.equal(free.status, 'paid');
  assert.equal(free.ending_balance, 20);
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, 20);

  assert.equal((await refused(stripe.invoices.create({ customer: 'cus_nobody' }))).param, 'customer');
  assert.equal((await refused(stripe.invoices.create({ customer: customer.id, currency: 'eur' }))).param, 'currency');
  assert.equal((await refused(stripe.invoices.create({ customer: customer.id, days_until_due: 3 }))).param, 'days_until_due');
  assert.equal((await refused(stripe.invoices.create({ customer: customer.id, shipping_cost: {  shipping_rate: 'x' } }))).code, 'parameter_unknown');
  const report = await audit(server);
  assert.equal(report.books[0].accounts.out_of_band.ledger, 9900);
});

test('credit notes take back what is to be paid and give back what was', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const vat = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
  async function invoice(amounts) {
    const draft = await stripe.invoices.create({ customer: customer.id, currency: 'usd', default_tax_rates: [vat.id] });
    await stripe.invoices.addLines(draft.id, { lines: amounts.map((amount) => ({ amount, description: `For ${amount}` })) });
    return stripe.invoices.finalizeInvoice(draft.id);
  }

  const open = await invoice([1000, 500]);
  assert.equal(open.amount_due, 1800);
  const [first, second] = open.lines.data;
  const wish = { invoice: open.id, lines: [{ type: 'invoice_line_item', invoice_line_item: first.id, amount: 300 }] };
  const preview = await stripe.creditNotes.preview(wish);
  assert.equal(preview.total, 360);
  assert.equal((await stripe.creditNotes.listPreviewLineItems(wish)).data[0].amount, 300);
  const note = await stripe.creditNotes.create({ ...wish, reason: 'order_change', memo: 'Sorry', metadata: { a: 'b' } });
  assert.equal(note.total, preview.total);
  assert.equal(note.type, 'pre_payment');
  assert.equal(note.pre_payment_amount, 360);
  assert.match(note.number, /-0001-CN-01$/);
  assert.equal(note.total_taxes[0].amount, 60);
  const less = await stripe.invoices.retrieve(open.id);
  assert.equal(less.amount_due, 1440);
  assert.equal(less.pre_payment_credit_notes_amount, 360);
  assert.equal((await stripe.creditNotes.listLineItems(note.id)).data[0].invoice_line_item, first.id);
  assert.equal((await stripe.creditNotes.update(note.id, { memo: 'Really' })).memo, 'Really');
  const voided = await stripe.creditNotes.voidCreditNote(note.id);
  assert.equal(voided.status, 'void');
  assert.equal((await stripe.invoices.retrieve(open.id)).amount_due, 1800);
  const most = await refused(stripe.creditNotes.create({
    invoice: open.id, lines: [{ type: 'invoice_line_item', invoice_line_item: second.id, amount: 501 }],
  }));
  assert.equal(most.param, 'lines[0][amount]');
  const all = await stripe.creditNotes.create({
    invoice: open.id,
    lines: [first, second].map((line) => ({ type: 'invoice_line_item', invoice_line_item: line.id, quantity: 1 })),
  });
  assert.equal(all.total, 1800);
  const gone = await stripe.invoices.retrieve(open.id);
  assert.equal(gone.status, 'paid');
  assert.equal(gone.amount_paid, 0);
  assert.match((await refused(stripe.creditNotes.voidCreditNote(all.id))).message, /open invoices/);

  const other = await stripe.invoices.pay((await invoice([2000])).id);
  assert.equal(other.amount_paid, 2400);
  const split = await refused(stripe.creditNotes.create({ invoice: other.id, amount: 500 }));
  assert.equal(split.param, 'refund_amount');
  const given = await stripe.creditNotes.create({
    invoice: other.id, amount: 500, refund_amount: 100, credit_amount: 200, out_of_band_amount: 200,
    expand: ['refunds.refund', 'customer_balance_transaction'],
  });
  assert.equal(given.type, 'post_payment');
  assert.equal(given.post_payment_amount, 500);
  assert.equal(given.out_of_band_amount, 200);
  assert.equal(given.refunds[0].refund.amount, 100);
  assert.equal(given.customer_balance_transaction.type, 'credit_note');
  assert.equal(given.customer_balance_transaction.credit_note, given.id);
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, -200);
  assert.equal((await stripe.invoices.retrieve(other.id)).post_payment_credit_notes_amount, 500);
  assert.equal((await refused(stripe.creditNotes.create({ invoice: other.id, amount: 1901, out_of_band_amount: 1901 }))).param, 'amount');
  const listed = await stripe.creditNotes.list({ invoice: other.id });
  assert.deepEqual(listed.data.map((one) => one.id), [given.id]);
  assert.equal((await stripe.creditNotes.list({ customer: customer.id })).data.length, 3);
  assert.deepEqual(await events(stripe, note.id), ['credit_note.created', 'credit_note.updated', 'credit_note.voided']);
  assert.equal((await refused(stripe.creditNotes.create({ invoice: (await stripe.invoices.create({ customer: customer.id })).id, amount: 5 }))).status, 400);
  const report = await audit(server);
  const accounts = report.books[0].accounts;
  assert.equal(accounts.cash.ledger, 2300);
  assert.equal(accounts.refundable.ledger, 0);
  assert.equal(accounts.out_of_band.ledger, -200);
  assert.equal(accounts.customer_balance.ledger, -200);
});

test('a credit note stands for refunds that were made before, and never gives twice', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const draft = await stripe.invoices.create({ customer: customer.id, currency: 'usd' });
  await stripe.invoices.addLines(draft.id, { lines: [{ amount: 10_000, description: 'Consulting' }] });
  const invoice = await stripe.invoices.pay(draft.id, { expand: ['payments'] });
  const intent = invoice.payments.data[0].payment.payment_intent;
  const direct = await stripe.refunds.create({ payment_intent: intent, amount: 4000 });
  const note = (more) => stripe.creditNotes.create({ invoice: invoice.id, amount: 10_000, ...more });
  for (const [more, param] of [
    [{ credit_amount: 10_000 }, 'credit_amount'],
    [{ out_of_band_amount: 10_000 }, 'out_of_band_amount'],
    [{ refund_amount: 10_000 }, 'refund_amount'],
    [{ refund_amount: 6000 }, 'refund_amount'],
    [{ refund_amount: 5000, refunds: [{ refund: direct.id, amount_refunded: 5000 }] }, 'refunds[0][amount_refunded]'],
    [{ refund_amount: 6000, refunds: [{ refund: 're_unknown' }] }, 'refunds[0][refund]'],
    [{ refund_amount: 6000, refunds: [{ amount_refunded: 4000 }] }, 'refunds[0][refund]'],
  ]) {
    assert.equal((await refused(note(more))).param, param, JSON.stringify(more));
  }
  const given = await note({ refund_amount: 2000, credit_amount: 4000, refunds: [{ refund: direct.id }], expand: ['refunds.refund'] });
  assert.deepEqual(given.refunds.map((own) => own.amount_refunded), [4000, 2000]);
  assert.equal(given.refunds[0].refund.id, direct.id);
  const more = await refused(stripe.refunds.create({ payment_intent: intent, amount: 1 }));
  assert.equal(more.param, 'amount');
  const { accounts } = (await audit(server)).books[0];
  assert.deepEqual([accounts.cash.ledger, accounts.refunds?.ledger ?? 0, accounts.refundable.ledger], [4000, 0, 0]);
});

test('dinars are charged in tens of fils, and the rest waits for the next invoice', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  async function paid(amount) {
    const draft = await stripe.invoices.create({ customer: customer.id, currency: 'kwd' });
    await stripe.invoices.addLines(draft.id, { lines: [{ amount, description: 'Consulting' }] });
    return stripe.invoices.pay(draft.id, { expand: ['payments'] });
  }
  const first = await paid(5124);
  assert.deepEqual([first.total, first.amount_due, first.amount_paid, first.ending_balance], [5124, 5120, 5120, 4]);
  const second = await paid(5126);
  assert.deepEqual([second.total, second.amount_due, second.ending_balance], [5126, 5130, 0]);
  const intent = first.payments.data[0].payment.payment_intent;
  assert.equal((await refused(stripe.refunds.create({ payment_intent: intent, amount: 5 }))).param, 'amount');
  const wish = { customer: customer.id, currency: 'kwd' };
  assert.equal((await refused(stripe.paymentIntents.create({ ...wish, amount: 5124 }))).param, 'amount');
  assert.equal((await stripe.paymentIntents.create({ ...wish, amount: 5120 })).amount, 5120);
  const note = (more) => stripe.creditNotes.create({ invoice: first.id, ...more });
  assert.equal((await refused(note({ amount: 5124, refund_amount: 5124 }))).param, 'refund_amount');
  assert.equal((await note({ amount: 5124, refund_amount: 5120, credit_amount: 4 })).total, 5124);
  await audit(server);
});

test('refunds go back once, in parts, also to customers who are gone', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const price = await monthly(stripe, 3000);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], expand: ['latest_invoice.payments'],
  });
  const intent = subscription.latest_invoice.payments.data[0].payment.payment_intent;
  const before = await stripe.paymentIntents.retrieve(intent, { expand: ['latest_charge'] });
  const charge = before.latest_charge;
  assert.equal(charge.status, 'succeeded');
  assert.equal(charge.amount, 3000);
  const part = await stripe.refunds.create({
    payment_intent: intent, amount: 1000, reason: 'requested_by_customer', metadata: { ticket: '9' },
  });
  assert.equal(part.status, 'succeeded');
  assert.equal(part.charge, charge.id);
  assert.equal((await refused(stripe.refunds.create({ payment_intent: intent, amount: 2001 }))).param, 'amount');
  assert.equal((await refused(stripe.refunds.create({ amount: 5 }))).param, 'payment_intent');
  assert.equal((await refused(stripe.refunds.create({ payment_intent: 'pi_no' }))).param, 'payment_intent');
  assert.equal((await stripe.charges.retrieve(charge.id)).amount_refunded, 1000);
  await stripe.customers.del(customer.id);
  const rest = await stripe.refunds.create({ charge: charge.id });
  assert.equal(rest.amount, 2000);
  const whole = await stripe.charges.retrieve(charge.id);
  assert.equal(whole.refunded, true);
  assert.equal((await refused(stripe.refunds.create({ charge: charge.id }))).code, 'charge_already_refunded');
  assert.equal((await stripe.invoices.retrieve(subscription.latest_invoice.id)).status, 'paid');
  const listed = await stripe.refunds.list({ payment_intent: intent });
  assert.deepEqual(listed.data.map((one) => one.amount), [2000, 1000]);
  assert.equal((await stripe.refunds.update(part.id, { metadata: { ticket: '10' } })).metadata.ticket, '10');
  assert.equal((await refused(stripe.refunds.cancel(part.id))).status, 400);
  assert.ok((await events(stripe, charge.id)).includes('charge.refunded'));
  assert.deepEqual((await events(stripe, rest.id)).slice(0, 2), ['refund.created', 'refund.updated']);

  assert.equal((await stripe.charges.update(charge.id, { metadata: { a: '1' } })).metadata.a, '1');
  assert.equal((await stripe.charges.list({ customer: customer.id })).data[0].id, charge.id);
  const noted = await stripe.paymentIntents.update(intent, { metadata: { b: '2' }, description: 'First' });
  assert.equal(noted.metadata.b, '2');
  assert.equal((await stripe.paymentIntents.list({ customer: customer.id })).data[0].id, intent);
  assert.equal((await refused(stripe.paymentIntents.capture(intent))).status, 400);
  assert.equal((await refused(stripe.paymentIntents.cancel(intent))).status, 400);

  const waits = await payer(stripe, 'pm_card_pendingRefund');
  const slow = await stripe.subscriptions.create({
    customer: waits.id, items: [{ price: price.id }], expand: ['latest_invoice.payments'],
  });
  const pending = await stripe.refunds.create({
    payment_intent: slow.latest_invoice.payments.data[0].payment.payment_intent, amount: 500,
  });
  assert.equal(pending.status, 'pending');
  const report = await audit(server);
  assert.equal(report.books[0].accounts.refunds.ledger, 3000);
  assert.equal(report.books[0].accounts.cash.ledger, 3000);
});

test('a first payment is confirmed through its intent, and balances are kept in both directions', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const price = await monthly(stripe, 2500);
  const credit = await stripe.customers.createBalanceTransaction(customer.id, {
    amount: -500, currency: 'usd', description: 'Welcome', metadata: { why: 'gift' },
  });
  assert.equal(credit.ending_balance, -500);
  assert.equal(credit.metadata.why, 'gift');
  const changed = await stripe.customers.updateBalanceTransaction(customer.id, credit.id, { metadata: { why: 'x' }, description: 'Hi' });
  assert.equal(changed.metadata.why, 'x');
  assert.equal(changed.description, 'Hi');
  const subscription = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], payment_behavior: 'default_incomplete', expand: ['latest_invoice.payments'],
  });
  assert.equal(subscription.status, 'incomplete');
  const intent = subscription.latest_invoice.payments.data[0].payment.payment_intent;
  assert.equal((await stripe.paymentIntents.retrieve(intent)).status, 'requires_confirmation');
  const done = await stripe.paymentIntents.confirm(intent);
  assert.equal(done.status, 'succeeded');
  assert.equal(done.amount_received, 2000);
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, 'active');
  const kinds = (await stripe.customers.listBalanceTransactions(customer.id)).data.map((one) => one.type);
  assert.deepEqual(kinds, ['applied_to_invoice', 'adjustment']);
  assert.equal((await refused(stripe.paymentIntents.create({ amount: 5, currency: 'usd' }))).status, 400);
  await audit(server);
});

test('a customer begins with a balance, and another balance is a change of it', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  for (const balance of ['much', '1.5', '', 1_000_000_000_000]) {
    const no = await refused(stripe.customers.create({ name: 'Nobody', balance }));
    assert.deepEqual([no.status, no.param, no.type], [400, 'balance', 'StripeInvalidRequestError'], `${balance}`);
  }
  assert.deepEqual((await stripe.customers.list()).data, [], 'nobody was made');
  const made = await stripe.customers.create({ name: 'Ada Lovelace', balance: -500, description: 'Came over' });
  assert.deepEqual([made.balance, made.currency, made.description], [-500, 'usd', 'Came over']);
  const entries = async () => (await stripe.customers.listBalanceTransactions(made.id)).data
    .map((own) => [own.type, own.amount, own.ending_balance, own.currency]);
  assert.deepEqual(await entries(), [['initial', -500, -500, 'usd']]);
  const [created] = (await stripe.events.list({ type: 'customer.created' })).data;
  assert.equal(created.data.object.balance, -500);
  const changed = await stripe.customers.update(made.id, { balance: -700, name: 'Ada' });
  assert.deepEqual([changed.balance, changed.name], [-700, 'Ada']);
  assert.equal((await refused(stripe.customers.update(made.id, { balance: 'much' }))).param, 'balance');
  await stripe.customers.update(made.id, { balance: -700 });
  assert.deepEqual(await entries(), [['adjustment', -200, -700, 'usd'], ['initial', -500, -500, 'usd']]);
  const { data: told } = await stripe.events.list({ type: 'customer.updated' });
  assert.deepEqual(told.map((event) => event.data.previous_attributes), [{ balance: -500, name: 'Ada Lovelace' }]);
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: made.id });
  const price = await monthly(stripe, 2500);
  const { latest_invoice: invoice } = await stripe.subscriptions.create({
    customer: made.id, items: [{ price: price.id }], default_payment_method: method.id, expand: ['latest_invoice'],
  });
  assert.deepEqual([invoice.status, invoice.starting_balance, invoice.amount_paid], ['paid', -700, 1800]);
  await audit(server);
});
