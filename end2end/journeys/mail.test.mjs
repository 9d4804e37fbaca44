// Email from us: what may come is chosen, offers are off until somebody wants them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTidy, openShop, ready, send, WAYS } from './shop.mjs';
import { say, words } from './words.mjs';

const shop = openShop();
const PATH = '/portal/mail';
const CHOICES = ['receipts', 'renewal_reminders', 'trial_reminders', 'card_expiry', 'product_updates', 'promotions'];

const save = async (page) => {
  await send(page, 'save-mail', () => page.getByRole('button', { name: say('mail.save') }).click());
  await page.getByRole('status').filter({ hasText: say('done.mail_saved') }).waitFor();
};

const chosen = async (page) => {
  const states = {};
  for (const name of CHOICES) states[name] = await page.locator(`#${name}`).isChecked();
  return states;
};

for (const { way, options } of WAYS) {
  test(`mail is chosen and stays chosen, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, path: PATH, ...options });
    const first = await chosen(page);
    assert.equal(first.promotions, false, 'offers are on before anybody wanted them');
    assert.deepEqual([first.receipts, first.renewal_reminders, first.trial_reminders, first.card_expiry], [true, true, true, true]);

    await page.getByLabel(say('mail.receipts')).uncheck();
    await page.getByLabel(say('mail.offers')).check();
    await save(page);
    const wanted = { ...first, receipts: false, promotions: true };
    assert.deepEqual(await chosen(page), wanted);
    await page.reload();
    await ready(page);
    assert.deepEqual(await chosen(page), wanted);

    await page.getByLabel(say('mail.offers')).uncheck();
    await save(page);
    await page.reload();
    assert.deepEqual(await chosen(page), { ...wanted, promotions: false });
    assertTidy(page);
  });

  test(`the language of mail is the language of the pages, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, path: PATH, ...options });
    const french = words('fr');
    await page.locator('input[type=radio][name=tag][value=fr]').check();
    await send(page, 'choose-language', () => page.locator('main').getByRole('button', { name: say('shell.change_language') }).click());
    await page.getByRole('heading', { level: 1, name: french('shell.mail') }).waitFor();
    assert.equal((await shop.stripe.customers.retrieve(who.id)).preferred_locales[0], 'fr');
    assertTidy(page);
  });
}

test('what must come has no switch, and says why', async (t) => {
  const page = await shop.visit(await shop.customer(), { t, path: PATH });
  await page.getByText(say('mail.always_why')).waitFor();
  for (const key of ['mail.always_payments', 'mail.always_changes', 'mail.always_account']) {
    await page.getByText(say(key)).waitFor();
  }
  assert.equal(await page.getByRole('checkbox').count(), CHOICES.length);
});
