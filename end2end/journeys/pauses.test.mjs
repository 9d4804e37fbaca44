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
    const end = new Date();
    end.setUTCMonth(end.getUTCMonth() + 3, end.getUTCDate());
    await page.getByText(say('status.paused_until', { date: near('en', Math.floor(end / 1000)) })).waitFor();
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

test('where pausing is not allowed, there is no way to it', async (t) => {
  const { id } = await shop.stripe.billingPortal.configurations.create({ features: { invoice_history: { enabled: true } } });
  const who = await shop.customer();
  const page = await shop.visit(await shop.link(who.id, { configuration: id }), { t });
  assert.equal(await page.getByRole('link', { name: say('home.pause') }).count(), 0);
  const answer = await page.goto(`${shop.server.url}/portal/subscriptions/${who.subscription.id}/pause`);
  assert.equal(answer.status(), 403);
});
