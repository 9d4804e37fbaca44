// The scenario tables of billing: what is billed when, down to the cent, through the official client.

import test from 'node:test';
import assert from 'node:assert/strict';
import { advance, clocked, openOffice, seconds, utc } from './office.mjs';

async function open(t) {
  const { merchant } = await openOffice(t);
  return (await merchant()).test;
}

const recurring = (stripe, unit_amount, interval = 'month', interval_count = 1, more = {}) => stripe.prices.create({
  currency: 'usd', unit_amount, recurring: { interval, interval_count }, product_data: { name: `Plan ${unit_amount}` }, ...more,
});

async function invoices(stripe, subscription) {
  const found = [];
  for await (const one of stripe.invoices.list({ subscription, limit: 100 })) found.push(one);
  return found.reverse();
}

const totals = async (stripe, own) => (await invoices(stripe, own.id)).map((invoice) => invoice.total);
const day = (at) => utc(at).slice(0, 10);

test('periods begin on the anchor\'s day, whatever the length of months and years', async (t) => {
  const stripe = await open(t);
  // start, interval, count, until, days on which an invoice is made
  const table = [
    ['2027-01-29T08:00:00Z', 'month', 1, '2027-04-30T00:00:00Z', ['2027-01-29', '2027-02-28', '2027-03-29', '2027-04-29']],
    ['2028-01-30T08:00:00Z', 'month', 1, '2028-04-01T00:00:00Z', ['2028-01-30', '2028-02-29', '2028-03-30']],
    ['2027-01-31T23:59:59Z', 'month', 1, '2027-06-01T00:00:00Z', ['2027-01-31', '2027-02-28', '2027-03-31', '2027-04-30', '2027-05-31']],
    ['2027-11-30T00:00:00Z', 'month', 3, '2028-09-01T00:00:00Z', ['2027-11-30', '2028-02-29', '2028-05-30', '2028-08-30']],
    ['2028-02-29T12:00:00Z', 'year', 1, '2032-03-01T00:00:00Z', ['2028-02-29', '2029-02-28', '2030-02-28', '2031-02-28', '2032-02-29']],
    ['2027-12-31T00:00:00Z', 'week', 2, '2028-02-01T00:00:00Z', ['2027-12-31', '2028-01-14', '2028-01-28']],
    ['2028-02-27T00:00:00Z', 'day', 1, '2028-03-01T12:00:00Z', ['2028-02-27', '2028-02-28', '2028-02-29', '2028-03-01']],
  ];
  for (const [start, interval, count, until, days] of table) {
    const { clock, customer } = await clocked(stripe, start);
    const price = await recurring(stripe, 1000, interval, count);
    const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
    await advance(stripe, clock, until);
    const made = await invoices(stripe, own.id);
    assert.deepEqual(made.map((invoice) => day(invoice.created)), days, `${start} every ${count} ${interval}`);
    for (const [index, invoice] of made.entries()) {
      assert.equal(invoice.total, 1000);
      if (index > 0) assert.equal(invoice.lines.data[0].period.start, made[index - 1].lines.data[0].period.end, 'no gap');
    }
  }
});

test('the stub before an anchor is billed, or free', async (t) => {
  const stripe = await open(t);
  // anchor, behaviour, totals until May 11. The period around a stub is that of the anchor: March 16 to April 16 has
  // 31 days.
  const table = [
    ['2027-04-16T00:00:00Z', 'create_prorations', [1451, 3000]],
    ['2027-04-16T00:00:00Z', 'none', [3000]],
    ['2027-04-30T23:59:59Z', 'create_prorations', [2903, 3000]],
    ['2027-04-01T00:00:01Z', 'create_prorations', [0, 3000, 3000]],
    ['2027-05-01T00:00:00Z', 'create_prorations', [3000, 3000]],
  ];
  for (const [anchor, proration_behavior, expected] of table) {
    const { clock, customer } = await clocked(stripe, '2027-04-01T00:00:00Z');
    const price = await recurring(stripe, 3000);
    const own = await stripe.subscriptions.create({
      customer: customer.id, items: [{ price: price.id }], billing_cycle_anchor: seconds(anchor), proration_behavior,
    });
    await advance(stripe, clock, '2027-05-11T00:00:00Z');
    assert.deepEqual(await totals(stripe, own), expected, `${anchor} ${proration_behavior}`);
  }
});

