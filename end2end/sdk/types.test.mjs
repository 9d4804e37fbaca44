// Every object that the API answers with, held against the official SDK's own types.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openOffice } from './office.mjs';
import { sdkTypes } from './types.mjs';

const types = sdkTypes([
  'BillingPortal/Configurations', 'BillingPortal/Sessions', 'Coupons', 'CustomerBalanceTransactions', 'Customers',
  'Discounts', 'Events', 'InvoiceLineItems', 'InvoicePayments', 'Invoices', 'PaymentIntents', 'PaymentMethods', 'Plans',
  'Prices', 'Products', 'SetupIntents', 'SubscriptionItems', 'Subscriptions', 'TaxIds', 'TaxRates',
]);

const form = (fields) => new URLSearchParams(fields).toString();

test('the checker finds what is missing, wrong or unknown', () => {
  const rate = {
    id: 'txr_1', object: 'tax_rate', active: true, country: null, created: 1, description: null, display_name: 'VAT',
    effective_percentage: null, flat_amount: null, inclusive: false, jurisdiction: null, jurisdiction_level: null,
    livemode: false, metadata: { a: 'b' }, percentage: 19, rate_type: 'percentage', state: null, tax_type: null,
  };
  assert.deepEqual(types.check('TaxRates', 'TaxRate', rate), []);
  const { state, ...without } = rate;
  assert.deepEqual(types.check('TaxRates', 'TaxRate', without), ['TaxRate.state: missing']);
  assert.deepEqual(types.check('TaxRates', 'TaxRate', { ...rate, percentage: '19' }).length, 1);
  assert.deepEqual(types.check('TaxRates', 'TaxRate', { ...rate, active: null }).length, 1);
  assert.deepEqual(types.check('TaxRates', 'TaxRate', { ...rate, object: 'rate' }).length, 1);
  assert.deepEqual(types.check('TaxRates', 'TaxRate', { ...rate, colour: 'red' }), ['TaxRate.colour: not a field of the SDK']);
});

