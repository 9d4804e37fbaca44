// Terms that decide what is owed and by whom: tax exemption, numbers under concurrency, what coupons and codes are good
// for, prices over usage, the ends and trials of phases, and what the API says of recovering payments.

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, audit, clocked, monthly, openOffice, payer, refused, seconds, utc } from './office.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);

test('who is exempt pays no tax, and under reverse charge accounts for it', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const price = await monthly(stripe, 10_000);
  const over = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false, country: 'FR' });
  const within = await stripe.taxRates.create({ display_name: 'VAT', percentage: 25, inclusive: true, country: 'DK' });
  const expected = [
    ['none', over, { total: 12_000, tax: 2_000, reason: 'standard_rated' }],
    ['exempt', over, { total: 10_000, tax: 0, reason: 'customer_exempt' }],
    ['reverse', over, { total: 10_000, tax: 0, reason: 'reverse_charge' }],
    ['none', within, { total: 10_000, tax: 2_000, reason: 'standard_rated' }],
    ['exempt', within, { total: 10_000, tax: 0, reason: 'customer_exempt' }],
    ['reverse', within, { total: 10_000, tax: 0, reason: 'reverse_charge' }],
  ];
  for (const [exempt, rate, wanted] of expected) {
    const customer = await payer(stripe);
    await stripe.customers.update(customer.id, { tax_exempt: exempt });
    const wish = { items: [{ price: price.id }], default_tax_rates: [rate.id] };
    const preview = await stripe.invoices.createPreview({ customer: customer.id, subscription_details: wish });
    const subscription = await stripe.subscriptions.create({ customer: customer.id, ...wish, expand: ['latest_invoice'] });
    const invoice = subscription.latest_invoice;
    const [tax] = invoice.total_taxes;
    assert.deepEqual({ total: invoice.total, tax: tax.amount, reason: tax.taxability_reason }, wanted, `${exempt} ${rate.inclusive}`);
    assert.equal(preview.total, invoice.total);
    assert.equal(invoice.customer_tax_exempt, exempt);
    assert.equal(invoice.total_excluding_tax, invoice.total - tax.amount);
    // What is final stays, whatever the customer is later.
    await stripe.customers.update(customer.id, { tax_exempt: 'none' });
    assert.equal((await stripe.invoices.retrieve(invoice.id)).customer_tax_exempt, exempt);
  }
  await audit(server);
});

test('numbers have no gap, however many invoices become final at once', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customers = [await payer(stripe), await payer(stripe)];
  const draft = async (index) => {
    const made = await stripe.invoices.create({ customer: customers[index % 2].id, currency: 'usd' });
    await stripe.invoices.addLines(made.id, { lines: [{ amount: 700 + index, description: 'Hours' }] });
    return made.id;
  };
  const drafts = [];
  for (let index = 0; index < 24; index += 1) drafts.push(await draft(index));
  const settled = await Promise.allSettled(drafts.map((id) => stripe.invoices.finalizeInvoice(id)));
  for (const [index, one] of settled.entries()) {
    // Whoever had to give way too often is told to try again, and has taken no number.
    if (one.status === 'rejected') {
      assert.ok([409, 429].includes(one.reason.statusCode), one.reason.message);
      await stripe.invoices.finalizeInvoice(drafts[index]);
    }
  }
  const prefixes = new Set();
  for (const customer of customers) {
    const numbers = [];
    for await (const invoice of stripe.invoices.list({ customer: customer.id, limit: 100 })) numbers.push(invoice.number);
    const parts = numbers.map((number) => number.match(/^(.+)-(\d+)$/));
    for (const [, prefix] of parts) prefixes.add(prefix);
    const counted = parts.map(([, , count]) => Number(count)).sort((a, b) => a - b);
    assert.deepEqual(counted, Array.from({ length: 12 }, (_, index) => index + 1));
  }
  assert.equal(prefixes.size, 2, 'each customer has a sequence of their own');
  // Deleting a draft leaves no gap: numbers are taken when an invoice becomes final.
  const gone = await draft(0);
  await stripe.invoices.del(gone);
  const next = await stripe.invoices.finalizeInvoice(await draft(0));
  assert.match(next.number, /-0013$/);
  await audit(server);
});

