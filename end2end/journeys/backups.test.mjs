// Backup cards: charged only where the customer allowed it, in their order; and a new card that pays what is open.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { arrive, assertTidy, openShop, send, until, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const LIST = '/portal/payment-methods';
const NAMES = {
  pm_card_mastercard: say('method.spoken', { brand: 'Mastercard', last: '4444' }),
  pm_card_amex: say('method.spoken', { brand: 'American Express', last: '8431' }),
};

async function withThree() {
  const who = await shop.customer();
  const ids = {};
  for (const card of Object.keys(NAMES)) ids[card] = (await shop.stripe.paymentMethods.attach(card, { customer: who.id })).id;
  const amex = (await shop.stripe.paymentMethods.retrieve(ids.pm_card_amex)).card.last4;
  return { who, ids, names: { ...NAMES, pm_card_amex: say('method.spoken', { brand: 'American Express', last: amex }) } };
}

const backupsOf = async (who) => {
  const { invoice_settings: settings } = await shop.stripe.customers.retrieve(who.id);
  return settings.backup_payment_methods?.payment_methods ?? [];
};

for (const { way, options } of WAYS) {
  test(`cards are tried in the order that the customer allowed, ${way}`, async (t) => {
    const { who, ids, names } = await withThree();
    const page = await shop.visit(who, { t, path: LIST, ...options });
    assert.deepEqual(await backupsOf(who), []);
    const press = async (key, card, done) => {
      await send(page, 'back-up', () => page.getByRole('button', { name: say(key, { name: names[card] }), exact: true }).click());
      await page.getByRole('status').filter({ hasText: say(done) }).waitFor();
    };
    const [master, amex] = ['pm_card_mastercard', 'pm_card_amex'];
    await press('methods.backup_allow_of', master, 'done.backup_allowed');
    assert.deepEqual(await backupsOf(who), [ids[master]]);
    await page.getByText(say('methods.backup'), { exact: true }).waitFor();
    await press('methods.backup_allow_of', amex, 'done.backup_allowed');
    await page.getByText(say('methods.backup_place', { place: '2' }), { exact: true }).waitFor();
    await checkAccessible(page);
    await press('methods.backup_earlier_of', amex, 'done.backup_moved');
    assert.deepEqual(await backupsOf(who), [ids[amex], ids[master]]);
    await press('methods.backup_withdraw_of', amex, 'done.backup_withdrawn');
    assert.deepEqual(await backupsOf(who), [ids[master]]);
    const { invoice_settings: settings } = await shop.stripe.customers.retrieve(who.id);
    assert.equal(settings.backup_payment_methods.consented_through, 'portal');
    assertTidy(page);
  });

  test(`a new card pays what is open, and the page says so, ${way}`, async (t) => {
    const who = await shop.customer();
    const failing = await shop.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: who.id });
    await shop.stripe.customers.update(who.id, { invoice_settings: { default_payment_method: failing.id } });
    const [item] = who.subscription.items.data;
    const late = await shop.stripe.subscriptions.update(who.subscription.id, {
      items: [{ id: item.id, price: shop.plans.team.month.id }], proration_behavior: 'always_invoice',
    });
    assert.equal(late.status, 'past_due');
    const page = await shop.visit(who, { t, path: `${LIST}/new`, ...options });
    const card = { number: '5555555555554444', expiry: '12 / 40', cvc: '123', name: 'Ada' };
    for (const [field, text] of Object.entries(card)) await page.locator(`#${field}`).fill(text);
    await page.getByLabel(say('card.make_default')).check();
    await arrive(page, LIST, () => page.getByRole('button', { name: say('card.save') }).click());
    await page.getByRole('status').filter({ hasText: say('done.charging_detail') }).waitFor();
    await until(async () => (await shop.stripe.invoices.retrieve(late.latest_invoice)).status === 'paid', 'it was never paid');
    assertTidy(page);
  });
}
