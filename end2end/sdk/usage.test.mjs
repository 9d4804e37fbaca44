// Usage with the official client: meters, events, the stream, corrections, summaries, alerts, and what it all costs.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { openOffice, payer } from './office.mjs';

const now = () => Math.floor(Date.now() / 1000);
const refused = (param, code) => (error) => {
  assert.equal(error.type, 'StripeInvalidRequestError');
  assert.equal(error.param, param);
  assert.equal(error.code, code);
  return true;
};

async function meter(stripe, event_name, formula = 'sum') {
  return stripe.billing.meters.create({ display_name: event_name, event_name, default_aggregation: { formula } });
}

/** A subscription to so many cents for each unit of a meter. */
async function metered(stripe, customer, meter, terms = { unit_amount_decimal: '0.25' }) {
  const price = await stripe.prices.create({
    currency: 'usd', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    product_data: { name: 'API calls' }, ...terms,
  });
  return stripe.subscriptions.create({ customer, items: [{ price: price.id }] });
}

const used = (stripe, customer, event_name, value, more = {}) => stripe.billing.meterEvents.create({
  event_name, payload: { stripe_customer_id: customer, value: String(value) }, ...more,
});

test('meters live as the client says', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const made = await stripe.billing.meters.create({
    display_name: 'Tokens', event_name: 'tokens', default_aggregation: { formula: 'sum' },
    customer_mapping: { type: 'by_id', event_payload_key: 'who' }, value_settings: { event_payload_key: 'count' },
    event_time_window: 'day',
  });
  assert.equal(made.object, 'billing.meter');
  assert.deepEqual(made.customer_mapping, { event_payload_key: 'who', type: 'by_id' });
  assert.deepEqual([made.status, made.livemode, made.event_time_window], ['active', false, 'day']);
  assert.equal(made.status_transitions.deactivated_at, null);
  await assert.rejects(meter(stripe, 'tokens'), refused('event_name', 'resource_already_exists'));
  const renamed = await stripe.billing.meters.update(made.id, { display_name: 'All tokens' });
  assert.equal(renamed.display_name, 'All tokens');
  const off = await stripe.billing.meters.deactivate(made.id);
  assert.equal(off.status, 'inactive');
  assert.ok(off.status_transitions.deactivated_at > 0);
  const customer = await stripe.customers.create({});
  const event = { event_name: 'tokens', payload: { who: customer.id, count: '1' } };
  await assert.rejects(stripe.billing.meterEvents.create(event), refused('event_name', 'archived_meter'));
  assert.equal((await stripe.billing.meters.reactivate(made.id)).status, 'active');
  assert.equal((await stripe.billing.meterEvents.create(event)).payload.count, '1');
  for (const formula of ['count', 'last', 'max', 'unique']) await meter(stripe, formula, formula);
  const names = [];
  for await (const one of stripe.billing.meters.list({ limit: 2 })) names.push(one.event_name);
  assert.deepEqual(names, ['unique', 'max', 'last', 'count', 'tokens']);
  assert.equal((await stripe.billing.meters.list({ status: 'inactive' })).data.length, 0);
  const kinds = (await stripe.events.list({ types: ['billing.meter.*'].map(String), limit: 20 })).data.map((e) => e.type);
  for (const kind of ['created', 'updated', 'deactivated', 'reactivated']) assert.ok(kinds.includes(`billing.meter.${kind}`), kind);
});

