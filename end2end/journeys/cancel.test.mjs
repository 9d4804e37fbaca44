// Cancelling, with a reason, and changing one's mind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { arrive, assertTidy, openShop, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const cancelPath = (who) => `/portal/subscriptions/${who.subscription.id}/cancel`;
// With flexible billing, ending with the period is a moment to end at.
const endsWithPeriod = (subscription) => subscription.cancel_at === subscription.items.data[0].current_period_end;
const stateOf = (who) => shop.stripe.subscriptions.retrieve(who.subscription.id);

async function openCancel(page, who) {
  await arrive(page, cancelPath(who), () => page.getByRole('link', { name: say('home.cancel') }).click());
  await page.getByRole('heading', { level: 1, name: say('home.cancel') }).waitFor();
}

for (const { way, options } of WAYS) {
  test(`one cancels with a reason, ${way}, keeps the plan until the end, and may come back`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openCancel(page, who);
    for (const fact of ['cancel.access', 'cancel.payments', 'cancel.mind']) {
      await page.getByText(say(fact), { exact: true }).waitFor();
    }
    await page.getByRole('radio', { name: say('reason.too_expensive') }).check();
    await page.getByLabel(say('cancel.comment')).fill('It was <b>fine</b>, & thanks.');
    const button = page.getByRole('button', { name: /^Cancel on / });
    await arrive(page, '/portal', () => button.click());
    await page.getByRole('status').filter({ hasText: say('done.cancelled') }).waitFor();
    await page.getByText(/^Ends on \d/).first().waitFor();
    const cancelling = await stateOf(who);
    assert.deepEqual([cancelling.status, endsWithPeriod(cancelling)], ['active', true]);
    assert.deepEqual(
      [cancelling.cancellation_details.feedback, cancelling.cancellation_details.comment],
      ['too_expensive', 'It was <b>fine</b>, & thanks.'],
    );

    await page.getByRole('button', { name: say('home.keep') }).click();
    await page.getByRole('status').filter({ hasText: say('done.kept') }).waitFor();
    await page.getByText(/^Active, renews on \d/).first().waitFor();
    const kept = await stateOf(who);
    assert.deepEqual([kept.status, kept.cancel_at], ['active', null]);
    assertTidy(page);
  });

  test(`no reason is needed, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openCancel(page, who);
    await arrive(page, '/portal', () => page.getByRole('button', { name: /^Cancel on / }).click());
    const cancelling = await stateOf(who);
    assert.ok(endsWithPeriod(cancelling));
    assert.equal(cancelling.cancellation_details.feedback, null);
  });

  test(`going back cancels nothing, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openCancel(page, who);
    await page.getByRole('radio', { name: say('reason.unused') }).check();
    await arrive(page, '/portal', () => page.getByRole('link', { name: say('cancel.keep') }).click());
    assert.equal((await stateOf(who)).cancel_at, null);
  });

  test(`what the merchant cancelled meanwhile can’t be cancelled again, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openCancel(page, who);
    await shop.stripe.subscriptions.cancel(who.subscription.id);
    await page.getByRole('button', { name: /^Cancel on / }).click();
    await page.getByText(say('refused.wrong_state')).or(page.getByText(say('refused.not_allowed'))).first().waitFor();
    assert.equal((await stateOf(who)).status, 'canceled');
    assertTidy(page, { refused: [403, 409] });
  });
}

test('a comment longer than it may be is refused by the server too', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t, javaScript: false });
  const answer = await page.request.post(`${shop.server.url}/api/portal/cancel`, {
    form: { subscription: who.subscription.id, reason: '', comment: 'x'.repeat(501) },
    headers: { origin: shop.server.url, 'sec-fetch-site': 'same-origin' },
  });
  assert.equal(answer.status(), 422);
  assert.equal((await stateOf(who)).cancel_at, null);
});

test('a post from another site cancels nothing', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  const answer = await page.request.post(`${shop.server.url}/api/portal/cancel`, {
    form: { subscription: who.subscription.id, reason: '', comment: '' },
    headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  });
  assert.equal(answer.status(), 403);
  assert.equal((await stateOf(who)).cancel_at, null);
});

test('a link can lead straight to cancelling', async (t) => {
  const who = await shop.customer();
  const url = await shop.link(who.id, {
    flow_data: { type: 'subscription_cancel', subscription_cancel: { subscription: who.subscription.id } },
  });
  const page = await shop.visit(url, { t });
  assert.equal(new URL(page.url()).pathname, cancelPath(who));
  await checkAccessible(page);
});

for (const { way, options } of WAYS.slice(1)) {
  test(`a refused reason comes back as it was typed, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openCancel(page, who);
    await page.getByRole('radio', { name: say('reason.unused') }).check();
    const comment = page.getByLabel(say('cancel.comment'));
    await comment.evaluate((field) => field.removeAttribute('maxlength'));
    const typed = `It was fine,\n& thanks. ${'x'.repeat(600)}`;
    await comment.fill(typed);
    await Promise.all([page.waitForURL(/__err=/), page.getByRole('button', { name: /^Cancel on / }).click()]);
    assert.equal(await comment.inputValue(), typed.slice(0, 500));
    assert.ok(await page.getByRole('radio', { name: say('reason.unused') }).isChecked());
    assert.equal((await stateOf(who)).cancel_at, null);
    await page.goto(`${shop.server.url}${cancelPath(who)}`);
    assert.equal(await comment.inputValue(), '');
    assertTidy(page, { refused: [422] });
  });
}
