// What the payer reads: on the receipt, on the statement of their card, and on the invoice.

import test from 'node:test';
import assert from 'node:assert/strict';
import { audit, openOffice, payer, refused } from './office.mjs';

test('a payment says where its receipt goes and what the statement says', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant('Halden Running Club');
  const customer = await payer(stripe);
  const base = { amount: 4_200, currency: 'usd', customer: customer.id, payment_method: customer.invoice_settings.default_payment_method };
  const plain = await stripe.paymentIntents.create(base);
  assert.deepEqual([plain.receipt_email, plain.statement_descriptor, plain.statement_descriptor_suffix], [null, null, null]);

  const made = await stripe.paymentIntents.create({ ...base, receipt_email: 'books@halden.example', statement_descriptor_suffix: 'ORDER 7' });
  assert.deepEqual([made.receipt_email, made.statement_descriptor_suffix], ['books@halden.example', 'ORDER 7']);
  const updated = await stripe.paymentIntents.update(made.id, { statement_descriptor_suffix: 'ORDER 8' });
  assert.deepEqual([updated.receipt_email, updated.statement_descriptor_suffix], ['books@halden.example', 'ORDER 8']);
  assert.equal((await stripe.paymentIntents.update(made.id, { receipt_email: '' })).receipt_email, null);
  const paid = await stripe.paymentIntents.confirm(made.id, { receipt_email: 'ada@office.example', expand: ['latest_charge'] });
  assert.deepEqual([paid.status, paid.receipt_email], ['succeeded', 'ada@office.example']);
  const charge = paid.latest_charge;
  assert.deepEqual(
    [charge.receipt_email, charge.statement_descriptor, charge.statement_descriptor_suffix, charge.calculated_statement_descriptor],
    ['ada@office.example', null, 'ORDER 8', 'Halden Run* ORDER 8'],
  );
  assert.deepEqual(JSON.parse(JSON.stringify(await stripe.charges.retrieve(charge.id))), JSON.parse(JSON.stringify(charge)));
  const [listed] = (await stripe.charges.list({ payment_intent: paid.id })).data;
  assert.equal(listed.calculated_statement_descriptor, 'Halden Run* ORDER 8');
  const other = await stripe.charges.update(charge.id, { receipt_email: 'tax@office.example' });
  assert.equal(other.receipt_email, 'tax@office.example');
  const whole = await stripe.paymentIntents.confirm(plain.id, { expand: ['latest_charge'] });
  assert.equal(whole.latest_charge.calculated_statement_descriptor, 'Halden Running Club');
  await audit(server);
});

test('what can’t stand on a receipt or a statement is refused by name', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const base = { amount: 4_200, currency: 'usd', customer: customer.id, payment_method: customer.invoice_settings.default_payment_method };
  const intent = await stripe.paymentIntents.create(base);
  for (const [given, param] of [
    [{ statement_descriptor_suffix: 'TWENTY-THREE CHARACTERS' }, 'statement_descriptor_suffix'],
    [{ statement_descriptor_suffix: 'A*B' }, 'statement_descriptor_suffix'],
    [{ statement_descriptor_suffix: '12345' }, 'statement_descriptor_suffix'],
    [{ statement_descriptor_suffix: '订单' }, 'statement_descriptor_suffix'],
    [{ statement_descriptor: 'HALDEN' }, 'statement_descriptor'],
    [{ receipt_email: 'nobody' }, 'receipt_email'],
  ]) {
    const before = (await stripe.paymentIntents.list()).data.length;
    const made = await refused(stripe.paymentIntents.create({ ...base, ...given }));
    assert.deepEqual([made.status, made.type, made.param], [400, 'StripeInvalidRequestError', param]);
    assert.equal((await stripe.paymentIntents.list()).data.length, before);
    const changed = await refused(stripe.paymentIntents.update(intent.id, { ...given, description: 'Changed' }));
    assert.deepEqual([changed.status, changed.param], [400, param]);
  }
  assert.equal((await stripe.paymentIntents.retrieve(intent.id)).description, null);
  assert.equal((await refused(stripe.paymentIntents.confirm(intent.id, { receipt_email: 'nobody' }))).param, 'receipt_email');
  assert.equal((await stripe.paymentIntents.confirm(intent.id)).status, 'succeeded');
  const late = await refused(stripe.paymentIntents.update(intent.id, { statement_descriptor_suffix: 'LATE' }));
  assert.deepEqual([late.status, late.code], [400, 'payment_intent_unexpected_state']);
});