/** A subscription from the first of April, changed at moments; answers with its invoices' totals, and the balance. */
async function lived(stripe, changes, { quantity = 1, until = '2027-05-02T00:00:00Z', more = {} } = {}) {
  const { clock, customer } = await clocked(stripe, '2027-04-01T00:00:00Z');
  const prices = { small: await recurring(stripe, 3000), large: await recurring(stripe, 6000) };
  const own = await stripe.subscriptions.create({
    customer: customer.id, items: [{ price: prices[more.price ?? 'small'].id, quantity }],
    ...(more.trial_end ? { trial_end: seconds(more.trial_end) } : {}),
  });
  const item = own.items.data[0].id;
  let now = seconds('2027-04-01T00:00:00Z');
  for (const [moment, change, options] of changes) {
    if (seconds(moment) > now) await advance(stripe, clock, moment);
    now = seconds(moment);
    const wish = typeof change === 'number' ? { quantity: change } : { price: prices[change].id };
    await stripe.subscriptions.update(own.id, { items: [{ id: item, ...wish }], proration_behavior: 'always_invoice', ...options });
  }
  await advance(stripe, clock, until);
  const { balance } = await stripe.customers.retrieve(customer.id);
  return { totals: await totals(stripe, own), balance, own: await stripe.subscriptions.retrieve(own.id) };
}

test('each way to prorate an upgrade in the middle of April', async (t) => {
  const stripe = await open(t);
  const at = '2027-04-16T00:00:00Z';
  const table = [
    ['create_prorations', [3000, 7500]],
    ['always_invoice', [3000, 1500, 6000]],
    ['none', [3000, 6000]],
  ];
  for (const [proration_behavior, expected] of table) {
    const { totals: billed } = await lived(stripe, [[at, 'large', { proration_behavior }]]);
    assert.deepEqual(billed, expected, proration_behavior);
  }
});

test('seats up and down in one period cost what they were there for, and nothing twice', async (t) => {
  const stripe = await open(t);
  // seats at first, changes, totals, what is left on the balance after May
  const table = [
    ['up, then down', 1, [['2027-04-11', 5], ['2027-04-21', 1]], [3000, 8000, -4000, 3000], -1000],
    ['down, then up', 5, [['2027-04-11', 1], ['2027-04-21', 5]], [15000, -8000, 4000, 15000], 0],
    ['down and up in one second', 5, [['2027-04-11', 1], ['2027-04-11', 5]], [15000, -8000, 8000, 15000], 0],
    ['up and down in one second', 2, [['2027-04-16', 4], ['2027-04-16', 2]], [6000, 3000, -3000, 6000], 0],
    ['to the same number', 2, [['2027-04-16', 2]], [6000, 6000], 0],
  ];
  for (const [name, quantity, changes, expected, balance] of table) {
    const acts = changes.map(([date, seats]) => [`${date}T00:00:00Z`, seats]);
    const life = await lived(stripe, acts, { quantity });
    assert.deepEqual(life.totals, expected, name);
    assert.equal(life.balance, balance, name);
  }
});

test('upgrades and downgrades: in a trial, twice in a period, around the renewal', async (t) => {
  const stripe = await open(t);
  const trial = { price: 'small', trial_end: '2027-04-11T00:00:00Z' };
  const table = [
    ['upgrade in a trial', [['2027-04-05T00:00:00Z', 'large']], trial, [0, 6000]],
    ['upgrade and downgrade in a trial', [['2027-04-05T00:00:00Z', 'large'], ['2027-04-06T00:00:00Z', 'small']], trial, [0, 3000]],
    ['downgrade, then upgrade', [['2027-04-11T00:00:00Z', 'small'], ['2027-04-21T00:00:00Z', 'large']], { price: 'large' }, [6000, -2000, 1000, 6000]],
    ['upgrade, then downgrade', [['2027-04-11T00:00:00Z', 'large'], ['2027-04-21T00:00:00Z', 'small']], {}, [3000, 2000, -1000, 3000]],
    ['in the second of the renewal', [['2027-05-01T00:00:00Z', 'large']], {}, [3000, 3000, 3000]],
    // Each line is rounded down by itself, towards the customer: -0.001 and 0.002 cents.
    ['a second before it', [['2027-04-30T23:59:59Z', 'large']], {}, [3000, -1, 6000]],
    ['while its draft waits', [['2027-05-01T00:30:00Z', 'large']], {}, [3000, 3000, 2997]],
    ['in the second of the start', [['2027-04-01T00:00:00Z', 'large']], {}, [3000, 3000, 6000]],
  ];
  for (const [name, changes, more, expected] of table) {
    const life = await lived(stripe, changes, { more });
    assert.deepEqual(life.totals, expected, name);
    assert.ok(['active'].includes(life.own.status), name);
  }
});

