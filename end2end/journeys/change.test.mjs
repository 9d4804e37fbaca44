// Changing a plan: the preview follows each choice without asking the server, the quote says the same, and exactly
// that is charged.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, confirm, due, openChange, review } from './changing.mjs';
import { arrive, assertTidy, openShop, requestsDuring, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const euros = (cents) => `€${(cents / 100).toLocaleString('en', { minimumFractionDigits: 2 })}`;
const invoicesOf = async (who) => (await shop.stripe.invoices.list({ customer: who.id })).data;

for (const { way, options } of WAYS) {
  test(`to a dearer plan, ${way}: preview, quote, notice and invoice say one amount`, async (t) => {
    const who = await shop.customer({ tax: true });
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { plan: 'Team' });
    const previewed = await due(page);
    assert.match(previewed, /^€20\.(40|39)$/, 'the difference of a whole month with 20 % tax');
    await review(page, who);
    assert.equal(await due(page), previewed, 'the quote says something else than the preview');
    await confirm(page, say('change.confirm_paying', { amount: previewed }), '/portal');
    const done = page.getByRole('status').filter({ hasText: say('done.plan_changed') });
    await done.filter({ hasText: say('done.plan_changed_paid', { amount: previewed }) }).waitFor();
    await page.getByRole('heading', { level: 3, name: 'Team' }).waitFor();

    const [newest, first, ...more] = await invoicesOf(who);
    assert.deepEqual(more, [], 'more than one invoice came of it');
    assert.equal(euros(newest.total), previewed);
    assert.deepEqual([newest.status, newest.amount_paid], ['paid', newest.total]);
    assert.equal(first.total, 1440);
    await page.getByRole('navigation').getByRole('link', { name: say('shell.invoices') }).click();
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: say('invoices.open', { number: newest.number }) }) });
    await row.getByText(previewed, { exact: true }).waitFor();
    await row.getByText(say('invoice_status.paid')).waitFor();
    const now = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    assert.deepEqual(now.items.data.map((item) => item.price.id), [shop.plans.team.month.id]);
    assertTidy(page);
  });

  test(`a number of seats, ${way}`, async (t) => {
    const who = await shop.customer({ plan: 'team', quantity: 2 });
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { quantity: 5 });
    const previewed = await due(page);
    assert.match(previewed, /^€(87\.00|86\.99)$/, 'three more seats for a whole month');
    await review(page, who);
    await confirm(page, say('change.confirm_paying', { amount: previewed }), '/portal');
    await page.getByRole('heading', { level: 3, name: '5 × Team' }).waitFor();
    const [newest] = await invoicesOf(who);
    assert.equal(euros(newest.total), previewed);
    assertTidy(page);
  });

  test(`from the month to the year, ${way}: a new period begins today`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { every: say('format.yearly') });
    const previewed = await due(page);
    assert.match(previewed, /^€132\.0[01]$/, 'a year less the month that is paid');
    await review(page, who);
    assert.equal(await due(page), previewed);
    await confirm(page, say('change.confirm_paying', { amount: previewed }), '/portal');
    const [newest] = await invoicesOf(who);
    assert.equal(euros(newest.total), previewed);
    const now = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    const [item] = now.items.data;
    assert.equal(item.price.id, shop.plans.basic.year.id);
    assert.ok(item.current_period_end - item.current_period_start >= 365 * 86_400);
    assertTidy(page);
  });

  test(`a cheaper plan waits for the end of the period, ${way}, and can be taken back`, async (t) => {
    const who = await shop.customer({ plan: 'team' });
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { plan: 'Basic' });
    assert.equal(await due(page), '€0.00');
    await review(page, who);
    await page.getByText(say('done.change_planned')).waitFor({ state: 'hidden' });
    const button = page.locator('.summary').getByRole('button');
    assert.match(await button.innerText(), /^Change on /);
    await arrive(page, '/portal', () => button.click());
    await page.getByRole('status').filter({ hasText: say('done.change_planned') }).waitFor();
    await page.getByText(say('home.planned'), { exact: true }).waitFor();
    const waiting = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    assert.equal(waiting.items.data[0].price.id, shop.plans.team.month.id, 'it changed already');
    assert.equal((await invoicesOf(who)).length, 1, 'something was billed');

    await page.getByRole('button', { name: say('home.undo') }).click();
    await page.getByRole('status').filter({ hasText: say('done.change_undone') }).waitFor();
    await page.getByText(say('home.planned'), { exact: true }).waitFor({ state: 'hidden' });
    await page.getByRole('heading', { level: 3, name: 'Team' }).waitFor();
    assertTidy(page);
  });
}

test('the preview asks the server for nothing, however one chooses', async (t) => {
  const who = await shop.customer({ plan: 'team' });
  const page = await shop.visit(who, { t });
  await openChange(page, who);
  const amounts = [];
  const asked = await requestsDuring(page, async () => {
    for (const wish of [{ quantity: 3 }, { quantity: 50 }, { plan: 'Business' }, { every: say('format.yearly') }, { plan: 'Basic' }]) {
      await choose(page, wish);
      amounts.push(await due(page));
    }
  });
  assert.deepEqual(asked, []);
  assert.equal(new Set(amounts).size, amounts.length, `the preview did not follow: ${amounts}`);
});

test('the same plan again is no change', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await openChange(page, who);
  await page.getByText(say('change.same')).waitFor();
  assert.equal(await page.getByRole('button', { name: say('change.review') }).count(), 0);
  await choose(page, { plan: 'Team' });
  await page.getByRole('button', { name: say('change.review') }).waitFor();
  await choose(page, { plan: 'Basic' });
  await page.getByText(say('change.same')).waitFor();
});

test('the steps of the quantity stop at its bounds', async (t) => {
  const who = await shop.customer({ plan: 'team', quantity: 49 });
  const page = await shop.visit(who, { t });
  await openChange(page, who);
  const [fewer, more] = [page.getByRole('button', { name: say('action.fewer') }), page.getByRole('button', { name: say('action.more') })];
  await more.click();
  assert.equal(await page.locator('#quantity').inputValue(), '50');
  assert.ok(await more.isDisabled());
  await fewer.click();
  assert.equal(await page.locator('#quantity').inputValue(), '49');
  assert.ok(await more.isEnabled());
});