test('a coupon is good for its products, and until its time', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-10T00:00:00Z');
  const [pro, seats] = [await monthly(stripe, 4000, 'Pro'), await monthly(stripe, 1000, 'Seats')];
  const some = await stripe.coupons.create({
    percent_off: 50, duration: 'forever', applies_to: { products: [seats.product] }, redeem_by: seconds('2027-01-20T00:00:00Z'),
  });
  const wish = { items: [{ price: pro.id }, { price: seats.id, quantity: 3 }], discounts: [{ coupon: some.id }] };
  const start = (more = {}) => stripe.subscriptions.create({ customer: customer.id, ...wish, ...more, expand: ['latest_invoice'] });
  const first = await start();
  assert.equal(first.latest_invoice.total, 4000 + 1500);
  const [off] = first.latest_invoice.lines.data.filter((line) => line.discount_amounts.some((own) => own.amount > 0));
  assert.equal(off.amount, 3000);
  // Of a fixed amount, no more comes off than the product costs.
  const much = await stripe.coupons.create({ amount_off: 5000, currency: 'usd', duration: 'once', applies_to: { products: [seats.product] } });
  assert.equal((await start({ discounts: [{ coupon: much.id }] })).latest_invoice.total, 4000);
  const none = await stripe.coupons.create({ percent_off: 100, duration: 'once', applies_to: { products: [(await monthly(stripe, 1, 'Else')).product] } });
  assert.equal((await start({ discounts: [{ coupon: none.id }] })).latest_invoice.total, 7000);
  // Its time is over: nobody new gets it, and who has it keeps it.
  const code = await stripe.promotionCodes.create({
    promotion: { type: 'coupon', coupon: much.id }, code: 'SOON', expires_at: seconds('2027-01-25T00:00:00Z'),
  });
  const byCode = { discounts: [{ promotion_code: code.id }] };
  assert.equal((await start(byCode)).latest_invoice.total, 4000);
  await advance(stripe, clock, '2027-01-20T00:00:01Z');
  const late = await refused(start());
  assert.deepEqual([late.status, late.param], [400, 'discounts[0][coupon]']);
  assert.equal((await start(byCode)).latest_invoice.total, 4000);
  await advance(stripe, clock, '2027-01-25T00:00:01Z');
  const expired = await refused(start(byCode));
  assert.deepEqual([expired.status, expired.param, expired.code], [400, 'discounts[0][promotion_code]', 'promotion_code_invalid']);
  await advance(stripe, clock, '2027-02-10T02:00:00Z');
  const [renewal] = (await stripe.invoices.list({ subscription: first.id })).data;
  assert.equal(renewal.total, 5500);
  const past = await refused(stripe.coupons.create({ percent_off: 5, duration: 'once', redeem_by: 1 }));
  assert.equal(past.param, 'redeem_by');
  await audit(server);
});

