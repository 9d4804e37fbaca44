// Particulars that a merchant's program says of customers, tax rates and payments, and what it may rely on then.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, audit, clocked, monthly, openOffice, payer, refused } from './office.mjs';

test('an invoice prefix is one customer’s', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe, live } = await merchant();
  const ada = await stripe.customers.create({ invoice_prefix: 'ADA' });
  const double = await refused(stripe.customers.create({ invoice_prefix: 'ADA', name: 'Another Ada' }));
  assert.deepEqual([double.status, double.type, double.param], [400, 'StripeInvalidRequestError', 'invoice_prefix']);
  assert.equal((await stripe.customers.list()).data.length, 1, 'the refused one was not made');
  const bob = await stripe.customers.create({});
  assert.equal((await refused(stripe.customers.update(bob.id, { invoice_prefix: 'ADA', name: 'Bob' }))).param, 'invoice_prefix');
  assert.equal((await stripe.customers.retrieve(bob.id)).name, null);
  assert.equal((await stripe.customers.update(ada.id, { invoice_prefix: 'ADA' })).invoice_prefix, 'ADA');
  assert.equal((await live.customers.create({ invoice_prefix: 'ADA' })).invoice_prefix, 'ADA');
  const asked = await Promise.allSettled(Array.from({ length: 6 }, () => stripe.customers.create({ invoice_prefix: 'SAME' })));
  assert.equal(asked.filter((one) => one.status === 'fulfilled').length, 1);
});

test('a customer comes with a payment method and names', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const plain = await stripe.customers.create({ payment_method: 'pm_card_visa' });
  assert.equal(plain.invoice_settings.default_payment_method, null, 'Stripe makes it no default by itself');
  const [own] = (await stripe.customers.listPaymentMethods(plain.id)).data;
  assert.equal(own.card.last4, '4242');

  const made = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } }).catch(() => null);
  const name = made?.id ?? 'pm_card_mastercard';
  const ada = await stripe.customers.create({
    name: 'Ada', business_name: 'Analytical Engines', individual_name: 'Ada Lovelace', tax: { validate_location: 'deferred' },
    payment_method: name, invoice_settings: { default_payment_method: name },
  });
  assert.deepEqual([ada.business_name, ada.individual_name], ['Analytical Engines', 'Ada Lovelace']);
  assert.equal('business_name' in plain, false);
  const price = await monthly(stripe, 1_900);
  const subscription = await stripe.subscriptions.create({ customer: ada.id, items: [{ price: price.id }] });
  assert.equal(subscription.status, 'active', 'it pays by default');
  assert.equal('business_name' in await stripe.customers.update(ada.id, { business_name: '' }), false);

  const before = (await stripe.customers.list()).data.length;
  const declined = await refused(stripe.customers.create({ payment_method: 'pm_card_chargeDeclined' }));
  assert.deepEqual([declined.status, declined.code], [402, 'card_declined']);
  const taken = await refused(stripe.customers.create({ payment_method: own.id }));
  assert.equal(taken.status, 400);
  assert.equal((await stripe.customers.list()).data.length, before, 'a refused card leaves no customer');
  assert.equal((await refused(stripe.customers.create({ tax: { validate_location: 'immediately' } }))).param, 'tax[validate_location]');
  assert.equal((await refused(stripe.customers.create({ tax: { ip_address: '203.0.113.7' } }))).param, 'tax[ip_address]');
  assert.equal((await refused(stripe.customers.create({ business_name: 'x'.repeat(151) }))).param, 'business_name');
  await audit(server);
});

test('tax rates say what kind they are, and are listed by whether prices contain them', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const vat = await stripe.taxRates.create({
    display_name: 'VAT', percentage: 20, inclusive: true, country: 'FR', jurisdiction: 'FR', tax_type: 'vat',
  });
  assert.deepEqual([vat.tax_type, vat.state, vat.jurisdiction_level, vat.rate_type], ['vat', null, null, 'percentage']);
  const sales = await stripe.taxRates.create({ display_name: 'Sales', percentage: 8.875, inclusive: false, country: 'US', state: 'NY' });
  assert.deepEqual([sales.tax_type, sales.state], [null, 'NY']);
  assert.equal((await stripe.taxRates.update(sales.id, { tax_type: 'sales_tax' })).tax_type, 'sales_tax');
  assert.equal((await refused(stripe.taxRates.update(sales.id, { tax_type: 'window_tax' }))).param, 'tax_type');
  const ids = async (filter) => (await stripe.taxRates.list(filter)).data.map((rate) => rate.id);
  assert.deepEqual(await ids({ inclusive: true }), [vat.id]);
  assert.deepEqual(await ids({ inclusive: false }), [sales.id]);
  assert.deepEqual(await ids({ inclusive: false, active: false }), []);
});