test('events count once, in order of nothing, and are refused by name', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const calls = await meter(stripe, 'calls');
  const customer = (await stripe.customers.create({})).id;
  const at = now() - 3 * 3600;
  const first = await used(stripe, customer, 'calls', '1.5', { identifier: 'one', timestamp: at });
  assert.deepEqual(
    [first.object, first.identifier, first.timestamp, first.payload],
    ['billing.meter_event', 'one', at, { stripe_customer_id: customer, value: '1.5' }],
  );
  await used(stripe, customer, 'calls', '1.5', { identifier: 'one', timestamp: at });
  await assert.rejects(used(stripe, customer, 'calls', '2', { identifier: 'one' }), refused('identifier', 'duplicate_meter_event'));
  // The same call again, by its idempotency key.
  const payload = { event_name: 'calls', payload: { stripe_customer_id: customer, value: '10' } };
  const once = await stripe.billing.meterEvents.create(payload, { idempotencyKey: 'again' });
  assert.ok(Math.abs(once.timestamp - now()) < 60);
  const twice = await stripe.billing.meterEvents.create(payload, { idempotencyKey: 'again' });
  assert.equal(once.identifier, twice.identifier);
  for (const [value, more, param, code] of [
    ['much', {}, 'payload[value]', 'meter_event_invalid_value'],
    ['1'.repeat(16), {}, 'payload[value]', 'meter_event_value_too_many_digits'],
    ['1', { timestamp: now() - 36 * 86400 }, 'timestamp', 'timestamp_too_far_in_past'],
    ['1', { timestamp: now() + 600 }, 'timestamp', 'timestamp_in_future'],
  ]) await assert.rejects(used(stripe, customer, 'calls', value, more), refused(param, code));
  await assert.rejects(used(stripe, 'cus_none', 'calls', '1'), refused('payload[stripe_customer_id]', 'meter_event_customer_not_found'));
  await assert.rejects(used(stripe, customer, 'none', '1'), refused('event_name', 'no_meter'));
  await assert.rejects(used(stripe, customer, 'calls', '1', { colour: 'red' }), refused('colour', 'parameter_unknown'));
  // A correction.
  await used(stripe, customer, 'calls', '1000', { identifier: 'mistake', timestamp: at });
  const adjusted = await stripe.billing.meterEventAdjustments.create({ event_name: 'calls', type: 'cancel', cancel: { identifier: 'mistake' } });
  assert.deepEqual([adjusted.object, adjusted.status, adjusted.cancel.identifier], ['billing.meter_event_adjustment', 'complete', 'mistake']);
  await assert.rejects(
    stripe.billing.meterEventAdjustments.create({ event_name: 'calls', type: 'cancel', cancel: { identifier: 'none' } }),
    refused('cancel[identifier]', 'resource_missing'),
  );
  // Summaries: all in one, by hour, and page by page.
  const minute = (moment) => moment - (moment % 60);
  const [start_time, end_time] = [minute(at) - 60, minute(now()) + 60];
  const whole = await stripe.billing.meters.listEventSummaries(calls.id, { customer, start_time, end_time });
  assert.equal(whole.data.length, 1);
  assert.deepEqual([whole.data[0].aggregated_value, whole.data[0].meter], [11.5, calls.id]);
  const hour = (moment) => moment - (moment % 3600);
  const by = { customer, start_time: hour(at), end_time: hour(now()) + 3600, value_grouping_window: 'hour', limit: 1 };
  const hours = [];
  for await (const one of stripe.billing.meters.listEventSummaries(calls.id, by)) hours.push([one.start_time, one.aggregated_value]);
  assert.deepEqual(hours, [[hour(once.timestamp), 10], [hour(at), 1.5]]);
  await assert.rejects(stripe.billing.meters.listEventSummaries(calls.id, { ...by, start_time: hour(at) + 60 }), refused('start_time', undefined));
});

test('the stream takes batches with a session', async (t) => {
  const office = await openOffice(t);
  const merchant = await office.merchant();
  const stripe = merchant.test;
  const calls = await meter(stripe, 'calls');
  const customer = (await stripe.customers.create({})).id;
  const session = await stripe.v2.billing.meterEventSession.create();
  assert.equal(session.object, 'v2.billing.meter_event_session');
  assert.equal(Date.parse(session.expires_at) - Date.parse(session.created), 900_000);
  const stream = office.client(session.authentication_token);
  const events = (from, count) => Array.from({ length: count }, (_, n) => ({
    event_name: 'calls', identifier: `s-${from + n}`, timestamp: new Date().toISOString(),
    payload: { stripe_customer_id: customer, value: '2' },
  }));
  await stream.v2.billing.meterEventStream.create({ events: events(0, 100) });
  await stream.v2.billing.meterEventStream.create({ events: events(50, 2_000).map((e) => ({ ...e, timestamp: undefined })) });
  const bad = events(9_000, 3);
  bad[1].payload.value = 'x';
  await assert.rejects(stream.v2.billing.meterEventStream.create({ events: bad }), refused('events[1][payload][value]', 'meter_event_invalid_value'));
  await assert.rejects(office.client(`${session.authentication_token}x`).v2.billing.meterEventStream.create({ events: events(0, 1) }), { type: 'TemporarySessionExpiredError' });
  const single = await stripe.v2.billing.meterEvents.create({ event_name: 'calls', payload: { stripe_customer_id: customer, value: '5' } });
  assert.equal(single.object, 'v2.billing.meter_event');
  await stripe.v2.billing.meterEventAdjustments.create({ event_name: 'calls', type: 'cancel', cancel: { identifier: single.identifier } });
  const minute = now() - (now() % 60);
  const total = await stripe.billing.meters.listEventSummaries(calls.id, { customer, start_time: minute - 3600, end_time: minute + 60 });
  assert.equal(total.data[0].aggregated_value, 2_050 * 2);
});

