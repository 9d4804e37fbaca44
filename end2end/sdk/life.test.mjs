// Subscriptions through their whole life, through the official client and test clocks.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, clocked, monthly, openOffice, payer, seconds, utc } from './office.mjs';

const START = '2027-04-01T00:00:00Z';

async function begin(t, options) {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, START, options);
  const price = await monthly(stripe, 3000);
  return { stripe, clock, customer, price };
}

async function types(stripe, filter = () => true) {
  const found = [];
  for await (const event of stripe.events.list({ limit: 100 })) if (filter(event)) found.push(event.type);
  return found.reverse();
}

async function invoices(stripe, subscription) {
  const found = [];
  for await (const one of stripe.invoices.list({ subscription, limit: 100 })) found.push(one);
  return found.reverse();
}

const lifeOf = (id) => (event) => event.type.startsWith('customer.subscription') && event.data.object.id === id;

async function refused(promise, about) {
  await assert.rejects(promise, (error) => {
    for (const [key, value] of Object.entries(about)) {
      if (value instanceof RegExp) assert.match(error[key] ?? '', value);
      else assert.equal(error[key], value);
    }
    return true;
  });
}

test('a pause gives back what was paid beyond it, bills nothing, and ends at once or by itself', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await refused(stripe.subscriptions.resume(own.id), { message: /only resume a subscription if it is `paused`/ });
  await advance(stripe, clock, '2027-04-16T00:00:00Z');
  const paused = await stripe.subscriptions.pause(own.id, { invoicing_behavior: 'invoice' });
  assert.equal(paused.status, 'paused');
  assert.deepEqual(paused.status_details, {
    paused: { subscription: { type: 'pause_requested' }, transitioned_at: seconds('2027-04-16T00:00:00Z'), type: 'subscription' },
  });
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, -1500);
  await refused(stripe.subscriptions.pause(own.id), { type: 'StripeInvalidRequestError' });
  await advance(stripe, clock, '2027-08-10T00:00:00Z');
  assert.equal((await invoices(stripe, own.id)).length, 2, 'nothing is billed in a pause');
  const on = await stripe.subscriptions.resume(own.id, { expand: ['latest_invoice'] });
  assert.equal(on.status, 'active');
  assert.equal(on.status_details, undefined);
  assert.equal(utc(on.billing_cycle_anchor), '2027-08-10T00:00:00');
  assert.equal(on.latest_invoice.total, 3000);
  assert.equal(on.latest_invoice.amount_paid, 1500);
  assert.equal(on.latest_invoice.status, 'paid');

  // Until a day: our extension.
  const until = seconds('2027-09-01T00:00:00Z');
  await refused(stripe.subscriptions.pause(own.id, { resumes_at: seconds(START) }), { param: 'resumes_at' });
  const later = await stripe.subscriptions.pause(own.id, { resumes_at: until });
  assert.equal(later.status_details.paused.resumes_at, until);
  await advance(stripe, clock, '2027-09-01T02:00:00Z');
  const again = await stripe.subscriptions.retrieve(own.id, { expand: ['latest_invoice'] });
  assert.equal(again.status, 'active');
  assert.equal(utc(again.items.data[0].current_period_end), '2027-10-01T00:00:00');
  assert.ok(again.latest_invoice.total < 3000, 'what was given back in the pause stands on it');
  assert.deepEqual((await types(stripe, lifeOf(own.id))).filter((type) => !type.endsWith('updated')), [
    'customer.subscription.created', 'customer.subscription.paused', 'customer.subscription.resumed',
    'customer.subscription.paused', 'customer.subscription.resumed',
  ]);
});

test('a pause may give nothing back: then the time that was paid counts when it goes on', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await advance(stripe, clock, '2027-04-11T00:00:00Z');
  await stripe.subscriptions.pause(own.id, { bill_for: { unused_time_from: { type: 'none' } } });
  await advance(stripe, clock, '2027-04-21T00:00:00Z');
  const on = await stripe.subscriptions.resume(own.id, { billing_cycle_anchor: 'unchanged', proration_behavior: 'always_invoice' });
  assert.equal(on.status, 'active');
  assert.equal(utc(on.items.data[0].current_period_end), '2027-05-01T00:00:00');
  assert.equal((await invoices(stripe, own.id)).length, 1, 'it is not billed twice');
  await stripe.subscriptions.pause(own.id, { bill_for: { unused_time_from: { type: 'item_current_period_start' } }, invoicing_behavior: 'invoice' });
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, -1000, 'from the start of the period: what was paid since it went on');
  await advance(stripe, clock, '2027-04-26T00:00:00Z');
  const rest = await stripe.subscriptions.resume(own.id, { billing_cycle_anchor: { type: 'unchanged' }, proration_behavior: 'always_invoice' });
  const last = await stripe.invoices.retrieve(rest.latest_invoice);
  assert.equal(last.total, 500, 'five days of thirty');
});

