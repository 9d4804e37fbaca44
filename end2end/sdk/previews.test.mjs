// What `subscription_details` of a preview may say, each compared with what then happens.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, audit, clocked, monthly, openOffice, refused, seconds, utc } from './office.mjs';

const shape = (invoice) => ({
  total: invoice.total,
  lines: invoice.lines.data.map((line) => [line.amount, utc(line.period.start), utc(line.period.end)]),
});

test('a preview of a new subscription is its first invoice, whenever it starts', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-03-10T00:00:00Z');
  const price = await monthly(stripe, 3100);
  const preview = (details) => stripe.invoices.createPreview({
    customer: customer.id, subscription_details: { items: [{ price: price.id }], ...details },
  });
  const begin = async (more) => (await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], expand: ['latest_invoice'], ...more,
  })).latest_invoice;
  const table = [
    [{}, {}],
    [{ start_date: seconds('2027-02-20T00:00:00Z') }, { backdate_start_date: seconds('2027-02-20T00:00:00Z') }],
    [{ start_date: seconds('2027-03-10T00:00:00Z') }, {}],
    [{ trial_end: 'now' }, {}],
    [{ billing_cycle_anchor: seconds('2027-04-01T00:00:00Z') }, { billing_cycle_anchor: seconds('2027-04-01T00:00:00Z') }],
    [{ cancel_at: seconds('2027-03-20T00:00:00Z') }, { cancel_at: seconds('2027-03-20T00:00:00Z') }],
    [{ cancel_at_period_end: true }, { cancel_at_period_end: true }],
    [{ cancel_at: 'min_period_end' }, { cancel_at: 'min_period_end' }],
    [{ billing_mode: { type: 'classic' }, metadata: { why: 'test' } }, { billing_mode: { type: 'classic' } }],
  ];
  for (const [details, more] of table) {
    const told = shape(await preview(details));
    const invoice = await begin(more);
    if (!invoice || invoice.lines.data.length === 0) {
      assert.fail(`nothing was billed for ${JSON.stringify(more)}`);
    }
    assert.deepEqual(told, shape(invoice), JSON.stringify(details));
  }
  // A start to come: the invoice of that day.
  const later = await preview({ start_date: seconds('2027-05-05T00:00:00Z') });
  assert.deepEqual(shape(later), { total: 3100, lines: [[3100, '2027-05-05T00:00:00', '2027-06-05T00:00:00']] });
  const trial = await preview({ trial_end: seconds('2027-03-24T00:00:00Z') });
  assert.equal(trial.total, 0);
  const no = await refused(preview({ backdate_start_date: seconds('2027-02-20T00:00:00Z') }));
  assert.deepEqual([no.code, no.param], ['parameter_unknown', 'subscription_details[backdate_start_date]']);
  assert.equal((await refused(preview({ cancel_at: 'min_period_end', cancel_at_period_end: true }))).param, 'subscription_details[cancel_at_period_end]');
  await advance(stripe, clock, '2027-03-12T00:00:00Z');
  await audit(server);
});

test('a preview of a running subscription is what the act then bills', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-03-01T00:00:00Z');
  const [price, more] = [await monthly(stripe, 3100), await monthly(stripe, 6200)];
  const start = () => stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const running = [];
  for (let index = 0; index < 6; index += 1) running.push(await start());
  await advance(stripe, clock, '2027-03-11T00:00:00Z');
  const preview = (own, details) => stripe.invoices.createPreview({ subscription: own.id, subscription_details: details });
  const newest = async (own) => {
    const now = await stripe.subscriptions.retrieve(own.id, { expand: ['latest_invoice'] });
    return now.latest_invoice;
  };
  const [change, dated, anchored, trial, cancel, end] = running;
  const item = (own) => own.items.data[0].id;

  let told = await preview(change, { items: [{ id: item(change), price: more.id }], proration_behavior: 'always_invoice', metadata: { a: 'b' } });
  await stripe.subscriptions.update(change.id, { items: [{ id: item(change), price: more.id }], proration_behavior: 'always_invoice' });
  assert.deepEqual(shape(told), shape(await newest(change)));

  const at = seconds('2027-03-16T00:00:00Z');
  await advance(stripe, clock, '2027-03-16T12:00:00Z');
  const wish = (own) => ({ items: [{ id: item(own), price: more.id }], proration_behavior: 'always_invoice', proration_date: at });
  told = await preview(dated, wish(dated));
  await stripe.subscriptions.update(dated.id, wish(dated));
  assert.deepEqual(shape(told), shape(await newest(dated)));

  told = await preview(anchored, { billing_cycle_anchor: 'now' });
  await stripe.subscriptions.update(anchored.id, { billing_cycle_anchor: 'now', proration_behavior: 'create_prorations' });
  assert.deepEqual(shape(told), shape(await newest(anchored)));

  const until = seconds('2027-04-20T00:00:00Z');
  told = await preview(trial, { trial_end: until });
  await stripe.subscriptions.update(trial.id, { trial_end: until });
  assert.equal(told.total, (await newest(trial)).total);
  told = await preview(trial, { trial_end: 'now' });
  await stripe.subscriptions.update(trial.id, { trial_end: 'now' });
  assert.deepEqual(shape(told), shape(await newest(trial)));

  told = await preview(cancel, { cancel_now: true });
  assert.ok(told.total < 0, `unused time is given back: ${told.total}`);
  const ended = await stripe.subscriptions.cancel(cancel.id, { prorate: true, invoice_now: true });
  assert.equal((await stripe.invoices.retrieve(ended.latest_invoice)).total, told.total);

  const none = await refused(preview(end, { cancel_at_period_end: true }));
  assert.deepEqual([none.status, none.code], [404, 'invoice_upcoming_none']);
  // An empty pause is none: the next invoice.
  assert.equal((await preview(end, { pause: '' })).total, 3100);
  await audit(server);
});