test('a payment says where goods go, fails rather than ask, and keeps its secret', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe);
  const method = customer.invoice_settings.default_payment_method;
  const shipping = { name: 'Ada', address: { line1: '12 St James’s Square', city: 'London', country: 'GB' }, carrier: 'Royal Mail' };
  const intent = await stripe.paymentIntents.create({
    amount: 4_200, currency: 'usd', customer: customer.id, payment_method: method, shipping, description: 'Books', metadata: { order: '7' },
  });
  assert.equal(intent.shipping.address.city, 'London');
  const tracked = { ...shipping, tracking_number: 'RM1' };
  const paid = await stripe.paymentIntents.confirm(intent.id, { shipping: tracked, error_on_requires_action: true });
  assert.deepEqual([paid.status, paid.shipping.tracking_number, paid.metadata.order], ['succeeded', 'RM1', '7']);
  const charge = await stripe.charges.retrieve(paid.latest_charge);
  assert.equal(charge.shipping.carrier, 'Royal Mail');
  assert.equal((await stripe.paymentIntents.update(intent.id, { shipping: '' })).shipping, null);

  const asking = await stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer: customer.id });
  const fails = { amount: 900, currency: 'usd', customer: customer.id, payment_method: asking.id, confirm: true };
  const asks = await stripe.paymentIntents.create(fails);
  assert.equal(asks.status, 'requires_action');
  const failed = await refused(stripe.paymentIntents.create({ ...fails, error_on_requires_action: true }));
  assert.deepEqual([failed.status, failed.code], [402, 'authentication_required']);
  const early = await refused(stripe.paymentIntents.create({ ...fails, confirm: false, error_on_requires_action: true }));
  assert.equal(early.param, 'error_on_requires_action');

  const own = await stripe.paymentIntents.retrieve(asks.id, { client_secret: asks.client_secret });
  assert.equal(own.id, asks.id);
  for (const secret of [paid.client_secret, 'pi_secret']) {
    const wrong = await refused(stripe.paymentIntents.retrieve(asks.id, { client_secret: secret }));
    assert.deepEqual([wrong.status, wrong.param], [400, 'client_secret']);
  }
  const setup = await stripe.setupIntents.create({ customer: customer.id });
  assert.equal((await stripe.setupIntents.retrieve(setup.id, { client_secret: setup.client_secret })).id, setup.id);
  assert.equal((await refused(stripe.setupIntents.retrieve(setup.id, { client_secret: asks.client_secret }))).param, 'client_secret');
  assert.equal((await refused(stripe.paymentIntents.create({ ...fails, transfer_group: 'ada' }))).code, 'parameter_unknown');
  await audit(server);
});

test('a trial that nothing could pay waits for a set-up, and what that saves pays', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const { clock, customer } = await clocked(stripe, '2027-01-10T09:00:00Z', { card: null });
  const price = await monthly(stripe, 2_000);
  const wish = {
    customer: customer.id, items: [{ price: price.id }], trial_period_days: 7, payment_behavior: 'default_incomplete',
    expand: ['pending_setup_intent'],
  };
  const trial = await stripe.subscriptions.create(wish);
  assert.equal(trial.status, 'trialing');
  const setup = trial.pending_setup_intent;
  assert.deepEqual([setup.object, setup.status, setup.customer], ['setup_intent', 'requires_payment_method', customer.id]);
  const kinds = (await stripe.events.list({ limit: 20 })).data.map((event) => event.type);
  assert.ok(kinds.includes('setup_intent.created'));
  const declined = await refused(stripe.setupIntents.confirm(setup.id, { payment_method: 'pm_card_chargeDeclined' }));
  assert.equal(declined.code, 'card_declined');
  assert.equal((await stripe.subscriptions.retrieve(trial.id)).pending_setup_intent, setup.id);
  const done = await stripe.setupIntents.confirm(setup.id, { payment_method: 'pm_card_visa' });
  assert.equal(done.status, 'succeeded');
  const ready = await stripe.subscriptions.retrieve(trial.id);
  assert.deepEqual([ready.pending_setup_intent, ready.default_payment_method], [null, done.payment_method]);
  await advance(stripe, clock, '2027-01-18T09:00:00Z');
  const [invoice] = (await stripe.invoices.list({ subscription: trial.id })).data;
  assert.deepEqual([(await stripe.subscriptions.retrieve(trial.id)).status, invoice.status, invoice.amount_paid], ['active', 'paid', 2_000]);

  const canceled = await stripe.subscriptions.create({ ...wish, customer: (await stripe.customers.create({ test_clock: clock.id })).id });
  await stripe.setupIntents.cancel(canceled.pending_setup_intent.id);
  assert.equal((await stripe.subscriptions.retrieve(canceled.id)).pending_setup_intent, null);
  // Where something can pay, or something is owed at once, nothing waits for a set-up.
  const { customer: paying } = await clocked(stripe, '2027-01-10T09:00:00Z');
  assert.equal((await stripe.subscriptions.create({ ...wish, customer: paying.id })).pending_setup_intent, null);
  const owing = await stripe.customers.create({});
  assert.equal((await stripe.subscriptions.create({ ...wish, customer: owing.id, trial_period_days: undefined })).pending_setup_intent, null);
  const hopeful = await stripe.subscriptions.create({ ...wish, customer: owing.id, payment_behavior: 'allow_incomplete' });
  assert.equal(hopeful.pending_setup_intent, null);
  await audit(server);
});