test('a pause, its end and the end of all are previewed as they will be billed', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await advance(stripe, clock, '2027-04-16T00:00:00Z');
  const preview = (subscription_details, more = {}) => stripe.invoices.createPreview({ subscription: own.id, subscription_details, ...more });
  const lines = (invoice) => invoice.lines.data.map((line) => [line.description, line.amount]);
  const none = { code: 'invoice_upcoming_none', statusCode: 404 };

  const end = await preview({ cancel_now: true });
  assert.deepEqual([end.total, end.status, end.number], [-1500, 'draft', null]);
  await refused(preview({ cancel_now: true, proration_behavior: 'none' }), none);
  const pausing = { invoicing_behavior: 'invoice', bill_for: { unused_time_from: { type: 'now' } } };
  const stop = await preview({ pause: pausing });
  await refused(preview({ pause: { invoicing_behavior: 'pending_invoice_item' } }), none);
  await refused(preview({ pause: pausing, items: [] , trial_end: 'now' }), { param: /trial_end/ });
  await refused(preview({ pause: pausing }, { discounts: [{ coupon: 'none' }] }), { param: 'discounts' });
  await refused(preview({ resume_at: 'now' }), { message: /only resume a subscription if it is `paused`/ });
  assert.equal((await stripe.subscriptions.retrieve(own.id)).status, 'active', 'nothing happened');

  const paused = await stripe.subscriptions.pause(own.id, { ...pausing, expand: ['latest_invoice'] });
  assert.deepEqual(lines(stop), lines(paused.latest_invoice));
  await advance(stripe, clock, '2027-06-10T00:00:00Z');
  const go = await preview({ resume_at: 'now' });
  const on = await stripe.subscriptions.resume(own.id, { expand: ['latest_invoice'] });
  assert.deepEqual(lines(go), lines(on.latest_invoice));
  assert.deepEqual([go.total, go.amount_due], [on.latest_invoice.total, on.latest_invoice.amount_due]);

  const ending = await stripe.subscriptions.update(own.id, { cancel_at: 'max_billed_until' });
  assert.equal(utc(ending.cancel_at), '2027-07-10T00:00:00');
  const brief = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], cancel_at: 'max_billed_until' });
  assert.equal(utc(brief.cancel_at), '2027-07-10T00:00:00');
});

test('a resumption that cannot be paid leaves it past due, or paused until it is', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const create = () => stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const [tried, waiting, given] = [await create(), await create(), await create()];
  for (const own of [tried, waiting, given]) {
    await stripe.subscriptions.pause(own.id, { bill_for: { unused_time_from: { type: 'now' } } });
  }
  await advance(stripe, clock, '2027-06-01T00:00:00Z');
  for (const item of (await stripe.invoiceItems.list({ pending: true, limit: 100 })).data) await stripe.invoiceItems.del(item.id);
  const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: failing.id } });
  const behind = await stripe.subscriptions.resume(tried.id);
  assert.equal(behind.status, 'past_due');
  const held = await stripe.subscriptions.resume(waiting.id, { payment_behavior: 'resume_on_payment_success' });
  assert.equal(held.status, 'paused');
  await refused(stripe.subscriptions.resume(waiting.id), { message: /only resume/ });
  const open = await stripe.invoices.retrieve(held.latest_invoice);
  assert.equal(open.status, 'open');
  await refused(stripe.subscriptions.update(waiting.id, { items: [{ id: held.items.data[0].id, quantity: 2 }] }), { message: /waits for its payment/ });
  const good = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.invoices.pay(open.id, { payment_method: good.id });
  assert.equal((await stripe.subscriptions.retrieve(waiting.id)).status, 'active');
  const lost = await stripe.subscriptions.resume(given.id, { payment_behavior: 'resume_on_payment_success' });
  assert.equal(lost.status, 'paused');
  await advance(stripe, clock, '2027-06-02T00:00:00Z');
  assert.equal((await stripe.invoices.retrieve(lost.latest_invoice)).status, 'void');
  const still = await stripe.subscriptions.retrieve(given.id);
  assert.equal(still.status, 'paused');
  assert.equal(still.status_details.paused.subscription.type, 'pause_requested');
});

