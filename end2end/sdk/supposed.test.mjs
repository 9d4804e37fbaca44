// Previews of invoices with what is only supposed: amounts, customers who are not there yet, schedules. Nothing is
// written by any of them, and what is done afterwards comes to what was previewed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, audit, clocked, monthly, openOffice, payer, refused } from './office.mjs';

/** What an invoice says, without ids. */
function lines(invoice) {
  return invoice.lines.data.map((own) => [own.description, own.amount]);
}

/** All objects that a preview could have written. */
async function counted(stripe) {
  const lists = [
    stripe.customers, stripe.invoices, stripe.invoiceItems, stripe.subscriptions, stripe.subscriptionSchedules,
    stripe.prices, stripe.products, stripe.coupons,
  ];
  const counts = await Promise.all(lists.map((own) => own.list({ limit: 100 }).then((page) => page.data.length)));
  const events = await stripe.events.list({ limit: 100 });
  return [...counts, events.data.length];
}

test('amounts are supposed on the next invoice and on one by itself', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const price = await monthly(stripe, 3000);
  const vat = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
  const off = await stripe.coupons.create({ percent_off: 50, duration: 'once' });
  const once = await stripe.prices.create({ currency: 'usd', unit_amount: 700, product_data: { name: 'Setting up' } });
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const waiting = await stripe.invoiceItems.create({ customer: customer.id, amount: 500, currency: 'usd', description: 'Waits' });
  const before = await counted(stripe);

  const invoice_items = [
    { amount: 1000, description: 'Advice', tax_rates: [vat.id], period: { start: 1_800_000_000, end: 1_800_086_400 } },
    { price: once.id, quantity: 2, discounts: [{ coupon: off.id }] },
    { price_data: { currency: 'usd', product: once.product, unit_amount: 300 } },
    { unit_amount: 40, quantity: 3, description: 'Stamps', discountable: false },
    { invoiceitem: waiting.id, amount: 600, description: 'Waits more' },
  ];
  const next = await stripe.invoices.createPreview({ subscription: subscription.id, invoice_items });
  assert.deepEqual(lines(next).sort(), [
    ['1 × Pro', 3000], ['Advice', 1000], ['Setting up', 1400], ['Setting up', 300], ['Stamps', 120], ['Waits more', 600],
  ].sort());
  assert.equal(next.total, 3000 + 1000 + 200 + 700 + 300 + 120 + 600);
  const advice = next.lines.data.find((own) => own.description === 'Advice');
  assert.equal(advice.period.end, 1_800_086_400);
  const alone = await stripe.invoices.createPreview({ customer: customer.id, invoice_items: invoice_items.slice(0, 1) });
  assert.deepEqual(lines(alone).sort(), [['Advice', 1000], ['Waits', 500]]);
  const changed = await stripe.invoices.createPreview({
    subscription: subscription.id, invoice_items: [{ amount: 100, description: 'Now' }],
    subscription_details: { items: [{ id: subscription.items.data[0].id, quantity: 2 }], proration_behavior: 'always_invoice' },
  });
  assert.ok(lines(changed).some(([what, amount]) => what === 'Now' && amount === 100));
  for (const [items, param] of [
    [[{ description: 'Nothing' }], 'invoice_items[0][amount]'],
    [[{ amount: 1 }, { invoiceitem: 'ii_unknown', amount: 5 }], 'invoice_items[1][invoiceitem]'],
    [[{ amount: 1, currency: 'eur' }], 'invoice_items[0][currency]'],
    [[{ amount: 1, unit_amount: 5 }], 'invoice_items[0][unit_amount]'],
    [[{ price: 'price_unknown' }], 'invoice_items[0][price]'],
  ]) {
    const no = await refused(stripe.invoices.createPreview({ subscription: subscription.id, invoice_items: items }));
    assert.equal(no.param, param, JSON.stringify(items));
  }
  assert.deepEqual(await counted(stripe), before);
  const draft = await stripe.invoices.create({ customer: customer.id });
  const no = await refused(stripe.invoices.addLines(draft.id, { lines: [{ pricing: { price: 'price_unknown' } }] }));
  assert.equal(no.param, 'lines[0][pricing][price]');
  await audit(server);
});