test('discounts of each kind over three months', async (t) => {
  const stripe = await open(t);
  const table = [
    [{ percent_off: 25, duration: 'forever' }, [2250, 2250, 2250]],
    [{ percent_off: 25, duration: 'once' }, [2250, 3000, 3000]],
    [{ percent_off: 33.33, duration: 'repeating', duration_in_months: 2 }, [2000, 2000, 3000]],
    [{ amount_off: 500, currency: 'usd', duration: 'forever' }, [2500, 2500, 2500]],
    [{ amount_off: 5000, currency: 'usd', duration: 'once' }, [0, 3000, 3000]],
    [{ amount_off: 1, currency: 'usd', duration: 'repeating', duration_in_months: 1 }, [2999, 3000, 3000]],
  ];
  for (const [kind, expected] of table) {
    const { clock, customer } = await clocked(stripe, '2027-04-01T00:00:00Z');
    const price = await recurring(stripe, 3000);
    const coupon = await stripe.coupons.create(kind);
    const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], discounts: [{ coupon: coupon.id }] });
    await advance(stripe, clock, '2027-06-02T00:00:00Z');
    assert.deepEqual(await totals(stripe, own), expected, JSON.stringify(kind));
  }
});

test('tiers of the reference, by quantity', async (t) => {
  const stripe = await open(t);
  const tiers = [{ up_to: 5, unit_amount: 700 }, { up_to: 10, unit_amount: 650 }, { up_to: 'inf', unit_amount: 600 }];
  // quantity, volume, graduated
  const table = [[1, 700, 700], [5, 3500, 3500], [6, 3900, 4150], [20, 12000, 12750], [25, 15000, 15750]];
  const { customer } = await clocked(stripe, '2027-04-01T00:00:00Z');
  for (const [column, tiers_mode] of [[1, 'volume'], [2, 'graduated']]) {
    const price = await stripe.prices.create({
      currency: 'usd', billing_scheme: 'tiered', tiers_mode, tiers, recurring: { interval: 'month' }, product_data: { name: tiers_mode },
    });
    for (const row of table) {
      const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id, quantity: row[0] }] });
      assert.deepEqual(await totals(stripe, own), [row[column]], `${row[0]} ${tiers_mode}`);
    }
  }
});

test('changes at once from two browsers leave what one after the other would', async (t) => {
  const stripe = await open(t);
  const { clock, customer } = await clocked(stripe, '2027-04-01T00:00:00Z');
  const price = await recurring(stripe, 3000);
  const add = await recurring(stripe, 500);
  const own = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const item = own.items.data[0].id;
  const change = (quantity) => stripe.subscriptions.update(own.id, { items: [{ id: item, quantity }], proration_behavior: 'always_invoice' });
  await Promise.all([change(2), change(3), change(4)]);
  const after = await stripe.subscriptions.retrieve(own.id);
  const seats = after.items.data[0].quantity;
  const sum = (await totals(stripe, own)).reduce((a, b) => a + b, 0);
  assert.equal(sum, seats * 3000, 'whichever came last, exactly its seats are paid');
  // The same add-on twice: one is made, the other refused by the rule that no price stands twice.
  const results = await Promise.allSettled([1, 2].map(() => stripe.subscriptionItems.create({
    subscription: own.id, price: add.id, proration_behavior: 'always_invoice',
  })));
  assert.deepEqual(results.map((one) => one.status).sort(), ['fulfilled', 'rejected']);
  // Ending and changing: either order, and one end.
  await Promise.allSettled([stripe.subscriptions.cancel(own.id), stripe.subscriptions.cancel(own.id), change(9)]);
  assert.equal((await stripe.subscriptions.retrieve(own.id)).status, 'canceled');
  const told = await stripe.events.list({ type: 'customer.subscription.deleted' });
  assert.equal(told.data.length, 1);
  await advance(stripe, clock, '2027-06-01T00:00:00Z');
  assert.equal((await stripe.subscriptions.list({ customer: customer.id })).data.length, 0);
});