test('trials end in three ways where nothing can pay, and bill where something can', async (t) => {
  const { stripe, clock, customer, price } = await begin(t, { card: null });
  const end = seconds('2027-04-11T00:00:00Z');
  const trial = (who, way) => stripe.subscriptions.create({
    customer: who.id, items: [{ price: price.id }], trial_end: end,
    trial_settings: { end_behavior: { missing_payment_method: way } },
  });
  const ways = ['cancel', 'create_invoice', 'pause'];
  const without = await Promise.all(ways.map((way) => trial(customer, way)));
  const paying = await stripe.customers.create({ name: 'Grace', test_clock: clock.id });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: paying.id });
  await stripe.customers.update(paying.id, { invoice_settings: { default_payment_method: method.id } });
  const withCard = await Promise.all(ways.map((way) => trial(paying, way)));
  for (const own of [...without, ...withCard]) assert.equal(own.status, 'trialing');
  await advance(stripe, clock, '2027-04-08T00:00:01Z');
  const told = await types(stripe, (event) => event.type === 'customer.subscription.trial_will_end');
  assert.equal(told.length, 6, 'three days before, each once');
  await advance(stripe, clock, '2027-04-11T03:00:00Z');
  const after = async (list) => Promise.all(list.map(async (own) => (await stripe.subscriptions.retrieve(own.id)).status));
  assert.deepEqual(await after(without), ['canceled', 'past_due', 'paused']);
  assert.deepEqual(await after(withCard), ['active', 'active', 'active']);
  const paused = await stripe.subscriptions.retrieve(without[2].id);
  assert.equal(paused.status_details.paused.subscription.type, 'trial_end_without_payment_method');
  assert.equal((await types(stripe, lifeOf(paused.id))).at(-1), 'customer.subscription.paused');
  const first = await stripe.subscriptions.resume(paused.id);
  assert.equal(first.status, 'paused', 'nothing can pay yet');
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.invoices.pay(first.latest_invoice, { payment_method: card.id });
  assert.equal((await stripe.subscriptions.retrieve(paused.id)).status, 'active');
});

test('the end of a trial moves the anchor, or leaves it', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const create = (anchor) => stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], trial_period_days: 10,
    trial_settings: { end_behavior: { missing_payment_method: 'pause', billing_cycle_anchor: anchor } },
  });
  const [moves, stays] = [await create('now'), await create('unchanged')];
  assert.equal(stays.trial_settings.end_behavior.billing_cycle_anchor, 'unchanged');
  await advance(stripe, clock, '2027-04-11T03:00:00Z');
  const period = async (own) => {
    const now = await stripe.subscriptions.retrieve(own.id, { expand: ['latest_invoice'] });
    return [utc(now.items.data[0].current_period_end), now.latest_invoice.total];
  };
  assert.deepEqual(await period(moves), ['2027-05-11T00:00:00', 3000]);
  assert.deepEqual(await period(stays), ['2027-05-01T00:00:00', 2000]);
});

test('while collection is paused invoices are voided, written off, or kept', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const behaviors = ['void', 'mark_uncollectible', 'keep_as_draft'];
  const resumes_at = seconds('2027-06-15T00:00:00Z');
  const own = [];
  for (const behavior of behaviors) {
    const made = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
    own.push(await stripe.subscriptions.update(made.id, { pause_collection: { behavior, resumes_at } }));
  }
  await advance(stripe, clock, '2027-07-02T00:00:00Z');
  const states = [];
  for (const one of own) {
    const now = await stripe.subscriptions.retrieve(one.id);
    assert.equal(now.status, 'active');
    assert.equal(now.pause_collection, null, 'it goes on by itself');
    states.push((await invoices(stripe, one.id)).map((invoice) => invoice.status));
  }
  assert.deepEqual(states, [
    ['paid', 'void', 'void', 'paid'],
    ['paid', 'uncollectible', 'uncollectible', 'paid'],
    ['paid', 'draft', 'draft', 'paid'],
  ]);
});