test('packages and volumes are priced over what was used', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-01T00:00:00Z');
  const meter = async (name) => stripe.billing.meters.create({
    display_name: name, event_name: name, default_aggregation: { formula: 'sum' },
  });
  const priced = async (name, terms) => stripe.prices.create({
    currency: 'usd', product_data: { name }, ...terms,
    recurring: { interval: 'month', usage_type: 'metered', meter: (await meter(name)).id },
  });
  const table = [
    // 500 for each 1000 begun, or full ones only.
    ['up', { unit_amount: 500, transform_quantity: { divide_by: 1000, round: 'up' } }, [[0, 0], [1, 500], [999, 0], [1, 500]]],
    ['down', { unit_amount: 500, transform_quantity: { divide_by: 1000, round: 'down' } }, [[0, 0], [999, 0], [1, 500], [1001, 500]]],
    // All units cost what the range that was reached says, with its flat part.
    ['volume', {
      billing_scheme: 'tiered', tiers_mode: 'volume',
      tiers: [{ up_to: 100, unit_amount: 10 }, { up_to: 200, unit_amount: 8, flat_amount: 50 }, { up_to: 'inf', unit_amount_decimal: '2.5' }],
    }, [[0, 0], [100, 1000], [1, 858 - 1000], [99, 1650 - 858], [1, 503 - 1650]]],
  ];
  for (const [name, terms, steps] of table) {
    const price = await priced(name, terms);
    const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
    let total = 0;
    for (const [value, more] of steps) {
      if (value > 0) {
        await stripe.billing.meterEvents.create({ event_name: name, payload: { stripe_customer_id: customer.id, value: String(value) } });
      }
      total += more;
      const preview = await stripe.invoices.createPreview({ subscription: own.id });
      assert.equal(preview.total, total, `${name} after ${value} more`);
    }
    terms.own = own.id;
    terms.total = total;
  }
  await advance(stripe, clock, '2027-02-01T02:00:00Z');
  for (const [name, terms] of table) {
    const [billed] = (await stripe.invoices.list({ subscription: terms.own, limit: 1 })).data;
    assert.equal(billed.total, terms.total, name);
  }
  await audit(server);
});

test('a schedule lets its subscription go at its end, and a phase may be a trial', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-01T00:00:00Z');
  const [basic, pro] = [await monthly(stripe, 1000, 'Basic'), await monthly(stripe, 3000, 'Pro')];
  const schedule = await stripe.subscriptionSchedules.create({
    customer: customer.id,
    start_date: 'now',
    end_behavior: 'release',
    phases: [
      { items: [{ price: basic.id }], trial: true, duration: { interval: 'month', interval_count: 1 } },
      { items: [{ price: basic.id }], duration: { interval: 'month', interval_count: 2 } },
      { items: [{ price: pro.id }], duration: { interval: 'month', interval_count: 1 } },
    ],
  });
  const state = async () => {
    const own = await stripe.subscriptions.retrieve(schedule.subscription);
    const [newest] = (await stripe.invoices.list({ subscription: own.id, limit: 1 })).data;
    return [own.status, own.items.data[0].price.unit_amount, newest.total, own.schedule === null];
  };
  assert.deepEqual(await state(), ['trialing', 1000, 0, false]);
  const trial = await stripe.subscriptions.retrieve(schedule.subscription);
  assert.equal(utc(trial.trial_end), '2027-02-01T00:00:00');
  await advance(stripe, clock, '2027-02-01T02:00:00Z');
  assert.deepEqual(await state(), ['active', 1000, 1000, false]);
  await advance(stripe, clock, '2027-04-01T02:00:00Z');
  assert.deepEqual(await state(), ['active', 3000, 3000, false]);
  await advance(stripe, clock, '2027-05-01T02:00:00Z');
  assert.deepEqual(await state(), ['active', 3000, 3000, true], 'it goes on as its last phase left it');
  const over = await stripe.subscriptionSchedules.retrieve(schedule.id);
  assert.deepEqual([over.status, over.released_subscription, over.subscription], ['released', schedule.subscription, null]);
  await advance(stripe, clock, '2027-07-01T02:00:00Z');
  const all = [];
  for await (const invoice of stripe.invoices.list({ subscription: schedule.subscription, limit: 100 })) all.push(invoice.total);
  assert.deepEqual(all, [3000, 3000, 3000, 3000, 1000, 1000, 0]);
  await audit(server);
});

test('a trial within a phase ends where it says', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-01T00:00:00Z');
  const price = await monthly(stripe, 1000);
  const until = seconds('2027-01-15T00:00:00Z');
  const schedule = await stripe.subscriptionSchedules.create({
    customer: customer.id, start_date: 'now', end_behavior: 'cancel',
    phases: [{ items: [{ price: price.id }], trial_end: until, end_date: seconds('2027-03-15T00:00:00Z') }],
  });
  const own = await stripe.subscriptions.retrieve(schedule.subscription);
  assert.deepEqual([own.status, own.trial_end], ['trialing', until]);
  await advance(stripe, clock, '2027-01-15T02:00:00Z');
  assert.equal((await stripe.subscriptions.retrieve(own.id)).status, 'active');
  await advance(stripe, clock, '2027-03-16T00:00:00Z');
  assert.equal((await stripe.subscriptions.retrieve(own.id)).status, 'canceled');
  const totals = (await stripe.invoices.list({ subscription: own.id })).data.map((invoice) => invoice.total);
  assert.deepEqual(totals, [1000, 1000, 0]);
  const late = await refused(stripe.subscriptionSchedules.create({
    customer: customer.id, start_date: 'now',
    phases: [{ items: [{ price: price.id }], trial_end: seconds('2027-09-01T00:00:00Z'), end_date: seconds('2027-05-01T00:00:00Z') }],
  }));
  assert.equal(late.param, 'phases[0][trial_end]');
});

