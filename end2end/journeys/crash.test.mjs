// What a crash in the middle leaves behind, and what SIGTERM does not interrupt.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, due, openChange, review } from './changing.mjs';
import { openShop } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const invoicesOf = async (who) => (await shop.stripe.invoices.list({ customer: who.id })).data;

/** Kills the server at some moment after the confirmation is sent: earlier or later each time. */
for (const afterMs of [0, 3, 10, 30, 100]) {
  test(`killed ${afterMs} ms after the confirmation: the change happened wholly or not at all, and is charged once`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t });
    await openChange(page, who);
    await choose(page, { plan: 'Team' });
    await review(page, who);
    const name = say('change.confirm_paying', { amount: await due(page) });
    const quoted = page.url();
    const sent = page.waitForRequest(/\/api\/portal\/confirm/);
    await page.getByRole('button', { name }).click();
    await sent;
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await shop.server.kill();
    await shop.server.restart();

    // The customer tries again, as anybody would.
    await page.goto(quoted);
    const button = page.getByRole('button', { name });
    if (await button.count()) {
      await page.locator('html[data-ready]').waitFor({ state: 'attached' });
      await button.click();
      await page.getByRole('heading', { level: 1 }).filter({ hasNotText: say('change.review_title') })
        .or(page.getByRole('alert')).first().waitFor();
    }
    const invoices = await settled(who);
    assert.equal(invoices.length, 2, `the change was billed ${invoices.length - 1} times`);
    const [change] = invoices;
    assert.deepEqual([change.status, change.amount_paid, change.amount_remaining], ['paid', change.total, 0]);
    const now = await shop.stripe.subscriptions.retrieve(who.subscription.id);
    assert.deepEqual([now.status, now.items.data[0].price.id], ['active', shop.plans.team.month.id]);
    const { data: events } = await shop.stripe.events.list({ type: 'invoice.paid', limit: 100 });
    const paid = events.filter((event) => event.data.object.id === change.id);
    assert.equal(paid.length, 1, 'the payment was told more than once');
  });
}

/** The invoices of a customer, once nothing is on its way any more. */
async function settled(who) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const invoices = await invoicesOf(who);
    if (invoices.every((invoice) => invoice.status === 'paid') || Date.now() > deadline) return invoices;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test('SIGTERM lets what is under way finish, and the process leaves in order', async (t) => {
  // A confirmation that the server had not taken yet was not under way: then the next one tells.
  for (let tries = 1; !(await confirmedWhileLeaving(t)); tries += 1) assert.ok(tries < 10, 'none ever reached the server');
});

/** Sends SIGTERM as soon as a confirmation is on its way. Answers whether the server took it. */
async function confirmedWhileLeaving(t) {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await openChange(page, who);
  await choose(page, { plan: 'Team' });
  await review(page, who);
  const confirms = /\/api\/portal\/confirm/;
  const outcome = Promise.any([
    page.waitForResponse(confirms).then((answer) => answer.status()),
    page.waitForEvent('requestfailed', (request) => confirms.test(request.url())).then(() => 'refused'),
  ]);
  const sent = page.waitForRequest(confirms);
  await page.getByRole('button', { name: say('change.confirm_paying', { amount: await due(page) }) }).click();
  await sent;
  const code = await shop.server.terminate();
  assert.equal(code, 0, shop.server.log());
  const answered = await outcome;
  await shop.server.restart();
  const [change, ...before] = await invoicesOf(who);
  if (answered === 'refused') {
    assert.equal(before.length, 0, 'a change was taken and not answered');
    return false;
  }
  assert.equal(answered, 200);
  assert.deepEqual([change.status, change.amount_remaining, before.length], ['paid', 0, 1]);
  return true;
}