test('an end now, with the period, or at a day, and the way back', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const create = (more = {}) => stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], ...more });
  const now = await create();
  const gone = await stripe.subscriptions.cancel(now.id, { prorate: true, invoice_now: true, cancellation_details: { feedback: 'unused', comment: 'No time' } });
  assert.equal(gone.status, 'canceled');
  assert.deepEqual([gone.cancellation_details.feedback, gone.cancellation_details.comment, gone.cancellation_details.reason], ['unused', 'No time', 'cancellation_requested']);
  assert.equal((await stripe.customers.retrieve(customer.id)).balance, -3000);
  await refused(stripe.subscriptions.cancel(now.id), { statusCode: 404 });
  await refused(stripe.subscriptions.update(now.id, { items: [{ id: now.items.data[0].id, quantity: 2 }] }), { message: /canceled subscription can only update/ });

  const withPeriod = await create();
  const ends = await stripe.subscriptions.update(withPeriod.id, { cancel_at_period_end: true });
  assert.equal(utc(ends.cancel_at), '2027-05-01T00:00:00');
  const back = await stripe.subscriptions.update(withPeriod.id, { cancel_at_period_end: false });
  assert.deepEqual([back.cancel_at, back.canceled_at], [null, null]);

  // A day in mid-period: the time beyond is given back, and paid again when that is taken back.
  const atDay = await create();
  const cut = await stripe.subscriptions.update(atDay.id, { cancel_at: seconds('2027-04-16T00:00:00Z'), proration_behavior: 'always_invoice' });
  assert.equal(utc(cut.items.data[0].current_period_end), '2027-04-16T00:00:00');
  assert.equal((await stripe.invoices.retrieve(cut.latest_invoice)).total, -1500);
  const whole = await stripe.subscriptions.update(atDay.id, { cancel_at: '', proration_behavior: 'always_invoice' });
  assert.equal(utc(whole.items.data[0].current_period_end), '2027-05-01T00:00:00');
  assert.equal((await stripe.invoices.retrieve(whole.latest_invoice)).total, 1500);
  const later = await stripe.subscriptions.update(atDay.id, { cancel_at: seconds('2027-05-16T00:00:00Z') });
  assert.equal(utc(later.items.data[0].current_period_end), '2027-05-01T00:00:00');
  await advance(stripe, clock, '2027-05-10T00:00:00Z');
  const short = await stripe.subscriptions.retrieve(atDay.id, { expand: ['latest_invoice'] });
  assert.equal(utc(short.items.data[0].current_period_end), '2027-05-16T00:00:00');
  assert.equal(short.latest_invoice.total, 1451, '15 of 31 days, rounded down');
  await advance(stripe, clock, '2027-05-17T00:00:00Z');
  assert.equal((await stripe.subscriptions.retrieve(atDay.id)).status, 'canceled');
  assert.equal((await types(stripe, lifeOf(atDay.id))).at(-1), 'customer.subscription.deleted');
});

test('an end with the first or the last of different periods', async (t) => {
  const { stripe, customer, price } = await begin(t);
  const yearly = await stripe.prices.create({ currency: 'usd', unit_amount: 12000, recurring: { interval: 'year' }, product_data: { name: 'Support' } });
  const items = [{ price: price.id }, { price: yearly.id }];
  const first = await stripe.subscriptions.create({ customer: customer.id, items, cancel_at: 'min_period_end' });
  assert.equal(utc(first.cancel_at), '2027-05-01T00:00:00');
  const last = await stripe.subscriptions.create({ customer: customer.id, items, cancel_at: 'max_period_end' });
  assert.equal(utc(last.cancel_at), '2028-04-01T00:00:00');
  const moved = await stripe.subscriptions.update(last.id, { cancel_at: 'min_period_end' });
  assert.equal(utc(moved.cancel_at), '2027-05-01T00:00:00');
  assert.equal(utc(moved.items.data[1].current_period_end), '2027-05-01T00:00:00', 'the yearly item ends with it');
  const again = await stripe.subscriptions.update(last.id, { cancel_at: 'max_period_end' });
  assert.equal(utc(again.cancel_at), '2028-04-01T00:00:00');
});

