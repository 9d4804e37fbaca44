// A merchant with three plans, and customers as a test needs them: each made through the API, each with a link of its own.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { hydrated, openBrowser, startServer } from '../harness.mjs';

/** Prices in cents. Only on Basic a year costs as much as twelve months: what is cheaper in the end waits for the period's end. */
const PLANS = {
  basic: { name: 'Basic', description: 'For one person.', month: 1200, year: 14400 },
  team: { name: 'Team', description: 'For people who work together.', month: 2900, year: 29000, seats: { minimum: 1, maximum: 50 } },
  business: { name: 'Business', description: 'For a whole company.', month: 9900, year: 99000 },
};

/** Ways to look at the same pages. Everything that matters must work in each. */
export const WAYS = [
  { way: 'with scripts', options: {} },
  { way: 'with JavaScript off', options: { javaScript: false } },
  { way: 'with wasm blocked', options: { wasm: false } },
];

/**
 * Starts one shop for the whole test file, and ends it after. What is answered is filled in before the first test;
 * `furnish` then makes what the file needs beside.
 */
export function openShop(furnish) {
  const shop = {};
  before(async () => {
    const [server, opened] = await Promise.all([startServer({ demo: false }), openBrowser()]);
    Object.assign(shop, { server, opened, stripe: server.stripe() });
    await stock(shop);
    await furnish?.();
  });
  after(async () => {
    await shop.opened?.close();
    await shop.server?.stop();
  });
  shop.customer = (wishes) => newCustomer(shop, wishes);
  shop.visit = (who, options) => visit(shop, who, options);
  shop.link = (id, more) => portalLink(shop, id, more);
  return shop;
}

async function stock(shop) {
  const { stripe } = shop;
  shop.taxRate = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
  shop.plans = {};
  for (const [key, plan] of Object.entries(PLANS)) {
    const product = await stripe.products.create({
      name: plan.name, description: plan.description, ...(plan.seats && { unit_label: 'seat' }),
    });
    const price = (interval) => stripe.prices.create({
      product: product.id, currency: 'eur', unit_amount: plan[interval], recurring: { interval },
    });
    shop.plans[key] = { product, month: await price('month'), year: await price('year'), seats: plan.seats };
  }
  const products = Object.values(shop.plans).map(({ product, month, year, seats }) => ({
    product: product.id, prices: [month.id, year.id], adjustable_quantity: { enabled: Boolean(seats), ...seats },
  }));
  shop.configuration = await stripe.billingPortal.configurations.create({
    features: {
      customer_update: { enabled: true, allowed_updates: ['address', 'email', 'name', 'phone', 'tax_id'] },
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      subscription_cancel: {
        enabled: true, mode: 'at_period_end',
        cancellation_reason: { enabled: true, options: ['too_expensive', 'unused', 'other'] },
      },
      subscription_update: {
        enabled: true, default_allowed_updates: ['price', 'promotion_code', 'quantity'], proration_behavior: 'always_invoice', products,
        schedule_at_period_end: { conditions: [{ type: 'decreasing_item_amount' }, { type: 'shortening_interval' }] },
      },
    },
  });
}

/**
 * A customer. `card` is one of Stripe's test names or null; `plan` null means no subscription; `tax` adds 20 %.
 * What the subscription has beside may be a function, which is asked when the subscription is made.
 * Answers `{ id, customer, subscription, url }`, the link of which works once.
 */
async function newCustomer(shop, wishes = {}) {
  const { stripe, plans } = shop;
  const {
    name = 'Ada Lovelace', email = 'ada@example.com', card = 'pm_card_visa', plan = 'basic', every = 'month', quantity = 1,
    locale = 'en', tax = false, subscription: more = {}, customer: details = {},
  } = wishes;
  const customer = await stripe.customers.create({ name, email, preferred_locales: [locale], ...details });
  let method;
  if (card) {
    method = await stripe.paymentMethods.attach(card, { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  }
  const subscription = plan && await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: plans[plan][every].id, quantity }],
    ...(tax && { default_tax_rates: [shop.taxRate.id] }), ...(typeof more === 'function' ? more() : more),
  });
  return { id: customer.id, customer, method, subscription, locale, url: await portalLink(shop, customer.id) };
}

async function portalLink(shop, customer, more = {}) {
  const session = await shop.stripe.billingPortal.sessions.create({
    customer, configuration: shop.configuration.id, return_url: 'https://halden.example/account', ...more,
  });
  return session.url;
}

/** Opens a customer's link in a browser of their own and waits until the page can be used. Closed with the test. */
async function visit(shop, who, { t, path, ...options } = {}) {
  const page = await shop.opened.newPage(options);
  page.lively = options.javaScript !== false && options.wasm !== false;
  page.wasmBlocked = options.wasm === false;
  t?.after(() => page.context().close());
  await page.goto(who.url ?? who);
  if (path) await page.goto(new URL(path, page.url()).href);
  await ready(page);
  return page;
}

/** Waits until the page can be used: hydrated where it can be. */
export async function ready(page) {
  if (page.lively) await hydrated(page);
}

/** Follows a link or sends a form, and waits until the path has become what it should. */
export async function arrive(page, path, act) {
  const there = (url) => (path instanceof RegExp ? path.test(url.pathname) : url.pathname === path);
  await Promise.all([page.waitForURL(there), act()]);
  await ready(page);
}

/**
 * Sends a form that leads back to its page, and waits until it is done: for the server's answer, and for the whole page
 * where no script draws what changed. What an earlier act said may still stand on the page, so its text can't tell.
 */
export async function send(page, endpoint, act) {
  const to = `/api/portal/${endpoint}`;
  const answered = page.waitForResponse((response) => response.request().method() === 'POST' && new URL(response.url()).pathname === to);
  const anew = page.lively ? answered : page.waitForEvent('load');
  await Promise.all([answered, anew, act()]);
}

/** Waits until the second of a moment is over: amounts by the second are the same for a while from then on. */
export async function secondAfter(moment) {
  const left = () => (moment + 1) * 1000 - Date.now();
  while (left() > 0) await new Promise((resolve) => setTimeout(resolve, left()));
}

/** Asks again and again until the answer is yes, and gives it. */
export async function until(ask, what = 'it never came to be') {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(what);
}

/**
 * Fails when the browser complained. `refused` names the statuses that the test caused on purpose: the browser writes
 * a line about each such answer.
 */
export function assertTidy(page, { refused = [] } = {}) {
  const expected = (text) => refused.some((status) => text.includes(`status of ${status}`));
  // Where wasm is blocked, the browser says so, and so does the promise that waits for it.
  const blocked = (text) => page.wasmBlocked && /ERR_FAILED|Failed to fetch/.test(text);
  const left = page.problems.filter((text) => !expected(text) && !blocked(text));
  assert.deepEqual(left, [], 'the browser complained');
}

/** The requests that a page sends while `act` goes on. */
export async function requestsDuring(page, act) {
  const seen = [];
  const note = (request) => seen.push(`${request.method()} ${request.url()}`);
  page.on('request', note);
  await act();
  page.off('request', note);
  return seen;
}