test('a card that its bank sends anew pays without anybody asking for it', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-10T00:00:00Z');
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const card = await stripe.paymentMethods.attach('pm_card_reissued', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });
  assert.equal(card.card.last4, '0614');
  await advance(stripe, clock, '2027-02-10T02:00:00Z');
  const failed = (await stripe.invoices.list({ subscription: subscription.id, limit: 1 })).data[0];
  assert.deepEqual([failed.status, failed.attempt_count], ['open', 1]);
  // The worker hears of the new card by itself, within half a minute; the invoice is due at once then.
  let renewed;
  for (let tries = 0; tries < 450; tries += 1) {
    renewed = await stripe.paymentMethods.retrieve(card.id);
    if (renewed.card.last4 !== '0614') break;
    await new Promise((done) => setTimeout(done, 100));
  }
  await advance(stripe, clock, '2027-02-10T02:05:00Z');
  const [invoice] = (await stripe.invoices.list({ subscription: subscription.id, limit: 1 })).data;
  assert.deepEqual([invoice.status, invoice.billing_reason], ['paid', 'subscription_cycle']);
  assert.equal(renewed.card.last4, '4242');
  assert.ok(renewed.card.exp_year * 12 + renewed.card.exp_month > card.card.exp_year * 12 + card.card.exp_month - 1);
  const [told] = (await stripe.events.list({ type: 'payment_method.automatically_updated' })).data;
  assert.equal(told.data.object.id, card.id);
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, 'active');
  await audit(server);
});

test('smart retries keep within their window and their number, and say when they try next', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant('Ilmenau');
  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  const perennial = async (...words) => (await run(binary, [...words, '--database', server.database])).stdout;
  const [, account] = (await perennial('merchant', 'list')).match(/(acct_\w+)  Ilmenau/);
  await perennial('merchant', 'update', '--merchant', account, '--smart-retries', '14:4', '--after-retries', 'leave-past-due');
  const { clock, customer } = await clocked(stripe, '2027-01-10T09:00:00Z');
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const card = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });
  await advance(stripe, clock, '2027-02-10T11:00:00Z');
  const newest = async () => (await stripe.invoices.list({ subscription: subscription.id, limit: 1 })).data[0];
  let invoice = await newest();
  const began = invoice.status_transitions.finalized_at;
  const window = began + 14 * 86_400;
  const counts = [invoice.attempt_count];
  while (invoice.next_payment_attempt !== null) {
    const next = invoice.next_payment_attempt;
    assert.ok(next > began && next <= window, `${utc(next)} is outside of the window`);
    await advance(stripe, clock, next + 1);
    invoice = await newest();
    assert.ok(invoice.next_payment_attempt === null || invoice.next_payment_attempt > next);
    counts.push(invoice.attempt_count);
    assert.ok(counts.length < 10, 'it comes to an end');
  }
  // The end of the window is the last look, which is counted; the bank is asked once and four times again.
  const asked = (await stripe.events.list({ type: 'payment_intent.payment_failed', limit: 100 })).data;
  assert.equal(asked.length, 5);
  assert.ok(invoice.attempt_count >= 5 && invoice.attempt_count <= 6, `${counts}`);
  assert.deepEqual(counts, [...counts].sort((a, b) => a - b));
  assert.equal(invoice.status, 'open');
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, 'past_due');
  await audit(server);
});
