// Cards: typed and checked, saved, made the default, removed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrive, assertTidy, openShop, ready, requestsDuring, send, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const LIST = '/portal/payment-methods';
const GOOD = { number: '4242 4242 4242 4242', expiry: '12 / 40', cvc: '123', name: 'Ada Lovelace' };
const cardsOf = async (who) => (await shop.stripe.paymentMethods.list({ customer: who.id })).data.map((method) => method.card.last4);
const defaultOf = async (who) => (await shop.stripe.customers.retrieve(who.id)).invoice_settings.default_payment_method;

async function openForm(page) {
  await arrive(page, LIST, () => page.getByRole('navigation').getByRole('link', { name: say('shell.payment_methods') }).click());
  await arrive(page, `${LIST}/new`, () => page.getByRole('link', { name: say('methods.add') }).click());
  await page.locator('#number').waitFor();
}

async function type(page, card) {
  for (const [field, text] of Object.entries({ ...GOOD, ...card })) await page.locator(`#${field}`).fill(text);
}

const save = (page) => page.getByRole('button', { name: say('card.save') });

/** The sentence beside a field, as a screen reader finds it. */
async function faultOf(page, field) {
  const input = page.locator(`#${field}[aria-invalid=true]`);
  await input.waitFor();
  return input.evaluate((element) => {
    const ids = element.getAttribute('aria-describedby').split(' ');
    return ids.map((id) => document.getElementById(id)?.textContent ?? '').join(' ').trim();
  });
}

const FAULTS = [
  { field: 'number', text: '4242 4242 4242 4241', says: 'fault.card_number' },
  { field: 'number', text: '4242', says: 'fault.card_number' },
  { field: 'expiry', text: '13 / 40', says: 'fault.card_expiry' },
  { field: 'expiry', text: '01 / 20', says: 'fault.card_expired' },
  { field: 'cvc', text: '12', says: 'fault.card_cvc' },
];

test('what is mistyped is said beside its field before anything is sent', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await openForm(page);
  const asked = await requestsDuring(page, async () => {
    for (const { field, text, says } of FAULTS) {
      await type(page, { [field]: text });
      await page.locator(`#${field}`).blur();
      assert.ok((await faultOf(page, field)).includes(say(says)), `${field} ${text}`);
      await save(page).click();
      await page.waitForFunction((id) => document.activeElement.id === id, field);
      await type(page, {});
      await page.locator(`#${field}`).blur();
      await page.locator(`#${field}:not([aria-invalid])`).waitFor();
    }
    await type(page, { number: '', expiry: '', cvc: '', name: '' });
    await save(page).click();
    assert.ok((await faultOf(page, 'name')).includes(say('fault.card_name_required')));
  });
  assert.deepEqual(asked, []);
  assert.deepEqual(await cardsOf(who), ['4242']);
  assertTidy(page);
});