test('an invoice’s statement descriptor stands on its charge', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  await stripe.invoiceItems.create({ customer: customer.id, amount: 1_900, currency: 'usd' });
  for (const bad of ['12345', 'A<B', 'TWENTY-THREE CHARACTERS']) {
    const made = stripe.invoices.create({ customer: customer.id, statement_descriptor: bad, pending_invoice_items_behavior: 'include' });
    assert.equal((await refused(made)).param, 'statement_descriptor');
  }
  const draft = await stripe.invoices.create({ customer: customer.id, statement_descriptor: 'AUTUMN RUN', pending_invoice_items_behavior: 'include' });
  const paid = await stripe.invoices.pay(draft.id, { expand: ['payments.data.payment.payment_intent.latest_charge'] });
  const intent = paid.payments.data[0].payment.payment_intent;
  assert.equal(intent.statement_descriptor, 'AUTUMN RUN');
  const charge = intent.latest_charge;
  assert.deepEqual([charge.statement_descriptor, charge.calculated_statement_descriptor], ['AUTUMN RUN', 'Halden* AUTUMN RUN']);
  const named = await stripe.charges.update(charge.id, { receipt_email: 'books@halden.example' });
  assert.equal(named.receipt_email, 'books@halden.example');
  await audit(server);
});

test('an invoice says where goods go, on which paper it is and with what it is paid', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  await stripe.invoiceItems.create({ customer: customer.id, amount: 1_900, currency: 'usd' });
  const shipping = { name: 'Ada Lovelace', phone: '+44 20 1', address: { line1: '12 St James’s Square', city: 'London', postal_code: 'SW1Y 4JH', country: 'GB' } };
  const draft = await stripe.invoices.create({
    customer: customer.id, pending_invoice_items_behavior: 'include', shipping_details: shipping,
    rendering: { amount_tax_display: 'include_inclusive_tax', pdf: { page_size: 'letter' } },
    payment_settings: { payment_method_types: ['card'] },
  });
  assert.deepEqual([draft.shipping_details.name, draft.shipping_details.phone, draft.shipping_details.address.city], ['Ada Lovelace', '+44 20 1', 'London']);
  assert.deepEqual(draft.rendering, {
    amount_tax_display: 'include_inclusive_tax', pdf: { page_size: 'letter' }, template: null, template_version: null,
  });
  assert.deepEqual(draft.payment_settings, { default_mandate: null, payment_method_options: null, payment_method_types: ['card'] });
  const { address } = shipping;
  for (const [given, param] of [
    [{ rendering: { amount_tax_display: 'exclude_tax' } }, 'rendering[amount_tax_display]'],
    [{ rendering: { template: 'inrtem_1' } }, 'rendering[template]'],
    [{ rendering: { pdf: { page_size: 'a3' } } }, 'rendering[pdf][page_size]'],
    [{ payment_settings: { payment_method_types: ['sepa_debit'] } }, 'payment_settings[payment_method_types][0]'],
    [{ payment_settings: { default_mandate: 'mandate_1' } }, 'payment_settings[default_mandate]'],
    [{ payment_settings: { payment_method_options: { card: { request_three_d_secure: 'any' } } } }, 'payment_settings[payment_method_options]'],
    [{ shipping_details: { address } }, 'shipping_details[name]'],
    [{ shipping_details: { name: 'Ada' } }, 'shipping_details[address]'],
  ]) {
    const changed = await refused(stripe.invoices.update(draft.id, { ...given, description: 'Changed' }));
    assert.equal(changed.status, 400);
    assert.ok(changed.param === param || changed.param.startsWith(`${param}[`), `${changed.param} is not ${param}`);
  }
  const same = await stripe.invoices.retrieve(draft.id);
  assert.deepEqual([same.description, same.shipping_details.name], [null, 'Ada Lovelace']);
  const bare = await stripe.invoices.update(draft.id, { shipping_details: '', rendering: { amount_tax_display: '' }, payment_settings: { payment_method_types: '' } });
  assert.deepEqual([bare.shipping_details, bare.rendering.amount_tax_display, bare.payment_settings.payment_method_types], [null, null, null]);
  await stripe.invoices.update(draft.id, { shipping_details: shipping });
  const final = await stripe.invoices.finalizeInvoice(draft.id);
  assert.equal(final.shipping_details.address.line1, '12 St James’s Square');
  assert.equal((await refused(stripe.invoices.update(draft.id, { shipping_details: '' }))).param, 'shipping_details');
  const pdf = await fetch(final.invoice_pdf);
  assert.equal(pdf.status, 200);
  await audit(server);
});
