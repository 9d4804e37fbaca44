// What an official client settles about a subscription's invoices: the usual first integration by a confirmation
// secret, what stands on invoices, and amounts that are billed between periods.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, audit, clocked, monthly, openOffice, refused, seconds, utc } from './office.mjs';

test('the usual first integration: the confirmed card becomes the subscription\'s own', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await stripe.customers.create({ name: 'Ada Lovelace', email: 'ada@example.com' });
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    payment_behavior: 'default_incomplete',
    payment_settings: {
      save_default_payment_method: 'on_subscription',
      payment_method_types: ['card'],
      payment_method_options: { card: { request_three_d_secure: 'automatic' } },
    },
    billing_mode: { type: 'flexible', flexible: { proration_discounts: 'included' } },
    currency: 'usd',
    trial_from_plan: false,
    automatic_tax: { enabled: false },
    description: 'The first one',
    expand: ['latest_invoice.confirmation_secret', 'pending_setup_intent'],
  });
  assert.equal(subscription.status, 'incomplete');
  assert.equal(subscription.default_payment_method, null);
  assert.equal(subscription.payment_settings.save_default_payment_method, 'on_subscription');
  assert.deepEqual(subscription.payment_settings.payment_method_types, ['card']);
  assert.equal(subscription.payment_settings.payment_method_options.card.request_three_d_secure, 'automatic');
  const secret = subscription.latest_invoice.confirmation_secret;
  assert.equal(secret.type, 'payment_intent');
  const [intent] = secret.client_secret.split('_secret_');
  assert.match(secret.client_secret, /^pi_\w+_secret_[0-9a-f]{32}$/);
  const found = await stripe.paymentIntents.retrieve(intent);
  assert.equal(found.client_secret, secret.client_secret, 'both say the same secret');
  assert.equal(found.status, 'requires_payment_method');
  // What a browser does with the secret, done by the server: a card that nobody has seen before.
  const paid = await stripe.paymentIntents.confirm(intent, { payment_method: 'pm_card_visa' });
  assert.equal(paid.status, 'succeeded');
  const active = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice.confirmation_secret'] });
  assert.equal(active.status, 'active');
  assert.equal(active.default_payment_method, paid.payment_method);
  assert.equal(active.latest_invoice.confirmation_secret, null, 'there is nothing left to confirm');
  const kept = await stripe.paymentMethods.retrieve(paid.payment_method);
  assert.equal(kept.customer, customer.id);
  const plain = await stripe.invoices.retrieve(active.latest_invoice.id);
  assert.equal('confirmation_secret' in plain, false, 'nobody sees it who did not ask');
  await audit(server);
});

test('without the wish the subscription keeps no method, and a renewal says so', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-01T00:00:00Z', { card: null });
  const price = await monthly(stripe, 2000);
  const start = (save) => stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    payment_behavior: 'default_incomplete',
    payment_settings: { save_default_payment_method: save },
    expand: ['latest_invoice.confirmation_secret'],
  });
  const [off, on] = [await start('off'), await start('on_subscription')];
  for (const own of [off, on]) {
    const [intent] = own.latest_invoice.confirmation_secret.client_secret.split('_secret_');
    await stripe.paymentIntents.confirm(intent, { payment_method: 'pm_card_visa' });
  }
  await advance(stripe, clock, '2027-02-02T00:00:00Z');
  const state = async (own) => {
    const now = await stripe.subscriptions.retrieve(own.id, { expand: ['latest_invoice'] });
    return [now.status, now.latest_invoice.status, now.default_payment_method !== null];
  };
  assert.deepEqual(await state(off), ['past_due', 'open', false]);
  assert.deepEqual(await state(on), ['active', 'paid', true]);
  // Settled later, the next payment is kept.
  const update = await stripe.subscriptions.update(off.id, { payment_settings: { save_default_payment_method: 'on_subscription' } });
  assert.equal(update.payment_settings.save_default_payment_method, 'on_subscription');
  const card = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id });
  await stripe.invoices.pay(update.latest_invoice, { payment_method: card.id });
  assert.equal((await stripe.subscriptions.retrieve(off.id)).default_payment_method, card.id);
});

