// What a merchant's program does, from an empty account to a customer in the portal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { monthly, openOffice, payer } from './office.mjs';

test('a merchant sells, changes, previews and hands the customer to the portal', async (t) => {
  const { server, merchant } = await openOffice(t);
  const { test: stripe } = await merchant('Halden');

  const product = await stripe.products.create({
    name: 'Pro', marketing_features: [{ name: 'Fast' }, { name: 'Quiet' }], unit_label: 'seat',
    default_price_data: { currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } },
  });
  const price = await stripe.prices.retrieve(product.default_price);
  assert.equal(price.unit_amount, 1000);
  const bigger = await stripe.prices.create({
    product: product.id, currency: 'usd', unit_amount: 2500, recurring: { interval: 'month' }, lookup_key: 'bigger',
  });

  const customer = await stripe.customers.create({
    name: 'Ada Lovelace', email: 'ada@example.com', preferred_locales: ['fr'],
    address: { line1: '1 High St', city: 'London', postal_code: 'N1 1AA', country: 'GB' },
    metadata: { crm: '42' },
  });
  const card = await stripe.paymentMethods.create({
    type: 'card', card: { number: '4242424242424242', exp_month: 12, exp_year: 2034, cvc: '123' },
    billing_details: { name: 'Ada Lovelace' },
  });
  await stripe.paymentMethods.attach(card.id, { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });

  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id, quantity: 2 }],
    expand: ['latest_invoice.payments.data.payment.payment_intent', 'customer'],
  });
  assert.equal(subscription.status, 'active');
  assert.equal(subscription.customer.email, 'ada@example.com');
  assert.equal(subscription.latest_invoice.amount_paid, 2000);
  assert.equal(subscription.latest_invoice.payments.data[0].payment.payment_intent.status, 'succeeded');
  assert.equal(subscription.items.data[0].current_period_start, subscription.start_date);

  const item = subscription.items.data[0].id;
  const change = { items: [{ id: item, price: bigger.id, quantity: 3 }], proration_behavior: 'always_invoice' };
  const at = subscription.start_date + 1;
  const preview = await stripe.invoices.createPreview({
    subscription: subscription.id, subscription_details: { ...change, proration_date: at },
  });
  const changed = await stripe.subscriptions.update(subscription.id, {
    ...change, proration_date: at, expand: ['latest_invoice'],
  });
  const invoice = changed.latest_invoice;
  assert.notEqual(invoice.id, subscription.latest_invoice.id);
  const amounts = (of) => of.lines.data.map((line) => line.amount);
  assert.deepEqual(amounts(invoice), amounts(preview));
  assert.equal(invoice.total, preview.total);
  assert.equal(invoice.amount_due, preview.amount_due);
  assert.equal(invoice.status, 'paid');
  assert.equal(changed.items.data[0].quantity, 3);

  const configuration = await stripe.billingPortal.configurations.create({
    business_profile: { headline: 'Halden and you' },
    features: {
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      customer_update: { enabled: true, allowed_updates: ['email', 'address'] },
      subscription_cancel: { enabled: true, mode: 'at_period_end', cancellation_reason: { enabled: true, options: ['unused'] } },
      subscription_update: {
        enabled: true, default_allowed_updates: ['price', 'quantity'], proration_behavior: 'always_invoice',
        products: [{ product: product.id, prices: [price.id] }],
      },
    },
  });
  assert.equal(configuration.is_default, false);
  const session = await stripe.billingPortal.sessions.create({
    customer: customer.id, configuration: configuration.id, return_url: 'https://example.com/account',
  });
  assert.ok(session.url.startsWith(`${server.url}/p/`));
  const door = await fetch(session.url, { redirect: 'manual' });
  assert.ok([302, 303].includes(door.status), `the link opens: ${door.status}`);
  const cookie = door.headers.get('set-cookie').split(';')[0];
  const page = await fetch(new URL(door.headers.get('location'), server.url), { headers: { cookie } });
  assert.equal(page.status, 200);
  assert.match(await page.text(), /Pro/);
  const again = await fetch(session.url, { redirect: 'manual' });
  assert.equal(again.status, 410, 'a link works once');

  const ended = await stripe.subscriptions.cancel(subscription.id, { cancellation_details: { feedback: 'unused' } });
  assert.equal(ended.status, 'canceled');
  const types = [];
  for await (const event of stripe.events.list({ limit: 100 })) types.push(event.type);
  for (const type of [
    'product.created', 'price.created', 'customer.created', 'customer.updated', 'payment_method.attached',
    'customer.subscription.created', 'invoice.created', 'invoice.finalized', 'invoice.paid',
    'customer.subscription.updated', 'billing_portal.configuration.created', 'customer.subscription.deleted',
  ]) assert.ok(types.includes(type), `${type} among ${[...new Set(types)].sort()}`);
});

test('a failed first payment is paid with another card', async (t) => {
  const { merchant } = await openOffice(t);
  const { test: stripe } = await merchant();
  const customer = await payer(stripe, 'pm_card_chargeCustomerFail');
  const price = await monthly(stripe, 1500);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  assert.equal(subscription.status, 'incomplete');
  await assert.rejects(
    stripe.invoices.pay(subscription.latest_invoice),
    { type: 'StripeCardError', statusCode: 402, code: 'card_declined' },
  );
  const better = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id });
  const paid = await stripe.invoices.pay(subscription.latest_invoice, { payment_method: better.id });
  assert.equal(paid.status, 'paid');
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, 'active');
});
