// Billing details: the address as each country writes it, and tax numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { assertTidy, openShop, requestsDuring, send, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();
const PATH = '/portal/details';
const ADDRESS = { line1: 'Lange Straße 1', line2: null, city: 'Berlin', state: null, postal_code: '10115', country: 'DE' };
const customerOf = (who) => shop.stripe.customers.retrieve(who.id, { expand: ['tax_ids'] });
const saveButton = (page) => page.getByRole('button', { name: say('details.save') });
const saved = (page) => page.getByRole('status').filter({ hasText: say('done.details_saved') }).waitFor();

/** The sentence beside a field, as a screen reader finds it. */
async function faultOf(page, field) {
  const input = page.locator(`#${field}[aria-invalid=true]`);
  await input.waitFor();
  return input.evaluate((element) => {
    const ids = element.getAttribute('aria-describedby').split(' ');
    return ids.map((id) => document.getElementById(id)?.textContent ?? '').join(' ').trim();
  });
}

/** The visible parts of the address, in the order of the form. */
const partsOf = (page) => page.locator('[data-part]:not([data-unused])').evaluateAll((parts) => parts.map((part) => part.dataset.part));

for (const { way, options } of WAYS) {
  test(`details are changed and stand on the customer, ${way}`, async (t) => {
    const who = await shop.customer({ customer: { address: ADDRESS } });
    const page = await shop.visit(who, { t, path: PATH, ...options });
    await page.locator('#name').fill('  Ada Byron ');
    await page.locator('#phone').fill('+44 20 7946 0000');
    await page.locator('#country').selectOption('FR');
    await page.locator('#line1').fill('1 rue de Rivoli');
    await page.locator('#postal_code').fill('75001');
    await page.locator('#city').fill('Paris');
    await saveButton(page).click();
    await saved(page);
    const now = await customerOf(who);
    assert.deepEqual([now.name, now.phone, now.email], ['Ada Byron', '+44 20 7946 0000', 'ada@example.com']);
    assert.deepEqual(now.address, {
      line1: '1 rue de Rivoli', line2: null, city: 'Paris', state: null, postal_code: '75001', country: 'FR',
    });
    await page.reload();
    assert.equal(await page.locator('#name').inputValue(), 'Ada Byron');
    assert.equal(await page.locator('#country').inputValue(), 'FR');
    assertTidy(page);
  });

  test(`a tax number of the wrong form is said beside its field, ${way}, a right one is saved and removed`, async (t) => {
    const who = await shop.customer({ customer: { address: ADDRESS } });
    const page = await shop.visit(who, { t, path: PATH, ...options });
    const open = async () => {
      const value = page.locator('#value');
      if (!(await value.isVisible())) await page.getByText(say('details.tax_add'), { exact: true }).click();
      await value.waitFor();
    };
    const add = page.getByRole('button', { name: say('details.tax_save') });
    await open();
    await page.locator('#kind').selectOption({ value: 'eu_vat:DE' });
    await page.locator('#value').fill('DE12');
    await add.click();
    assert.ok((await faultOf(page, 'value')).includes(say('fault.tax_id')));
    // What was typed stands there still, with or without scripts.
    assert.equal(await page.locator('#value').inputValue(), 'DE12');
    assert.equal(await page.locator('#kind').inputValue(), 'eu_vat:DE');
    assert.deepEqual((await customerOf(who)).tax_ids.data, []);

    await open();
    await page.locator('#kind').selectOption({ value: 'eu_vat:FR' });
    await page.locator('#value').fill('FR40303265045');
    await add.click();
    await page.getByRole('status').filter({ hasText: say('done.tax_id_added') }).waitFor();
    // With it the list and the form below are drawn anew.
    const remove = page.getByRole('button', { name: say('details.tax_remove_of', { number: 'FR40303265045' }) });
    await remove.waitFor();
    const [number] = (await customerOf(who)).tax_ids.data;
    assert.deepEqual([number.type, number.value], ['eu_vat', 'FR40303265045']);

    await open();
    await page.locator('#kind').selectOption({ value: 'eu_vat:FR' });
    await page.locator('#value').fill('FR40303265045');
    await add.click();
    assert.ok((await faultOf(page, 'value')).includes(say('fault.tax_id_duplicate')));

    await remove.click();
    await page.getByRole('status').filter({ hasText: say('done.tax_id_removed') }).waitFor();
    assert.deepEqual((await customerOf(who)).tax_ids.data, []);
    assertTidy(page, { refused: [422] });
  });
}

const FAULTS = [
  { field: 'email', text: 'ada@', says: 'fault.email' },
  { field: 'email', text: '', says: 'fault.email' },
  { field: 'phone', text: 'call me', says: 'fault.phone' },
  { field: 'postal_code', text: '1234', says: 'fault.postal_code' },
];