for (const { way, options } of WAYS.slice(1)) {
  test(`what is mistyped is said beside its field by the server, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openForm(page);
    for (const { field, text, says } of FAULTS) {
      await type(page, { [field]: text });
      await send(page, 'add-card', () => save(page).click());
      assert.ok((await faultOf(page, field)).includes(say(says)), `${field} ${text}`);
      assert.ok(!page.url().includes('4242'), 'a card number stands in the address');
    }
    assert.deepEqual(await cardsOf(who), ['4242']);
    assertTidy(page);
  });
}

for (const { way, options } of WAYS) {
  test(`a card is saved, made the default, and another removed, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openForm(page);
    await type(page, { number: '5555 5555 5555 4444' });
    await arrive(page, LIST, () => save(page).click());
    await page.getByRole('status').filter({ hasText: say('done.card_added') }).waitFor();
    assert.deepEqual((await cardsOf(who)).sort(), ['4242', '4444']);
    assert.equal(await defaultOf(who), who.method.id, 'the default changed unasked');

    const master = say('method.spoken', { brand: 'Mastercard', last: '4444' });
    await page.getByRole('button', { name: say('methods.make_default_of', { name: master }) }).click();
    await page.getByRole('status').filter({ hasText: say('done.default_changed') }).waitFor();
    assert.notEqual(await defaultOf(who), who.method.id);

    const visa = say('method.spoken', { brand: 'Visa', last: '4242' });
    await page.getByRole('link', { name: say('methods.remove_of', { name: visa }) }).click();
    await page.getByRole('heading', { level: 1, name: say('methods.remove_title') }).waitFor();
    assert.deepEqual((await cardsOf(who)).sort(), ['4242', '4444'], 'it was removed without asking');
    await arrive(page, LIST, () => page.getByRole('button', { name: say('methods.remove') }).click());
    await page.getByRole('status').filter({ hasText: say('done.card_removed') }).waitFor();
    assert.deepEqual(await cardsOf(who), ['4444']);
    assertTidy(page);
  });

  test(`the last card of a running subscription stays, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, path: LIST, ...options });
    await page.getByText(say('methods.needed')).waitFor();
    assert.equal(await page.getByRole('link', { name: /^Remove/ }).count(), 0);
    // Nor by going around the page.
    await page.goto(`${shop.server.url}${LIST}/${who.method.id}/remove`);
    await ready(page);
    const button = page.getByRole('button', { name: say('methods.remove') });
    if (await button.count()) {
      await button.click();
      await page.getByRole('alert').filter({ hasText: say('refused.last_payment_method') }).waitFor();
    }
    assert.deepEqual(await cardsOf(who), ['4242']);
    assertTidy(page, { refused: [422] });
  });

  test(`the first card becomes the default, ${way}`, async (t) => {
    const who = await shop.customer({ card: null, plan: null });
    const page = await shop.visit(who, { t, ...options });
    await openForm(page);
    assert.equal(await page.getByLabel(say('card.make_default')).count(), 0);
    await type(page, {});
    await arrive(page, LIST, () => save(page).click());
    await page.getByText(say('methods.default'), { exact: true }).waitFor();
    assert.ok(await defaultOf(who));
  });

  test(`a card that pays from now on, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openForm(page);
    await type(page, { number: '378282246310005', cvc: '1234' });
    await page.getByLabel(say('card.make_default')).check();
    await arrive(page, LIST, () => save(page).click());
    assert.notEqual(await defaultOf(who), who.method.id);
    assert.deepEqual((await cardsOf(who)).sort(), ['0005', '4242']);
  });

  test(`the bank asks before a card is saved, ${way}`, async (t) => {
    for (const { answer, notice, cards } of [
      { answer: 'approve', notice: 'done.card_added', cards: ['3155', '4242'] },
      { answer: 'fail', notice: 'done.card_not_confirmed', cards: ['4242'] },
    ]) {
      const who = await shop.customer();
      const page = await shop.visit(who, { t, ...options });
      await openForm(page);
      await type(page, { number: '4000 0025 0000 3155' });
      await Promise.all([page.waitForURL(/\/sandbox\/challenge\//), save(page).click()]);
      await arrive(page, LIST, () => page.locator(`button[value=${answer}]`).click());
      await page.getByText(say(notice)).waitFor();
      assert.deepEqual((await cardsOf(who)).sort(), cards);
      assertTidy(page);
    }
  });

  test(`a card that the bank refuses is not saved, ${way}`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    await openForm(page);
    for (const { number, says } of [
      { number: '4000 0000 0000 0002', says: 'decline.generic' },
      { number: '4000 0000 0000 9995', says: 'decline.insufficient_funds' },
    ]) {
      await type(page, { number });
      await save(page).click();
      await page.getByRole('alert').filter({ hasText: say('refused.declined') }).filter({ hasText: say(says) }).waitFor();
    }
    assert.deepEqual(await cardsOf(who), ['4242']);
    assertTidy(page, { refused: [402] });
  });
}

test('the number is grouped as on the card, and the caret stays where one types', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  await openForm(page);
  const number = page.locator('#number');
  await number.pressSequentially('4242424242424242');
  assert.equal(await number.inputValue(), '4242 4242 4242 4242');
  await number.evaluate((input) => input.setSelectionRange(2, 2));
  await page.keyboard.press('Backspace');
  await page.keyboard.type('2');
  await page.waitForFunction(() => {
    const { value, selectionStart } = document.getElementById('number');
    return value === '4242 4242 4242 4242' && selectionStart === 2;
  });
});