test('a subscription that began in the past bills what has run since, or nothing', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const backdate_start_date = seconds('2027-01-15T00:00:00Z');
  const create = (more) => stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], backdate_start_date, expand: ['latest_invoice'], ...more });
  const billed = await create();
  assert.equal(utc(billed.start_date), '2027-01-15T00:00:00');
  assert.equal(utc(billed.billing_cycle_anchor), '2027-01-15T00:00:00');
  assert.equal(utc(billed.items.data[0].current_period_end), '2027-04-15T00:00:00');
  assert.deepEqual(billed.latest_invoice.lines.data.map((line) => [utc(line.period.start), line.amount]).sort(), [
    ['2027-01-15T00:00:00', 3000], ['2027-02-15T00:00:00', 3000], ['2027-03-15T00:00:00', 3000],
  ]);
  const free = await create({ proration_behavior: 'none', billing_cycle_anchor: seconds('2027-04-20T00:00:00Z') });
  assert.equal(free.latest_invoice, null);
  assert.equal(utc(free.items.data[0].current_period_end), '2027-04-20T00:00:00');
  await refused(create({ backdate_start_date: seconds('2027-04-02T00:00:00Z') }), { param: 'backdate_start_date' });
  await advance(stripe, clock, '2027-05-02T00:00:00Z');
  assert.deepEqual((await invoices(stripe, billed.id)).map((invoice) => invoice.total), [9000, 3000]);
  assert.deepEqual((await invoices(stripe, free.id)).map((invoice) => invoice.total), [3000]);
});

test('a billing day is kept and shown, over month ends', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const own = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], billing_cycle_anchor_config: { day_of_month: 31, hour: 12, minute: 0, second: 0 },
  });
  assert.deepEqual(own.billing_cycle_anchor_config, { day_of_month: 31, hour: 12, minute: 0, month: null, second: 0 });
  assert.equal(utc(own.items.data[0].current_period_end), '2027-04-30T12:00:00');
  await advance(stripe, clock, '2028-03-01T00:00:00Z');
  const dates = (await invoices(stripe, own.id)).slice(1).map((invoice) => utc(invoice.created).slice(0, 10));
  assert.deepEqual(dates, [
    '2027-04-30', '2027-05-31', '2027-06-30', '2027-07-31', '2027-08-31', '2027-09-30', '2027-10-31', '2027-11-30', '2027-12-31', '2028-01-31', '2028-02-29',
  ]);
});

test('sent invoices are due when they say, and late ones put it in arrears until they are paid', async (t) => {
  const { stripe, clock, customer, price } = await begin(t, { card: null });
  const own = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], collection_method: 'send_invoice', days_until_due: 14, expand: ['latest_invoice'],
  });
  assert.equal(own.status, 'active');
  assert.equal(own.latest_invoice.status, 'draft');
  await advance(stripe, clock, '2027-04-02T00:00:00Z');
  const sent = await stripe.invoices.retrieve(own.latest_invoice.id);
  assert.equal(sent.status, 'open');
  assert.equal(utc(sent.due_date).slice(0, 10), '2027-04-15');
  await advance(stripe, clock, '2027-04-13T00:00:00Z');
  const [{ data: soon }, ...others] = (await stripe.events.list({ type: 'invoice.will_be_due' })).data;
  assert.equal(others.length, 0);
  assert.deepEqual([soon.object.id, soon.object.due_date, soon.previous_attributes], [sent.id, sent.due_date, undefined]);
  await advance(stripe, clock, '2027-04-16T00:00:00Z');
  assert.equal((await stripe.events.list({ type: 'invoice.will_be_due' })).data.length, 1);
  assert.equal((await stripe.subscriptions.retrieve(own.id)).status, 'past_due');
  assert.equal((await types(stripe, (event) => event.type === 'invoice.overdue')).length, 1);
  await stripe.invoices.pay(sent.id, { paid_out_of_band: true });
  assert.equal((await stripe.subscriptions.retrieve(own.id)).status, 'active');
});

