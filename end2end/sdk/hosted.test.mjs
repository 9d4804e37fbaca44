// Links that open one document without signing in: who holds one sees, keeps and pays that document, and
// nothing else.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { audit, openOffice, payer } from './office.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);

async function opened(stripe, customer, amount) {
  const draft = await stripe.invoices.create({ customer: customer.id, currency: 'usd' });
  assert.deepEqual([draft.hosted_invoice_url, draft.invoice_pdf], [null, null]);
  await stripe.invoices.addLines(draft.id, { lines: [{ amount, description: 'Consulting' }] });
  return stripe.invoices.finalizeInvoice(draft.id);
}

/** A link as it is reached here: the server's public address may be another one. */
const local = (server, url) => `${server.url}${new URL(url).pathname}`;

async function isPdf(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'application/pdf');
  assert.equal(Buffer.from(await answer.arrayBuffer()).subarray(0, 5).toString(), '%PDF-');
}

test('an invoice is seen, kept and paid by its link', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const invoice = await opened(stripe, await payer(stripe), 12_300);
  const url = local(server, invoice.hosted_invoice_url);
  const page = await (await fetch(url)).text();
  assert.match(page, /asks for \$123\.00/);
  assert.match(page, /4242/);
  assert.match(page, new RegExp(invoice.number));
  await isPdf(local(server, invoice.invoice_pdf));
  const paid = await fetch(url, { method: 'POST', redirect: 'manual', headers: { origin: server.url } });
  assert.equal(paid.status, 303);
  assert.equal((await stripe.invoices.retrieve(invoice.id)).status, 'paid');
  assert.match(await (await fetch(url)).text(), /was paid/);
  const [event] = (await stripe.events.list({ type: 'invoice.paid' })).data;
  assert.equal(event.data.object.hosted_invoice_url, invoice.hosted_invoice_url);
  await audit(server);
});

test('whoever proves a payment at the bank comes back to the link that they paid by', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const invoice = await opened(stripe, await payer(stripe, 'pm_card_authenticationRequired'), 12_300);
  const url = local(server, invoice.hosted_invoice_url);
  const begun = await fetch(url, { method: 'POST', redirect: 'manual', headers: { origin: server.url } });
  assert.equal(begun.status, 303);
  const cookie = begun.headers.get('set-cookie').split(';')[0];
  const bank = new URL(begun.headers.get('location'), server.url);
  const { payment_intent: intent } = (await stripe.invoicePayments.list({ invoice: invoice.id })).data[0].payment;
  const back = async (headers) => {
    const answer = await fetch(`${server.url}/challenge/payment/${intent}`, { redirect: 'manual', headers });
    return answer.headers.get('location');
  };
  assert.equal(await back({}), '/portal', 'another browser');
  const place = await back({ cookie });
  assert.ok(place.startsWith(`${new URL(url).pathname}?`), place);
  assert.match(await (await fetch(`${server.url}${place}`)).text(), /no confirmation/);
  const approved = await fetch(`${server.url}${bank.pathname}`, {
    method: 'POST', redirect: 'manual', body: 'answer=approve',
    headers: { origin: server.url, 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(new URL(approved.headers.get('location'), server.url).pathname, `/challenge/payment/${intent}`);
  assert.match(await (await fetch(`${server.url}${await back({ cookie })}`)).text(), /was paid/);
  assert.equal((await stripe.invoices.retrieve(invoice.id)).status, 'paid');
});

test('a link opens nothing but its own document', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { test: other } = await merchant('Other');
  const customer = await payer(stripe);
  const mine = await opened(stripe, customer, 5000);
  const second = await opened(stripe, customer, 6000);
  const theirs = await opened(other, await payer(other), 7000);
  const path = new URL(mine.hosted_invoice_url).pathname.split('/');
  const put = (place, value) => path.map((part, index) => (index === place ? value : part)).join('/');
  const account = new URL(theirs.hosted_invoice_url).pathname.split('/')[2];
  for (const wrong of [put(2, account), put(3, 'live'), put(4, second.id), put(4, theirs.id), put(5, '0'.repeat(32)), put(5, '')]) {
    const answer = await fetch(`${server.url}${wrong}`);
    assert.equal(answer.status, 404, wrong);
    assert.equal((await fetch(`${server.url}${wrong}/pdf`)).status, 404, wrong);
  }
});

test('a credit note has a PDF of its own', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const invoice = await opened(stripe, await payer(stripe), 5000);
  const [line] = (await stripe.invoices.retrieve(invoice.id)).lines.data;
  const byLine = await stripe.creditNotes.create({
    invoice: invoice.id, lines: [{ type: 'invoice_line_item', invoice_line_item: line.id, amount: 1500 }], memo: 'Sorry',
  });
  await isPdf(local(server, byLine.pdf));
  const byAmount = await stripe.creditNotes.create({ invoice: invoice.id, amount: 500 });
  await isPdf(local(server, byAmount.pdf));
});

test('links outlive one change of the key and end with the next', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const invoice = await opened(stripe, await payer(stripe), 5000);
  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  const change = () => run(binary, ['merchant', 'change-link-key', '--database', server.database]);
  const { stdout } = await change();
  assert.match(stdout, /key 2/);
  assert.equal((await fetch(local(server, invoice.hosted_invoice_url))).status, 200);
});
