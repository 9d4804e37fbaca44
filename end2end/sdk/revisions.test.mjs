// Revisions, prices made for one line, the merchant's own tax ids, and numbers that run over the account.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { audit, openOffice, payer, refused } from './office.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);

async function opened(stripe, customer, amount) {
  const draft = await stripe.invoices.create({ customer: customer.id, currency: 'usd' });
  await stripe.invoices.addLines(draft.id, { lines: [{ amount, description: 'Consulting' }] });
  return stripe.invoices.finalizeInvoice(draft.id);
}

test('a revision replaces an invoice when it becomes final', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const first = await opened(stripe, customer, 5000);
  const draft = await stripe.invoices.create({ from_invoice: { action: 'revision', invoice: first.id } });
  assert.deepEqual(draft.from_invoice, { action: 'revision', invoice: first.id });
  assert.deepEqual([draft.status, draft.customer, draft.total, draft.number], ['draft', customer.id, 5000, null]);
  await stripe.invoices.addLines(draft.id, { lines: [{ amount: 700, description: 'Travel' }] });
  assert.equal((await stripe.invoices.retrieve(first.id)).status, 'open');
  const final = await stripe.invoices.finalizeInvoice(draft.id);
  assert.equal(final.total, 5700);
  const old = await stripe.invoices.retrieve(first.id, { expand: ['latest_revision'] });
  assert.deepEqual([old.status, old.number, old.latest_revision.id], ['void', first.number, final.id]);
  await stripe.invoices.pay(final.id);
  const late = await refused(stripe.invoices.create({ from_invoice: { action: 'revision', invoice: final.id } }));
  assert.equal(late.param, 'from_invoice[invoice]');
  await audit(server);
});

test('a price is made for one line', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const product = await stripe.products.create({ name: 'Workshop' });
  const item = await stripe.invoiceItems.create({
    customer: customer.id, quantity: 3, price_data: { currency: 'usd', product: product.id, unit_amount: 1250 },
  });
  assert.deepEqual([item.amount, item.description, item.pricing.price_details.product], [3750, 'Workshop', product.id]);
  const price = await stripe.prices.retrieve(item.pricing.price_details.price);
  assert.deepEqual([price.active, price.unit_amount, price.type], [false, 1250, 'one_time']);
  const other = await refused(stripe.invoiceItems.create({
    customer: customer.id, price_data: { currency: 'usd', product: 'prod_none', unit_amount: 1 },
  }));
  assert.equal(other.param, 'price_data[product]');
  const both = await refused(stripe.invoiceItems.create({
    customer: customer.id, amount: 5, price_data: { currency: 'usd', product: product.id, unit_amount: 1 },
  }));
  assert.equal(both.param, 'amount');
});

test('the merchant\'s own tax ids stand on invoices', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const own = await stripe.taxIds.create({ type: 'eu_vat', value: 'DE123456789' });
  assert.deepEqual([own.owner.type, own.customer], ['self', null]);
  const theirs = await stripe.taxIds.create({
    type: 'eu_vat', value: 'FR12345678901', owner: { type: 'customer', customer: customer.id },
  });
  assert.equal(theirs.customer, customer.id);
  const listed = await stripe.taxIds.list();
  assert.deepEqual(listed.data.map((tax) => tax.id), [own.id]);
  const byOwner = await stripe.taxIds.list({ owner: { type: 'customer', customer: customer.id } });
  assert.deepEqual(await stripe.taxIds.retrieve(theirs.id), theirs);
  assert.deepEqual(byOwner.data.map((tax) => tax.id), [theirs.id]);
  const draft = await stripe.invoices.create({
    customer: customer.id, currency: 'usd', account_tax_ids: [own.id], expand: ['account_tax_ids'],
  });
  assert.equal(draft.account_tax_ids[0].value, 'DE123456789');
  const cleared = await stripe.invoices.update(draft.id, { account_tax_ids: '' });
  assert.equal(cleared.account_tax_ids, null);
  const none = await refused(stripe.invoices.update(draft.id, { account_tax_ids: [theirs.id] }));
  assert.equal(none.param, 'account_tax_ids[0]');
  assert.equal((await stripe.taxIds.del(own.id)).deleted, true);
  assert.equal((await stripe.taxIds.del(theirs.id)).deleted, true);
  assert.equal((await refused(stripe.taxIds.retrieve(theirs.id))).status, 404);
  assert.deepEqual((await stripe.customers.listTaxIds(customer.id)).data, []);
});

test('numbers run over all customers where the merchant wants it', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  // The account stands in the links of its documents.
  const before = await opened(stripe, await payer(stripe), 500);
  const account = new URL(before.hosted_invoice_url).pathname.split('/')[2];
  await run(binary, [
    'merchant', 'update', '--merchant', account, '--invoice-numbering', 'account', '--invoice-prefix', 'HALDEN', '--database', server.database,
  ]);
  const customers = await Promise.all([payer(stripe), payer(stripe), payer(stripe)]);
  const made = await Promise.all([0, 1, 2, 0, 1, 2, 0, 1, 2].map((n) => opened(stripe, customers[n], 1000 + n)));
  const numbers = made.map((invoice) => invoice.number).sort();
  assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `HALDEN-000${n}`));
  const taken = await stripe.invoices.create({ customer: customers[0].id, currency: 'usd' });
  const own = await refused(stripe.invoices.update(taken.id, { number: 'HALDEN-0010' }));
  assert.equal(own.param, 'number');
  await stripe.invoices.update(taken.id, { number: 'HALDEN-SPECIAL' });
  await audit(server);
});