test('the four ways in which a payment decides about a change', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const dearer = await monthly(stripe, 6000, 'Max');
  const create = () => stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const subscriptions = {};
  for (const behavior of ['allow_incomplete', 'default_incomplete', 'error_if_incomplete', 'pending_if_incomplete']) {
    subscriptions[behavior] = await create();
  }
  const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: failing.id } });
  const change = (behavior) => stripe.subscriptions.update(subscriptions[behavior].id, {
    items: [{ id: subscriptions[behavior].items.data[0].id, price: dearer.id }],
    proration_behavior: 'always_invoice', payment_behavior: behavior, expand: ['latest_invoice'],
  });
  const allowed = await change('allow_incomplete');
  assert.deepEqual([allowed.status, allowed.items.data[0].price.id], ['past_due', dearer.id]);
  const left = await change('default_incomplete');
  assert.deepEqual([left.status, left.latest_invoice.status, left.latest_invoice.attempt_count], ['active', 'open', 0]);
  await refused(change('error_if_incomplete'), { type: 'StripeCardError', statusCode: 402 });
  const same = await stripe.subscriptions.retrieve(subscriptions.error_if_incomplete.id);
  assert.deepEqual([same.status, same.items.data[0].price.id, same.pending_update], ['active', price.id, null]);
  const waits = await change('pending_if_incomplete');
  assert.deepEqual([waits.status, waits.items.data[0].price.id], ['active', price.id]);
  assert.equal(waits.pending_update.subscription_items[0].price.id, dearer.id);
  assert.equal(utc(waits.pending_update.expires_at), '2027-04-01T23:00:00');
  await advance(stripe, clock, '2027-04-02T00:00:00Z');
  const over = await stripe.subscriptions.retrieve(waits.id);
  assert.deepEqual([over.items.data[0].price.id, over.pending_update], [price.id, null]);
  assert.equal((await stripe.invoices.retrieve(waits.latest_invoice.id)).status, 'void');
});

test('items by themselves, also of different intervals', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const yearly = await stripe.prices.create({ currency: 'usd', unit_amount: 12000, recurring: { interval: 'year' }, product_data: { name: 'Support' } });
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const added = await stripe.subscriptionItems.create({
    subscription: own.id, price: yearly.id, quantity: 2, metadata: { team: 'a' }, proration_behavior: 'always_invoice',
  });
  assert.equal(added.object, 'subscription_item');
  assert.deepEqual([added.quantity, added.metadata, added.subscription], [2, { team: 'a' }, own.id]);
  assert.equal(utc(added.current_period_end), '2028-04-01T00:00:00');
  assert.deepEqual((await invoices(stripe, own.id)).map((invoice) => invoice.total), [3000, 24000]);
  await refused(stripe.subscriptionItems.create({ subscription: own.id, price: yearly.id }), { type: 'StripeInvalidRequestError' });
  await refused(stripe.subscriptionItems.create({ subscription: own.id }), { param: 'price', code: 'parameter_missing' });
  await refused(stripe.subscriptionItems.create({ subscription: own.id, price: 'price_none' }), { param: 'price', code: 'resource_missing' });
  const found = await stripe.subscriptionItems.retrieve(added.id);
  assert.deepEqual({ ...found }, { ...added });
  await advance(stripe, clock, '2027-04-16T00:00:00Z');
  const fewer = await stripe.subscriptionItems.update(added.id, { quantity: 1, metadata: { team: '' } });
  assert.deepEqual([fewer.quantity, fewer.metadata], [1, {}]);
  const pending = await stripe.invoiceItems.list({ customer: customer.id, pending: true });
  assert.equal(pending.data.length, 2);
  assert.equal((await stripe.subscriptionItems.list({ subscription: own.id })).data.length, 2);
  const deleted = await stripe.subscriptionItems.del(added.id, { proration_behavior: 'none' });
  assert.deepEqual({ ...deleted }, { id: added.id, object: 'subscription_item', deleted: true });
  await refused(stripe.subscriptionItems.retrieve(added.id), { statusCode: 404 });
  await refused(stripe.subscriptionItems.del(own.items.data[0].id), { type: 'StripeInvalidRequestError' });
  await refused(stripe.subscriptionItems.retrieve('si_none'), { statusCode: 404 });
});

test('usage of an item that goes is billed, unless it is cleared', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } });
  const metered = await stripe.prices.create({ currency: 'usd', unit_amount: 5, recurring: { interval: 'month', usage_type: 'metered', meter: meter.id }, product_data: { name: 'Calls' } });
  const totals = [];
  for (const clear_usage of [false, true]) {
    const who = await stripe.customers.create({ test_clock: clock.id, name: `clears ${clear_usage}` });
    const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: who.id });
    await stripe.customers.update(who.id, { invoice_settings: { default_payment_method: method.id } });
    const own = await stripe.subscriptions.create({ customer: who.id, items: [{ price: price.id }, { price: metered.id }] });
    await stripe.billing.meterEvents.create({ event_name: 'calls', payload: { stripe_customer_id: who.id, value: '40' }, timestamp: seconds(START) });
    totals.push({ own, item: own.items.data[1].id, clear_usage });
  }
  await advance(stripe, clock, '2027-04-10T00:00:00Z');
  await refused(stripe.subscriptionItems.del(totals[0].own.items.data[0].id, { clear_usage: true }), { param: 'clear_usage' });
  for (const { item, clear_usage } of totals) await stripe.subscriptionItems.del(item, { clear_usage });
  await advance(stripe, clock, '2027-05-02T00:00:00Z');
  const billed = [];
  for (const { own } of totals) billed.push((await invoices(stripe, own.id)).at(-1).total);
  assert.deepEqual(billed, [3200, 3000]);
  assert.equal(customer.object, 'customer');
});