test('what is mistyped is said beside its field before anything is sent, and what was typed stays', async (t) => {
  const who = await shop.customer({ customer: { address: ADDRESS } });
  const page = await shop.visit(who, { t, path: PATH });
  const asked = await requestsDuring(page, async () => {
    for (const { field, text, says } of FAULTS) {
      const before = await page.locator(`#${field}`).inputValue();
      await page.locator(`#${field}`).fill(text);
      await saveButton(page).click();
      assert.ok((await faultOf(page, field)).includes(say(says)), `${field} ${text}`);
      assert.equal(await page.locator(`#${field}`).inputValue(), text);
      await page.locator(`#${field}`).fill(before);
      await page.locator(`#${field}`).blur();
      await page.locator(`#${field}:not([aria-invalid])`).waitFor();
    }
  });
  assert.deepEqual(asked, []);
  assert.deepEqual((await customerOf(who)).address, ADDRESS);
  assertTidy(page);
});

test('the server finds the same faults, without JavaScript', async (t) => {
  const who = await shop.customer({ customer: { address: ADDRESS } });
  const page = await shop.visit(who, { t, path: PATH, javaScript: false });
  // A browser checks an email's form by itself, so those that only the server finds.
  for (const { field, text, says } of FAULTS.slice(2)) {
    await page.locator(`#${field}`).fill(text);
    await saveButton(page).click();
    assert.ok((await faultOf(page, field)).includes(say(says)), `${field} ${text}`);
    assert.equal(await page.locator(`#${field}`).inputValue(), text, 'what was typed is lost');
    await page.goto(`${shop.server.url}${PATH}`);
  }
  assert.deepEqual((await customerOf(who)).address, ADDRESS);
});

for (const { way, options } of WAYS.slice(1)) {
  test(`a refused form comes back as it was typed, once, ${way}`, async (t) => {
    const who = await shop.customer({ customer: { address: ADDRESS } });
    const page = await shop.visit(who, { t, path: PATH, ...options });
    const typed = {
      name: 'Ada & "Söhne" <b>', phone: '12', line1: '1 Rue de l’Église', line2: '= 50 %', city: '北京', postal_code: '7500',
    };
    await page.locator('#country').selectOption('FR');
    for (const [field, text] of Object.entries(typed)) await page.locator(`#${field}`).fill(text);
    await saveButton(page).click();
    assert.ok((await faultOf(page, 'postal_code')).includes(say('fault.postal_code')));
    for (const [field, text] of Object.entries(typed)) assert.equal(await page.locator(`#${field}`).inputValue(), text);
    assert.equal(await page.locator('#country').inputValue(), 'FR');
    assert.ok(!decodeURIComponent(page.url()).includes('Ada'), 'what was typed stands in the address');
    await checkAccessible(page);
    assert.deepEqual((await customerOf(who)).address, ADDRESS);
    // Whoever comes again finds what is kept.
    await page.goto(`${shop.server.url}${PATH}`);
    assert.equal(await page.locator('#city').inputValue(), ADDRESS.city);
    assert.deepEqual((await page.context().cookies()).map((cookie) => cookie.name).filter((name) => /typed/.test(name)), []);
    assertTidy(page, { refused: [422] });
  });
}

test('an address has the parts of its country, in its order; what was typed stays', async (t) => {
  const page = await shop.visit(await shop.customer({ customer: { address: ADDRESS } }), { t, path: PATH });
  assert.deepEqual(await partsOf(page), ['line1', 'postal_code', 'city']);
  for (const { country, parts, label } of [
    { country: 'US', parts: ['line1', 'city', 'state', 'postal_code'], label: say('address.zip') },
    { country: 'GB', parts: ['line1', 'city', 'postal_code'], label: say('address.post_town') },
    { country: 'JP', parts: ['postal_code', 'state', 'city', 'line1'], label: say('address.prefecture') },
    { country: 'IE', parts: undefined, label: say('address.eircode') },
    { country: 'DE', parts: ['line1', 'postal_code', 'city'], label: say('address.postal_code') },
  ]) {
    await page.locator('#country').selectOption(country);
    await page.locator('label').filter({ hasText: label }).first().waitFor();
    if (parts) assert.deepEqual([country, ...(await partsOf(page))], [country, ...parts]);
    assert.equal(await page.locator('#line1').inputValue(), ADDRESS.line1);
  }
});

test('no more than five tax numbers', async (t) => {
  const who = await shop.customer();
  for (const value of ['DE136695976', 'FR40303265045', 'ATU13585627', 'IT00743110157', 'NL009291477B01']) {
    await shop.stripe.customers.createTaxId(who.id, { type: 'eu_vat', value });
  }
  const page = await shop.visit(who, { t, path: PATH });
  await page.getByText(say('details.tax_full')).waitFor();
  assert.equal(await page.locator('#value').count(), 0);
});