test('usage shows at once in the upcoming invoice and is billed by a test clock', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const calls = await meter(stripe, 'calls');
  const start = Date.UTC(2030, 0, 15) / 1000;
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start });
  const customer = await stripe.customers.create({ name: 'Ada', test_clock: clock.id });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  const own = await metered(stripe, customer.id, calls, {
    billing_scheme: 'tiered', tiers_mode: 'graduated',
    tiers: [{ up_to: 100, unit_amount: 0 }, { up_to: 'inf', unit_amount_decimal: '1.5', flat_amount: 500 }],
  });
  assert.equal(own.status, 'active');
  const preview = async () => stripe.invoices.createPreview({ subscription: own.id });
  assert.equal((await preview()).total, 0);
  await used(stripe, customer.id, 'calls', '100.5');
  const shown = await preview();
  assert.equal(shown.total, 500 + 1);
  assert.deepEqual([shown.lines.data[0].quantity, String(shown.lines.data[0].quantity_decimal)], [100, '100.5']);
  await used(stripe, customer.id, 'calls', '19.5');
  assert.equal((await preview()).total, 500 + 30);
  const advance = async (to) => {
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: to });
    for (let n = 0; n < 600; n++) {
      const { status } = await stripe.testHelpers.testClocks.retrieve(clock.id);
      if (status === 'ready') return;
      assert.notEqual(status, 'internal_failure');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail('the clock did not arrive');
  };
  const end = Date.UTC(2030, 1, 15) / 1000;
  await advance(end + 600);
  // While the invoice is a draft, an event of its period still goes onto it.
  await used(stripe, customer.id, 'calls', '2', { timestamp: end - 1 });
  await advance(end + 2 * 3600);
  let [billed] = (await stripe.invoices.list({ customer: customer.id, limit: 1 })).data;
  assert.deepEqual([billed.status, billed.total], ['paid', 500 + 33]);
  // After that, it comes with the next invoice.
  await used(stripe, customer.id, 'calls', '4', { timestamp: end - 1 });
  await advance(Date.UTC(2030, 2, 15) / 1000 + 2 * 3600);
  [billed] = (await stripe.invoices.list({ customer: customer.id, limit: 1 })).data;
  assert.equal(billed.total, 6);
  assert.ok(billed.lines.data.some((line) => /^Late usage/.test(line.description)));
});

test('an alert is told once', async (t) => {
  const office = await openOffice(t);
  const { test: stripe } = await office.merchant();
  const calls = await meter(stripe, 'calls');
  const customer = await payer(stripe);
  const alert = await stripe.billing.alerts.create({
    alert_type: 'usage_threshold', title: 'Much', usage_threshold: {
      gte: 10, meter: calls.id, recurrence: 'one_time', filters: [{ type: 'customer', customer: customer.id }],
    },
  });
  assert.deepEqual([alert.object, alert.status, alert.usage_threshold.gte], ['billing.alert', 'active', 10]);
  await used(stripe, customer.id, 'calls', '11');
  await used(stripe, customer.id, 'calls', '11');
  let told = [];
  for (let n = 0; n < 600 && told.length === 0; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    told = (await stripe.events.list({ type: 'billing.alert.triggered' })).data;
  }
  assert.equal(told.length, 1);
  assert.deepEqual([told[0].data.object.customer, told[0].data.object.alert.id], [customer.id, alert.id]);
  assert.equal((await stripe.billing.alerts.deactivate(alert.id)).status, 'inactive');
  assert.equal((await stripe.billing.alerts.activate(alert.id)).status, 'active');
  assert.equal((await stripe.billing.alerts.list({ meter: calls.id })).data.length, 1);
  assert.equal((await stripe.billing.alerts.archive(alert.id)).status, 'archived');
  assert.equal((await stripe.billing.alerts.list()).data.length, 0);
  await assert.rejects(stripe.billing.alerts.retrieve(alert.id), { statusCode: 404 });
});