test('usage until a pause is billed, usage in it is not', async (t) => {
  const { stripe, clock, customer, price } = await begin(t);
  const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } });
  const metered = await stripe.prices.create({ currency: 'usd', unit_amount: 5, recurring: { interval: 'month', usage_type: 'metered', meter: meter.id }, product_data: { name: 'Calls' } });
  const used = (value, timestamp) => stripe.billing.meterEvents.create({ event_name: 'calls', payload: { stripe_customer_id: customer.id, value }, timestamp: seconds(timestamp) });
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }, { price: metered.id }] });
  await advance(stripe, clock, '2027-04-16T00:00:00Z');
  await used('100', '2027-04-10T00:00:00Z');
  await stripe.subscriptions.pause(own.id, { invoicing_behavior: 'invoice' });
  const stopped = (await invoices(stripe, own.id)).at(-1);
  assert.deepEqual(stopped.lines.data.map((line) => line.amount).sort((a, b) => a - b), [-1500, 500]);
  await advance(stripe, clock, '2027-04-20T00:00:00Z');
  await used('1000', '2027-04-19T00:00:00Z');
  await stripe.subscriptions.resume(own.id);
  await advance(stripe, clock, '2027-04-22T00:00:00Z');
  await used('10', '2027-04-21T00:00:00Z');
  await stripe.subscriptions.pause(own.id, { bill_for: { unused_time_from: { type: 'none' } } });
  const waiting = await stripe.invoiceItems.list({ customer: customer.id, pending: true });
  assert.deepEqual(waiting.data.map((item) => item.amount), [50]);
  const on = await stripe.subscriptions.resume(own.id, { billing_cycle_anchor: 'unchanged' });
  await advance(stripe, clock, '2027-05-21T00:00:00Z');
  const next = (await invoices(stripe, own.id)).at(-1);
  assert.equal(on.status, 'active');
  assert.equal(next.total, 3050, 'the month, and what was used before the second pause');
});

test('classic subscriptions move to the flexible mode; discounts go by themselves', async (t) => {
  const { stripe, customer, price } = await begin(t);
  const coupon = await stripe.coupons.create({ percent_off: 20, duration: 'forever' });
  const own = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], billing_mode: { type: 'classic' }, discounts: [{ coupon: coupon.id }],
  });
  assert.equal(own.billing_mode.type, 'classic');
  const moved = await stripe.subscriptions.migrate(own.id, { billing_mode: { type: 'flexible' } });
  assert.deepEqual([moved.billing_mode.type, utc(moved.billing_mode.updated_at)], ['flexible', '2027-04-01T00:00:00']);
  await refused(stripe.subscriptions.migrate(own.id, { billing_mode: { type: 'flexible' } }), { type: 'StripeInvalidRequestError' });
  const gone = await stripe.subscriptions.deleteDiscount(own.id);
  assert.deepEqual([gone.object, gone.deleted, gone.id], ['discount', true, own.discounts[0]]);
  assert.deepEqual((await stripe.subscriptions.retrieve(own.id)).discounts, []);
  await refused(stripe.subscriptions.deleteDiscount(own.id), { statusCode: 404 });
  assert.ok(await payer(stripe));
});

/** A customer with a subscription to a meter, and a way to use it. */
async function metered(stripe, clock, { tiers, thresholds, usage_gte, base } = {}) {
  const name = `calls_${Math.random().toString(36).slice(2)}`;
  const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: name, default_aggregation: { formula: 'sum' } });
  const recurring = { interval: 'month', usage_type: 'metered', meter: meter.id };
  const price = await stripe.prices.create({
    currency: 'usd', recurring, product_data: { name: 'Calls' },
    ...(tiers ? { billing_scheme: 'tiered', tiers_mode: 'graduated', tiers } : { unit_amount: 10 }),
  });
  const customer = await stripe.customers.create({ name: 'Mary', test_clock: clock.id });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  const items = [{ price: price.id, ...(usage_gte ? { billing_thresholds: { usage_gte } } : {}) }];
  if (base) items.push({ price: base.id });
  const own = await stripe.subscriptions.create({ customer: customer.id, items, ...(thresholds ? { billing_thresholds: thresholds } : {}) });
  const use = (value, timestamp) => stripe.billing.meterEvents.create({
    event_name: name, payload: { stripe_customer_id: customer.id, value: String(value) }, timestamp: seconds(timestamp),
  });
  return { own, use, customer };
}

