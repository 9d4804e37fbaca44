// Changes that cannot go through: the customer learns why, and what was not changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { changePath, choose, confirm, due, openChange, review } from './changing.mjs';
import { arrive, assertTidy, openShop, ready, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const invoicesOf = async (who) => (await shop.stripe.invoices.list({ customer: who.id })).data;
const priceOf = async (who) => (await shop.stripe.subscriptions.retrieve(who.subscription.id)).items.data[0].price.id;

/** A customer whose card refuses every charge that comes after their subscription began. */
async function customerWithBadCard(card) {
  const who = await shop.customer();
  const method = await shop.stripe.paymentMethods.attach(card, { customer: who.id });
  await shop.stripe.customers.update(who.id, { invoice_settings: { default_payment_method: method.id } });
  return who;
}

for (const { way, options } of WAYS) {
  test(`a quote that something overtook is refused, ${way}, and changes nothing`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { plan: 'Team' });
    await review(page, who);
    const amount = await due(page);
    // Meanwhile the merchant gives the customer another plan.
    const [item] = who.subscription.items.data;
    await shop.stripe.subscriptions.update(who.subscription.id, {
      items: [{ id: item.id, price: shop.plans.business.month.id }], proration_behavior: 'none',
    });
    await page.getByRole('button', { name: say('change.confirm_paying', { amount }) }).click();
    await page.getByRole('heading', { level: 1, name: say('refused.stale') })
      .or(page.getByRole('alert').filter({ hasText: say('refused.stale') })).first().waitFor();
    await page.getByText(say('refused.stale_detail')).first().waitFor();
    assert.equal(await priceOf(who), shop.plans.business.month.id);
    assert.equal((await invoicesOf(who)).length, 1, 'something was billed');
    assertTidy(page, { refused: [409] });
  });

  test(`a declined card, ${way}: the plan has changed, its invoice waits and says why`, async (t) => {
    const who = await customerWithBadCard('pm_card_chargeCustomerFail');
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { plan: 'Team' });
    await review(page, who);
    const amount = await due(page);
    await confirm(page, say('change.confirm_paying', { amount }), /^\/portal\/invoices\/in_\w+$/);
    await page.getByRole('alert').filter({ hasText: say('done.change_unpaid') }).waitFor();
    const [newest] = await invoicesOf(who);
    assert.deepEqual([newest.status, newest.amount_paid], ['open', 0]);
    assert.equal(page.url().split('?')[0], `${shop.server.url}/portal/invoices/${newest.id}`);
    await page.getByRole('button', { name: say('invoice.pay', { amount }) })
      .or(page.getByRole('link', { name: say('invoice.other_card') })).first().waitFor();
    assert.equal(await priceOf(who), shop.plans.team.month.id);
    assertTidy(page);
  });

  test(`without a card the change is refused, ${way}, and nothing changes`, async (t) => {
    const who = await shop.customer();
    await shop.stripe.paymentMethods.detach(who.method.id);
    const page = await shop.visit(who, { t, ...options });
    await openChange(page, who);
    await choose(page, { plan: 'Team' });
    await review(page, who);
    await page.locator('.summary').getByRole('button').click();
    await page.getByRole('alert').filter({ hasText: say('refused.needs_payment_method') }).waitFor();
    assert.equal(await priceOf(who), shop.plans.basic.month.id);
    assert.equal((await invoicesOf(who)).length, 1, 'something was billed');
    assertTidy(page, { refused: [402] });
  });

  test(`the bank asks before it pays for a change, ${way}`, async (t) => {
    for (const { answer, status, notice } of [
      { answer: 'approve', status: 'paid', notice: say('done.invoice_paid') },
      { answer: 'fail', status: 'open', notice: say('done.payment_not_confirmed') },
    ]) {
      const who = await customerWithBadCard('pm_card_authenticationRequired');
      const page = await shop.visit(who, { t, ...options });
      await openChange(page, who);
      await choose(page, { plan: 'Team' });
      await review(page, who);
      const amount = await due(page);
      await page.getByRole('button', { name: say('change.confirm_paying', { amount }) }).click();
      await page.waitForURL(/\/sandbox\/challenge\//);
      await arrive(page, /^\/portal\/invoices\/in_\w+$/, () => page.locator(`button[value=${answer}]`).click());
      await page.getByText(notice).first().waitFor();
      const [newest] = await invoicesOf(who);
      assert.equal(newest.status, status);
      assertTidy(page);
    }
  });
}

test('a quote is confirmed once, however often its button is pressed', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await openChange(page, who);
  await choose(page, { plan: 'Team' });
  await review(page, who);
  const name = say('change.confirm_paying', { amount: await due(page) });
  // Two tabs of the same visitor, pressed at the same time.
  const twin = await page.context().newPage();
  twin.lively = true;
  await twin.goto(page.url());
  await twin.getByRole('button', { name }).waitFor();
  await ready(twin);
  const done = `${shop.server.url}/portal?done=plan-changed`;
  await Promise.all([page, twin].map((tab) => Promise.all([tab.waitForURL(done), tab.getByRole('button', { name }).dblclick()])));
  const invoices = await invoicesOf(who);
  assert.equal(invoices.length, 2, 'the change was billed more than once');
  assert.equal(invoices[0].status, 'paid');
});

test('an invented quote leads nowhere', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  for (const quote of ['qt_0000000000000000000000', 'x']) {
    const answer = await page.goto(`${shop.server.url}${changePath(who)}/${quote}`);
    assert.equal(answer.status(), 404);
    await page.getByRole('heading', { level: 1, name: say('refused.not_found') }).waitFor();
  }
  await checkAccessible(page);
});
