// Promotion codes: tried beside the plans, shown in the quote, redeemed when it is confirmed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { changePath, choose, confirm, openChange, review } from './changing.mjs';
import { assertTidy, openShop, ready, send, WAYS } from './shop.mjs';
import { near, say } from './words.mjs';

const shop = openShop(furnish);

async function furnish() {
  const { stripe, plans } = shop;
  const make = async (code, coupon, more = {}) => {
    const { id } = await stripe.coupons.create(coupon);
    return stripe.promotionCodes.create({ code, promotion: { type: 'coupon', coupon: id }, ...more });
  };
  const tenth = { percent_off: 10, name: 'A tenth' };
  await make('ALWAYS10', { ...tenth, duration: 'forever' });
  await make('ONCE10', { ...tenth, duration: 'once' });
  await make('TEAMONLY', { ...tenth, duration: 'once', applies_to: { products: [plans.team.product.id] } });
  await make('LARGE', { ...tenth, duration: 'once' }, { restrictions: { minimum_amount: 9000, minimum_amount_currency: 'eur' } });
  await make('FIRST', { ...tenth, duration: 'once' }, { restrictions: { first_time_transaction: true } });
}

const field = (page) => page.getByLabel(say('change.code'), { exact: true });

/** Types a code and lets it be tried. */
async function enter(page, code) {
  if (!(await field(page).isVisible())) await page.getByText(say('change.code_add'), { exact: true }).click();
  await field(page).fill(code);
  const tried = new RegExp(`[?&]code=${code}`);
  await Promise.all([page.waitForURL(tried), page.getByRole('button', { name: say('change.code_apply') }).click()]);
  await ready(page);
}

/** The sentence beside the field. */
const refusal = (page, key, values) => page.locator('.field .error, .code .error').filter({ hasText: say(key, values) }).waitFor();
const given = (page, code, key) => page.getByRole('status').filter({ hasText: code }).filter({ hasText: say(key, { off: '10%' }) }).waitFor();
const line = (page, name) => page.locator('.summary .line', { hasText: name }).locator('.amount bdi').innerText();
const discountsOf = async (who) => {
  const found = await shop.stripe.subscriptions.retrieve(who.subscription.id, { expand: ['discounts'] });
  return found.discounts.map((discount) => discount.promotion_code);
};
const redeemed = async (code) => (await shop.stripe.promotionCodes.list({ code })).data[0].times_redeemed;

for (const { way, options } of WAYS) {
  test(`a code with a dearer plan, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { plan: 'Team' });
    await enter(page, 'ALWAYS10');
    await given(page, 'ALWAYS10', 'change.code_forever');
    assert.ok(await page.getByRole('radio', { name: /^Team/ }).isChecked(), 'the choice was lost');
    const next = near('en', who.subscription.items.data[0].current_period_end);
    const before = await line(page, say('change.from', { date: next }));
    assert.equal(before, '€26.10', 'a tenth off 29 euros');
    await checkAccessible(page);
    const count = await redeemed('ALWAYS10');
    await review(page, who);
    assert.equal(await line(page, say('change.from', { date: next })), before);
    await page.getByText(say('change.code_forever', { off: '10%' })).first().waitFor();
    await checkAccessible(page);
    assert.equal(await redeemed('ALWAYS10'), count, 'a quote redeemed it');
    const due = await line(page, say('change.due_today'));
    await confirm(page, say('change.confirm_paying', { amount: due }), '/portal');
    assert.equal((await discountsOf(who)).length, 1);
    assert.equal(await redeemed('ALWAYS10'), count + 1);
    await page.getByText(say('home.discount_off', { off: '10%', name: 'A tenth' })).waitFor();
    const [invoice] = (await shop.stripe.invoices.list({ customer: who.id })).data;
    assert.equal(`€${(invoice.total / 100).toFixed(2)}`, due);
    assertTidy(page);
  });

  test(`a code alone, ${way}: nothing else changes, and it can be taken away before`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await enter(page, 'ONCE10');
    await given(page, 'ONCE10', 'change.code_once');
    await page.getByRole('link', { name: say('change.code_remove') }).click();
    await page.getByText(say('change.same')).waitFor();
    await ready(page);
    await enter(page, 'ONCE10');
    await given(page, 'ONCE10', 'change.code_once');
    const next = near('en', who.subscription.items.data[0].current_period_end);
    assert.equal(await line(page, say('change.next_payment', { date: next })), '€10.80');
    assert.equal(await line(page, say('change.after_that')), '€12.00');
    await review(page, who);
    await confirm(page, say('change.code_use'), '/portal');
    await page.getByRole('status').filter({ hasText: say('done.code_used') }).waitFor();
    assert.equal((await discountsOf(who)).length, 1);
    assert.equal((await shop.stripe.invoices.list({ customer: who.id })).data.length, 1, 'something was billed');
    // A second time it gives nothing, and says so.
    await openChange(page, who);
    await enter(page, 'ONCE10');
    await refusal(page, 'change.code_used_before');
    await checkAccessible(page);
    assertTidy(page);
  });

  test(`codes that give nothing say why, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    for (const [code, key, values] of [
      ['NOSUCH', 'change.code_unknown'],
      ['FIRST', 'change.code_first_only'],
    ]) {
      await enter(page, code);
      await refusal(page, key, values);
      assert.equal(await field(page).inputValue(), code, 'what was typed is lost');
      // The reader goes on where they were.
      if (page.lively) await page.waitForFunction(() => document.activeElement.id === 'code');
    }
    await checkAccessible(page);
    // Sent with the form, it is refused at the same place and nothing is quoted.
    await choose(page, { plan: 'Team' });
    await send(page, 'quote', () => page.getByRole('button', { name: say('change.review') }).click());
    await refusal(page, 'change.code_first_only');
    assert.equal(new URL(page.url()).pathname, changePath(who));
    assertTidy(page, { refused: [422] });
  });

  test(`a code for another choice waits for it, ${way}`, async (t) => {
    const who = await shop.customer();
    for (const [code, key, values] of [
      ['TEAMONLY', 'change.code_not_covered', {}],
      ['LARGE', 'change.code_below_minimum', { amount: '€90.00' }],
    ]) {
      const page = await shop.visit(await shop.link(who.id), { t, path: changePath(who), ...options });
      await enter(page, code);
      await refusal(page, key, values);
      assert.equal(await page.getByRole('button', { name: say('change.review') }).count(), 0);
      await choose(page, { plan: code === 'LARGE' ? 'Business' : 'Team' });
      await page.getByRole('button', { name: say('change.review') }).waitFor();
      await review(page, who);
      await page.getByText(say('change.code_once', { off: '10%' })).first().waitFor();
      assertTidy(page);
    }
  });
}

test('Enter in the field tries the code', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await openChange(page, who);
  await page.getByText(say('change.code_add'), { exact: true }).click();
  await field(page).fill('ALWAYS10');
  await page.keyboard.press('Enter');
  await given(page, 'ALWAYS10', 'change.code_forever');
  assert.equal(new URL(page.url()).pathname, changePath(who));
  assertTidy(page);
});