test('what we have no other value of is accepted as it is, and refused by name otherwise', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await stripe.customers.create({ name: 'Ada Lovelace' });
  const price = await monthly(stripe, 2000);
  const base = { customer: customer.id, items: [{ price: price.id }], payment_behavior: 'default_incomplete' };
  const table = [
    [{ automatic_tax: { enabled: true } }, 'automatic_tax[enabled]'],
    [{ currency: 'eur' }, 'currency'],
    [{ payment_settings: { payment_method_types: ['card', 'sepa_debit'] } }, 'payment_settings[payment_method_types][1]'],
    [{ payment_settings: { save_default_payment_method: 'always' } }, 'payment_settings[save_default_payment_method]'],
    [{ payment_settings: { payment_method_options: { card: { request_three_d_secure: 'any' } } } }, 'payment_settings[payment_method_options][card][request_three_d_secure]'],
    [{ payment_settings: { payment_method_options: { sepa_debit: { x: 1 } } } }, 'payment_settings[payment_method_options][sepa_debit]'],
    [{ invoice_settings: { issuer: { type: 'account', account: 'acct_1' } } }, 'invoice_settings[issuer][account]'],
    [{ invoice_settings: { account_tax_ids: ['txi_none00000000000000000000'] } }, 'invoice_settings[account_tax_ids]'],
    [{ pending_invoice_item_interval: { interval: 'hour' } }, 'pending_invoice_item_interval[interval]'],
    [{ pending_invoice_item_interval: { interval: 'month', interval_count: 400 } }, 'pending_invoice_item_interval[interval_count]'],
  ];
  for (const [more, param] of table) {
    const no = await refused(stripe.subscriptions.create({ ...base, ...more }));
    assert.equal(no.status === 404 ? 400 : no.status, 400, param);
    assert.ok(no.param.startsWith(param), `${no.param} for ${param}: ${no.message}`);
  }
  const made = await stripe.subscriptions.create({
    ...base, automatic_tax: { enabled: false }, invoice_settings: { issuer: { type: 'self' } }, currency: 'usd',
  });
  for (const [more, param] of table.filter(([more]) => !('currency' in more))) {
    const no = await refused(stripe.subscriptions.update(made.id, more));
    assert.ok(no.param.startsWith(param), `${no.param} for ${param}`);
  }
  assert.equal((await refused(stripe.subscriptions.update(made.id, { trial_from_plan: true }))).param, 'trial_from_plan');
  await stripe.subscriptions.update(made.id, { trial_from_plan: false, automatic_tax: { enabled: false } });
  const same = await stripe.subscriptions.retrieve(made.id);
  assert.deepEqual(same.automatic_tax, { disabled_reason: null, enabled: false, liability: null });
});

test('what is settled for invoices stands on each of them', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-01T00:00:00Z');
  const tax = await stripe.taxIds.create({ type: 'eu_vat', value: 'DE123456789' });
  const price = await monthly(stripe, 2000);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    invoice_settings: {
      account_tax_ids: [tax.id],
      custom_fields: [{ name: 'Order', value: 'PO-17' }],
      description: 'As agreed in May',
      footer: 'Thank you',
      issuer: { type: 'self' },
    },
  });
  assert.deepEqual(subscription.invoice_settings, {
    account_tax_ids: [tax.id],
    custom_fields: [{ name: 'Order', value: 'PO-17' }],
    description: 'As agreed in May',
    footer: 'Thank you',
    issuer: { type: 'self' },
  });
  const said = async () => {
    const [own] = (await stripe.invoices.list({ subscription: subscription.id })).data;
    return [own.account_tax_ids, own.custom_fields?.map((field) => field.value), own.description, own.footer];
  };
  assert.deepEqual(await said(), [[tax.id], ['PO-17'], 'As agreed in May', 'Thank you']);
  const preview = await stripe.invoices.createPreview({ subscription: subscription.id });
  assert.equal(preview.footer, 'Thank you');
  await stripe.subscriptions.update(subscription.id, { invoice_settings: { footer: '', custom_fields: '', description: 'New words' } });
  await advance(stripe, clock, '2027-02-02T00:00:00Z');
  assert.deepEqual(await said(), [[tax.id], undefined, 'New words', null]);
});