test('a customer who is not there yet is quoted with their address and tax status', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const price = await monthly(stripe, 3000);
  const vat = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
  const before = await counted(stripe);
  const wish = (customer_details) => ({
    customer_details, subscription_details: { items: [{ price: price.id, quantity: 2 }], default_tax_rates: [vat.id] },
  });
  const address = { line1: 'Rue 1', city: 'Lyon', postal_code: '69001', country: 'FR' };
  const full = await stripe.invoices.createPreview(wish({ address, tax_ids: [{ type: 'eu_vat', value: 'FR40303265045' }] }));
  assert.deepEqual([full.total, full.customer_address.city, full.customer_tax_ids[0].value], [7200, 'Lyon', 'FR40303265045']);
  const reverse = await stripe.invoices.createPreview(wish({ address, tax_exempt: 'reverse' }));
  assert.deepEqual([reverse.total, reverse.customer_tax_exempt], [6000, 'reverse']);
  const by = await stripe.invoices.createPreview({ customer_details: { address }, currency: 'eur', invoice_items: [{ amount: 900 }] });
  assert.deepEqual([by.total, by.currency], [900, 'eur']);
  assert.equal((await refused(stripe.invoices.createPreview(wish({ tax_ids: [{ type: 'eu_vat', value: 'nonsense' }] })))).param, 'customer_details[tax_ids][0][value]');
  assert.equal((await refused(stripe.invoices.createPreview({ customer_details: { address } }))).param, 'subscription');
  assert.equal((await refused(stripe.invoices.createPreview({ invoice_items: [{ amount: 900 }] }))).param, 'customer');
  assert.deepEqual(await counted(stripe), before);

  const there = await payer(stripe);
  const moved = await stripe.invoices.createPreview({
    customer: there.id, customer_details: { tax_exempt: 'exempt' },
    subscription_details: { items: [{ price: price.id }], default_tax_rates: [vat.id] },
  });
  assert.equal(moved.total, 3000);
  assert.equal((await stripe.customers.retrieve(there.id)).tax_exempt, 'none');
});

test('schedules are previewed before they are made, changed or begun', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2026-01-01T00:00:00Z');
  const small = await monthly(stripe, 1000, 'Small');
  const large = await monthly(stripe, 4000, 'Large');
  const phases = [
    { items: [{ price: small.id }], duration: { interval: 'month', interval_count: 1 } },
    { items: [{ price: large.id }], duration: { interval: 'month', interval_count: 2 } },
  ];
  const before = await counted(stripe);
  const first = await stripe.invoices.createPreview({ customer: customer.id, schedule_details: { phases, end_behavior: 'cancel' } });
  assert.deepEqual(lines(first), [['1 × Small', 1000]]);
  assert.deepEqual(await counted(stripe), before);
  const schedule = await stripe.subscriptionSchedules.create({ customer: customer.id, start_date: 'now', end_behavior: 'cancel', phases });
  const next = await stripe.invoices.createPreview({ schedule: schedule.id });
  assert.deepEqual(lines(next), [['1 × Large', 4000]]);

  const { current_phase: now } = await stripe.subscriptionSchedules.retrieve(schedule.id);
  const sent = [
    { items: [{ price: small.id, quantity: 3 }], start_date: now.start_date, end_date: now.end_date },
    { items: [{ price: large.id, quantity: 2 }], duration: { interval: 'month', interval_count: 2 } },
  ];
  const count = await counted(stripe);
  const later = await stripe.invoices.createPreview({
    schedule: schedule.id, schedule_details: { phases: sent, proration_behavior: 'none' },
  });
  assert.deepEqual(lines(later), [['2 × Large', 8000]]);
  const at = await stripe.invoices.createPreview({
    schedule: schedule.id, schedule_details: { phases: sent, proration_behavior: 'always_invoice' },
  });
  assert.equal(at.total, 2000);
  assert.equal((await refused(stripe.invoices.createPreview({ schedule: 'sub_sched_unknown' }))).param, 'schedule');
  assert.equal((await refused(stripe.invoices.createPreview({
    schedule: schedule.id, subscription_details: { cancel_at_period_end: true },
  }))).param, 'subscription_details');
  assert.equal((await refused(stripe.invoices.createPreview({
    customer: customer.id, schedule_details: { end_behavior: 'release' },
  }))).param, 'schedule_details[phases]');
  const unknown = await refused(stripe.invoices.createPreview({
    customer: customer.id, schedule_details: { phases: [{ items: [{ price: 'price_unknown' }], duration: { interval: 'month' } }] },
  }));
  assert.equal(unknown.param, 'schedule_details[phases][0][items][0][price]');
  assert.deepEqual(await counted(stripe), count);
  const updated = await stripe.subscriptionSchedules.update(schedule.id, { phases: sent, proration_behavior: 'always_invoice' });
  const made = await stripe.subscriptions.retrieve(updated.subscription, { expand: ['latest_invoice'] });
  assert.equal(made.latest_invoice.total, at.total);
  await advance(stripe, clock, '2026-02-02T00:00:00Z');
  const billed = await stripe.subscriptions.retrieve(updated.subscription, { expand: ['latest_invoice'] });
  assert.equal(billed.latest_invoice.total, later.total);
  await audit(server);
});