/** The subscription's invoices once there are so many. */
async function eventually(stripe, own, count) {
  for (let tries = 0; tries < 1200; tries += 1) {
    const found = await invoices(stripe, own.id);
    if (found.length >= count && found.every((own) => own.status === 'paid')) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error('no invoice came');
}

test('usage is billed at once when it reaches a threshold, and goes on from there', async (t) => {
  const { stripe, clock } = await begin(t);
  const { own, use } = await metered(stripe, clock, { thresholds: { amount_gte: 5000 } });
  assert.deepEqual(own.billing_thresholds, { amount_gte: 5000, reset_billing_cycle_anchor: false });
  await advance(stripe, clock, '2027-04-11T00:00:00Z');
  await use(499, '2027-04-10T00:00:00Z');
  await use(1, '2027-04-10T12:00:00Z');
  const [early] = await eventually(stripe, own, 1);
  assert.deepEqual([early.billing_reason, early.total, early.status], ['subscription_threshold', 5000, 'paid']);
  assert.equal(utc(early.created), '2027-04-11T00:00:00');
  const same = await stripe.subscriptions.retrieve(own.id);
  assert.equal(same.billing_cycle_anchor, own.billing_cycle_anchor);
  await advance(stripe, clock, '2027-04-20T00:00:00Z');
  await use(30, '2027-04-19T00:00:00Z');
  await advance(stripe, clock, '2027-05-02T00:00:00Z');
  assert.deepEqual((await invoices(stripe, own.id)).map((invoice) => invoice.total), [5000, 300]);
  const cleared = await stripe.subscriptions.update(own.id, { billing_thresholds: '' });
  assert.equal(cleared.billing_thresholds, null);
  await refused(stripe.subscriptions.update(own.id, { billing_thresholds: { amount_gte: 0 } }), { param: 'billing_thresholds[amount_gte]' });
});

test('tiers go on after a threshold: all together costs what it costs without', async (t) => {
  const { stripe, clock } = await begin(t);
  const tiers = [{ up_to: 100, unit_amount: 10 }, { up_to: 'inf', unit_amount: 2 }];
  const { own, use } = await metered(stripe, clock, { tiers, usage_gte: 60 });
  assert.deepEqual(own.items.data[0].billing_thresholds, { usage_gte: 60 });
  await advance(stripe, clock, '2027-04-11T00:00:00Z');
  await use(60, '2027-04-10T00:00:00Z');
  await eventually(stripe, own, 1);
  await advance(stripe, clock, '2027-04-21T00:00:00Z');
  await use(70, '2027-04-20T00:00:00Z');
  await eventually(stripe, own, 2);
  await advance(stripe, clock, '2027-04-25T00:00:00Z');
  await use(10, '2027-04-24T00:00:00Z');
  await advance(stripe, clock, '2027-05-02T00:00:00Z');
  // 60 at 10; 40 at 10 and 30 at 2; 10 at 2.
  assert.deepEqual((await invoices(stripe, own.id)).map((invoice) => invoice.total), [600, 460, 20]);
});

test('a threshold may start a new period', async (t) => {
  const { stripe, clock, price } = await begin(t);
  const thresholds = { amount_gte: 1000, reset_billing_cycle_anchor: true };
  const { own, use } = await metered(stripe, clock, { thresholds, base: price });
  await advance(stripe, clock, '2027-04-16T00:00:00Z');
  await use(150, '2027-04-15T00:00:00Z');
  const all = await eventually(stripe, own, 2);
  const early = all.at(-1);
  assert.equal(early.billing_reason, 'subscription_threshold');
  assert.deepEqual(early.lines.data.map((line) => line.amount).sort((a, b) => a - b), [-1500, 1500, 3000]);
  const now = await stripe.subscriptions.retrieve(own.id);
  assert.equal(utc(now.billing_cycle_anchor), '2027-04-16T00:00:00');
  assert.deepEqual(now.items.data.map((item) => utc(item.current_period_end)), ['2027-05-16T00:00:00', '2027-05-16T00:00:00']);
});