test('waiting amounts are billed at the interval that was settled', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-10T00:00:00Z');
  const yearly = await stripe.prices.create({
    currency: 'usd', unit_amount: 120_00, recurring: { interval: 'year' }, product_data: { name: 'Pro' },
  });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: yearly.id, quantity: 1 }], pending_invoice_item_interval: { interval: 'month' },
  });
  assert.deepEqual(subscription.pending_invoice_item_interval, { interval: 'month', interval_count: 1 });
  assert.equal(utc(subscription.next_pending_invoice_item_invoice), '2027-02-10T00:00:00');
  const invoices = async () => (await stripe.invoices.list({ subscription: subscription.id })).data
    .map((own) => [own.billing_reason, own.status, own.total, utc(own.created)]);
  const first = ['subscription_create', 'paid', 12000, '2027-01-10T00:00:00'];
  await stripe.invoiceItems.create({ customer: customer.id, subscription: subscription.id, amount: 700, currency: 'usd', description: 'Hours' });
  const preview = await stripe.invoices.createPreview({ subscription: subscription.id });
  assert.equal(preview.total, 700);
  assert.equal(utc(preview.created ?? preview.period_end), '2027-02-10T00:00:00');
  await advance(stripe, clock, '2027-02-10T02:00:00Z');
  const hours = ['automatic_pending_invoice_item_invoice', 'paid', 700, '2027-02-10T00:00:00'];
  assert.deepEqual(await invoices(), [hours, first]);
  // Nothing waits: no invoice, and the time moves on all the same.
  await advance(stripe, clock, '2027-05-20T00:00:00Z');
  assert.deepEqual(await invoices(), [hours, first]);
  const later = await stripe.subscriptions.retrieve(subscription.id);
  assert.equal(utc(later.next_pending_invoice_item_invoice), '2027-06-10T00:00:00');
  // What a change leaves waiting comes with the next one, not a year later.
  await stripe.subscriptions.update(subscription.id, { items: [{ id: subscription.items.data[0].id, quantity: 2 }] });
  await advance(stripe, clock, '2027-06-10T02:00:00Z');
  const [change] = (await stripe.invoices.list({ subscription: subscription.id })).data;
  assert.equal(change.billing_reason, 'automatic_pending_invoice_item_invoice');
  assert.ok(change.total > 0 && change.total < 12000, `${change.total}`);
  // Taken back, it waits for the renewal.
  const off = await stripe.subscriptions.update(subscription.id, { pending_invoice_item_interval: '' });
  assert.deepEqual([off.pending_invoice_item_interval, off.next_pending_invoice_item_invoice], [null, null]);
  await stripe.invoiceItems.create({ customer: customer.id, subscription: subscription.id, amount: 300, currency: 'usd' });
  await advance(stripe, clock, '2028-01-10T02:00:00Z');
  const [renewal] = (await stripe.invoices.list({ subscription: subscription.id })).data;
  assert.deepEqual([renewal.billing_reason, renewal.total], ['subscription_cycle', 24000 + 300]);
  assert.equal(seconds('2028-01-10T00:00:00Z'), renewal.created);
  await audit(server);
});

test('one-off amounts have discounts of their own', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { customer } = await clocked(stripe, '2027-01-10T00:00:00Z');
  const price = await monthly(stripe, 2000);
  const setUp = await stripe.prices.create({ currency: 'usd', unit_amount: 1000, product_data: { name: 'Set-up' } });
  const half = await stripe.coupons.create({ percent_off: 50, duration: 'once' });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    add_invoice_items: [{ price: setUp.id, discounts: [{ coupon: half.id }] }],
    expand: ['latest_invoice'],
  });
  assert.equal(subscription.latest_invoice.total, 2500);
  const update = await stripe.subscriptions.update(subscription.id, {
    items: [{ id: subscription.items.data[0].id, quantity: 1 }],
    add_invoice_items: [{ price: setUp.id, quantity: 3, discounts: [{ coupon: half.id }] }],
  });
  const preview = await stripe.invoices.createPreview({ subscription: update.id });
  assert.equal(preview.total, 2000 + 1500);
  const none = await refused(stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], add_invoice_items: [{ price: setUp.id, discounts: [{ coupon: 'nothing' }] }],
  }));
  assert.equal(none.param, 'add_invoice_items[0][discounts][0][coupon]');
  await audit(server);
});
