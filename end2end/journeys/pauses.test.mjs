// Pausing and going on, where the merchant allows it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { arrive, assertTidy, openShop, ready, WAYS } from './shop.mjs';
import { near, say } from './words.mjs';

const shop = openShop(async () => {
  await shop.stripe.billingPortal.configurations.update(shop.configuration.id, {
    features: {
      subscription_pause: {
        enabled: true,
        duration: { type: 'interval_options', interval_options: [{ interval: 'month' }, { interval: 'month', interval_count: 3 }] },
      },
    },
  });
});

/** The same day and time so many months later; the month's last day where it has no such day. */
function monthsAfter(moment, months) {
  const from = new Date(moment * 1000);
  const [year, month, time] = [from.getUTCFullYear(), from.getUTCMonth() + months, moment % 86_400];
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(from.getUTCDate(), last)) / 1000 + time;
}

for (const { way, options } of WAYS) {
  test(`a subscription rests for three months and goes on earlier, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await arrive(page, /\/pause$/, () => page.getByRole('link', { name: say('home.pause') }).click());
    await page.getByText(say('pause.credit', { amount: '€12.00' })).waitFor();
    assert.equal(await page.getByRole('radio').count(), 2);
    await checkAccessible(page);
    await page.getByRole('radio').nth(1).check();
    await arrive(page, '/portal', () => page.getByRole('button', { name: say('pause.confirm') }).click());
    await page.getByRole('status').filter({ hasText: say('done.paused') }).waitFor();
    const paused = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    assert.equal(paused.status, 'paused');
    const { resumes_at: until, transitioned_at: since } = paused.status_details.paused;
    assert.equal(until, monthsAfter(since, 3));
    await page.getByText(say('status.paused_until', { date: near('en', until) })).waitFor();
    await checkAccessible(page);

    await arrive(page, /\/resume$/, () => page.getByRole('link', { name: say('home.resume') }).click());
    await ready(page);
    await page.getByRole('heading', { level: 1, name: say('home.resume') }).waitFor();
    await checkAccessible(page);
    // A whole month is billed, less the whole month that was given back.
    await arrive(page, '/portal', () => page.getByRole('button', { name: /go on|Go on/ }).click());
    await page.getByRole('status').filter({ hasText: say('done.resumed') }).waitFor();
    assert.equal((await shop.stripe.subscriptions.retrieve(who.subscription.id)).status, 'active');
    assertTidy(page);
  });
}

for (const { way, options } of WAYS) {
  test(`a customer comes back with a code, ${way}`, async (t) => {
    const { stripe } = shop;
    const { id: coupon } = await stripe.coupons.create({ percent_off: 25, name: 'Welcome back', duration: 'once' });
    const code = `BACK${way.replace(/\W/g, '').toUpperCase()}`;
    await stripe.promotionCodes.create({ code, promotion: { type: 'coupon', coupon } });
    const who = await shop.customer();
    await stripe.subscriptions.pause(who.subscription.id);
    // Without what was given back for the pause, going on costs a whole month.
    for (const { id } of (await stripe.invoiceItems.list({ customer: who.id, pending: true })).data) await stripe.invoiceItems.del(id);
    const page = await shop.visit(who, { t, path: `/portal/subscriptions/${who.subscription.id}/resume`, ...options });
    const field = page.getByLabel(say('change.code'), { exact: true });
    const apply = async (typed) => {
      if (!(await field.isVisible())) await page.getByText(say('change.code_add'), { exact: true }).click();
      await field.fill(typed);
      const tried = new RegExp(`[?&]code=${typed}`);
      await Promise.all([page.waitForURL(tried), page.getByRole('button', { name: say('change.code_apply') }).click()]);
      await ready(page);
    };
    await apply('NOSUCH');
    await page.locator('.field .error').filter({ hasText: say('change.code_unknown') }).waitFor();
    assert.equal(await field.inputValue(), 'NOSUCH');
    await checkAccessible(page);
    await apply(code);
    await page.getByRole('status').filter({ hasText: code }).filter({ hasText: say('change.code_once', { off: '25%' }) }).waitFor();
    await checkAccessible(page);
    await page.getByRole('link', { name: say('change.code_remove') }).click();
    await page.getByText(say('change.code_add'), { exact: true }).waitFor();
    await ready(page);
    await apply(code);
    const pay = page.getByRole('button', { name: say('pause.resume_paying', { amount: '€9.00' }) });
    await arrive(page, '/portal', () => pay.click());
    await page.getByRole('status').filter({ hasText: say('done.resumed') }).waitFor();
    assert.equal((await stripe.promotionCodes.list({ code })).data[0].times_redeemed, 1);
    const [invoice] = (await stripe.invoices.list({ customer: who.id })).data;
    assert.deepEqual([invoice.status, invoice.amount_paid], ['paid', 900]);
    assertTidy(page);
  });
}

test('where pausing is not allowed, there is no way to it', async (t) => {
  const { id } = await shop.stripe.billingPortal.configurations.create({ features: { invoice_history: { enabled: true } } });
  const who = await shop.customer();
  const page = await shop.visit(await shop.link(who.id, { configuration: id }), { t });
  assert.equal(await page.getByRole('link', { name: say('home.pause') }).count(), 0);
  const answer = await page.goto(`${shop.server.url}/portal/subscriptions/${who.subscription.id}/pause`);
  assert.equal(answer.status(), 403);
});