test('every object has the shape that the SDK declares', async (t) => {
  const { merchant, raw } = await openOffice(t);
  const { testKey } = await merchant();
  const call = async (method, path, fields = {}) => {
    const body = method === 'POST' ? form(fields) : undefined;
    const { status, json } = await raw(testKey, path, { method, body });
    assert.equal(status, 200, `${method} ${path}: ${JSON.stringify(json)}`);
    return json;
  };
  const found = [];
  const hold = (module, name, value) => {
    found.push(...types.check(module, name, value));
    return value;
  };
  const make = async (module, name, path, fields) => hold(module, name, await call('POST', path, fields));

  const product = await make('Products', 'Product', '/v1/products', {
    name: 'Pro', description: 'All of it', 'marketing_features[0][name]': 'Fast', tax_code: 'txcd_10103001', url: 'https://example.com',
  });
  const price = await make('Prices', 'Price', '/v1/prices', {
    product: product.id, currency: 'eur', unit_amount: '1250', 'recurring[interval]': 'month', nickname: 'Monthly', lookup_key: 'm',
  });
  for (const fields of [
    { unit_amount_decimal: '0.5', 'transform_quantity[divide_by]': '10', 'transform_quantity[round]': 'up' },
    {
      billing_scheme: 'tiered', tiers_mode: 'volume', 'tiers[0][up_to]': '5', 'tiers[0][unit_amount]': '7',
      'tiers[1][up_to]': 'inf', 'tiers[1][flat_amount]': '100', 'expand[]': 'tiers', 'recurring[interval]': 'year',
    },
  ]) await make('Prices', 'Price', '/v1/prices', { product: product.id, currency: 'eur', ...fields });

  const coupon = await make('Coupons', 'Coupon', '/v1/coupons', {
    percent_off: '12.5', duration: 'forever', name: 'Friends', 'applies_to[products][0]': product.id, 'expand[]': 'applies_to',
  });
  await make('Coupons', 'Coupon', '/v1/coupons', {
    amount_off: '500', currency: 'eur', duration: 'repeating', duration_in_months: '3', max_redemptions: '9', redeem_by: String(Math.floor(Date.now() / 1000) + 86_400),
  });
  const rate = await make('TaxRates', 'TaxRate', '/v1/tax_rates', {
    display_name: 'VAT', percentage: '19', inclusive: 'false', country: 'DE', jurisdiction: 'DE',
  });

  await make('Customers', 'Customer', '/v1/customers', {});
  const customer = await make('Customers', 'Customer', '/v1/customers', {
    name: 'Ada', email: 'ada@example.com', phone: '+49 30 1', description: 'First', 'address[country]': 'DE', 'address[city]': 'Berlin',
    'shipping[name]': 'Ada', 'shipping[address][line1]': 'Here 1', 'preferred_locales[0]': 'de', 'metadata[a]': 'b',
    'tax_id_data[0][type]': 'eu_vat', 'tax_id_data[0][value]': 'DE123456789', 'expand[]': 'tax_ids',
  });
  hold('TaxIds', 'TaxId', (await call('GET', `/v1/customers/${customer.id}/tax_ids`)).data[0]);
  await make('TaxIds', 'TaxId', `/v1/customers/${customer.id}/tax_ids`, { type: 'us_ein', value: '12-3456789' });
  await make('CustomerBalanceTransactions', 'CustomerBalanceTransaction', `/v1/customers/${customer.id}/balance_transactions`, {
    amount: '-100', currency: 'eur', description: 'Sorry',
  });

  const method = await make('PaymentMethods', 'PaymentMethod', '/v1/payment_methods/pm_card_visa/attach', { customer: customer.id });
  await call('POST', `/v1/customers/${customer.id}`, { 'invoice_settings[default_payment_method]': method.id });
  await make('SetupIntents', 'SetupIntent', '/v1/setup_intents', { customer: customer.id, payment_method: method.id, confirm: 'true' });
  await make('SetupIntents', 'SetupIntent', '/v1/setup_intents', {
    customer: customer.id, payment_method: 'pm_card_authenticationRequired', confirm: 'true',
  });

  const subscription = await make('Subscriptions', 'Subscription', '/v1/subscriptions', {
    customer: customer.id, 'items[0][price]': price.id, 'items[0][quantity]': '2', 'discounts[0][coupon]': coupon.id,
    'default_tax_rates[0]': rate.id, description: 'Main', 'metadata[a]': 'b',
    'expand[0]': 'latest_invoice.payments.data.payment.payment_intent', 'expand[1]': 'discounts.source.coupon',
    'expand[2]': 'items.data.price.product', 'expand[3]': 'customer', 'expand[4]': 'latest_invoice.discounts',
  });
  const [item] = subscription.items.data;
  hold('SubscriptionItems', 'SubscriptionItem', item);
  hold('Plans', 'Plan', item.plan);
  hold('Discounts', 'Discount', subscription.discounts[0]);
  const invoice = hold('Invoices', 'Invoice', subscription.latest_invoice);
  hold('InvoiceLineItems', 'InvoiceLineItem', invoice.lines.data[0]);
  hold('InvoicePayments', 'InvoicePayment', invoice.payments.data[0]);
  hold('PaymentIntents', 'PaymentIntent', invoice.payments.data[0].payment.payment_intent);
  await make('Subscriptions', 'Subscription', '/v1/subscriptions', {
    customer: customer.id, 'items[0][price]': price.id, trial_period_days: '14', 'billing_mode[type]': 'classic', cancel_at_period_end: 'true',
  });
  await make('Invoices', 'Invoice', '/v1/invoices/create_preview', {
    subscription: subscription.id, 'subscription_details[items][0][id]': item.id, 'subscription_details[items][0][quantity]': '5',
    'subscription_details[proration_behavior]': 'always_invoice',
  });
  await make('Subscriptions', 'Subscription', `/v1/subscriptions/${subscription.id}`, {
    'items[0][id]': item.id, 'items[0][quantity]': '5', proration_behavior: 'always_invoice', 'pause_collection[behavior]': 'void',
  });
  hold('Invoices', 'Invoice', (await call('GET', `/v1/invoices?subscription=${subscription.id}`)).data[0]);

  const declined = await make('PaymentMethods', 'PaymentMethod', '/v1/payment_methods/pm_card_chargeCustomerFail/attach', { customer: customer.id });
  const failing = await make('Subscriptions', 'Subscription', '/v1/subscriptions', {
    customer: customer.id, 'items[0][price]': price.id, default_payment_method: declined.id,
    'expand[]': 'latest_invoice.payments.data.payment.payment_intent',
  });
  hold('PaymentIntents', 'PaymentIntent', failing.latest_invoice.payments.data[0].payment.payment_intent);
  await make('Invoices', 'Invoice', `/v1/invoices/${failing.latest_invoice.id}/void`, {});

  const [standard] = (await call('GET', '/v1/billing_portal/configurations')).data;
  hold('BillingPortal/Configurations', 'Configuration', standard);
  const configuration = await make('BillingPortal/Configurations', 'Configuration', '/v1/billing_portal/configurations', {
    'features[subscription_update][enabled]': 'true', 'features[subscription_update][default_allowed_updates][0]': 'price',
    'features[subscription_update][products][0][product]': product.id, 'features[subscription_update][products][0][prices][0]': price.id,
    'features[subscription_update][schedule_at_period_end][conditions][0][type]': 'shortening_interval',
    'features[subscription_cancel][enabled]': 'true', 'expand[]': 'features.subscription_update.products',
  });
  for (const flow of [
    {},
    { 'flow_data[type]': 'subscription_cancel', 'flow_data[subscription_cancel][subscription]': subscription.id },
    { 'flow_data[type]': 'subscription_update', 'flow_data[subscription_update][subscription]': subscription.id },
  ]) {
    await make('BillingPortal/Sessions', 'Session', '/v1/billing_portal/sessions', {
      customer: customer.id, configuration: configuration.id, return_url: 'https://example.com', locale: 'fr', ...flow,
    });
  }
  hold('Subscriptions', 'Subscription', await call('DELETE', `/v1/subscriptions/${subscription.id}?prorate=true&invoice_now=true`));
  hold('PaymentMethods', 'PaymentMethod', await call('POST', `/v1/payment_methods/${declined.id}/detach`));
  hold('Customers', 'DeletedCustomer', await call('DELETE', `/v1/customers/${customer.id}`));
  hold('Coupons', 'DeletedCoupon', await call('DELETE', `/v1/coupons/${coupon.id}`));

  const events = (await call('GET', '/v1/events?limit=100')).data;
  const shown = {
    coupon: ['Coupons', 'Coupon'], customer: ['Customers', 'Customer'], discount: ['Discounts', 'Discount'],
    invoice: ['Invoices', 'Invoice'],
    invoice_payment: ['InvoicePayments', 'InvoicePayment'],
    payment_intent: ['PaymentIntents', 'PaymentIntent'], payment_method: ['PaymentMethods', 'PaymentMethod'],
    price: ['Prices', 'Price'], product: ['Products', 'Product'], setup_intent: ['SetupIntents', 'SetupIntent'],
    subscription: ['Subscriptions', 'Subscription'], tax_id: ['TaxIds', 'TaxId'], tax_rate: ['TaxRates', 'TaxRate'],
    'billing_portal.configuration': ['BillingPortal/Configurations', 'Configuration'],
    'billing_portal.session': ['BillingPortal/Sessions', 'Session'],
  };
  const kinds = new Set();
  for (const event of events) {
    const { data, ...head } = event;
    for (const complaint of types.check('Events', 'EventBase', { ...head, data: { object: {} } })) {
      if (!complaint.startsWith('EventBase.data')) found.push(`${event.type}: ${complaint}`);
    }
    const type = shown[data.object.object];
    assert.ok(type, `${event.type} tells of a ${data.object.object}`);
    kinds.add(data.object.object);
    found.push(...types.check(...type, data.object).map((complaint) => `${event.type}: ${complaint}`));
  }
  for (const kind of Object.keys(shown)) assert.ok(kinds.has(kind), `no event told of a ${kind}`);
  assert.deepEqual([...new Set(found)], []);
});
