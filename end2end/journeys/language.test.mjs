// Choosing another language: at once, everywhere, and for the next visit.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrive, assertTidy, openShop, send, WAYS } from './shop.mjs';
import { say, words } from './words.mjs';

const shop = openShop();

for (const { way, options } of WAYS) {
  test(`the language changes, ${way}, and stays`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    const french = words('fr');
    await send(page, 'choose-language', async () => {
      await page.locator('#language').selectOption('fr');
      if (!page.lively) await page.getByRole('button', { name: say('shell.change_language') }).click();
    });
    await page.getByRole('heading', { level: 1, name: french('shell.home') }).waitFor();
    await page.locator('html[lang=fr]').waitFor();
    await page.getByRole('link', { name: french('home.change') }).waitFor();
    await page.getByText('12,00\u00a0€').or(page.getByText('12,00\u202f€')).first().waitFor();

    const links = page.getByRole('navigation').getByRole('link', { name: french('shell.invoices') });
    await arrive(page, '/portal/invoices', () => links.click());
    await page.getByRole('heading', { level: 1, name: french('shell.invoices') }).waitFor();
    await page.reload();
    await page.getByRole('heading', { level: 1, name: french('shell.invoices') }).waitFor();

    const customer = await shop.stripe.customers.retrieve(who.id);
    assert.equal(customer.preferred_locales[0], 'fr');
    const again = await shop.visit(await shop.link(who.id), { t, ...options });
    await again.getByRole('heading', { level: 1, name: french('shell.home') }).waitFor();
    assertTidy(page);
  });
}

test('there and back again leaves no trace of the other language', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  const chinese = words('zh');
  const before = await page.locator('main').innerText();
  await page.locator('#language').selectOption('zh');
  await page.getByRole('heading', { level: 1, name: chinese('shell.home') }).waitFor();
  const title = chinese('shell.title', { page: chinese('shell.home'), merchant: 'Halden' });
  await page.waitForFunction((wanted) => document.title === wanted, title);
  await page.locator('#language').selectOption('en');
  await page.getByRole('heading', { level: 1, name: say('shell.home') }).waitFor();
  await page.waitForFunction((text) => document.querySelector('main').innerText === text, before);
  assertTidy(page);
});

test('a stranger to all our languages reads English; the browser’s language counts where the customer has none', async (t) => {
  const klingon = await shop.visit(await shop.customer({ locale: 'tlh' }), { t });
  assert.equal(await klingon.locator('html').getAttribute('lang'), 'en');
  const who = await shop.customer({ customer: { preferred_locales: [] } });
  const french = await shop.visit(who, { t, locale: 'fr-CA' });
  assert.equal(await french.locator('html').getAttribute('lang'), 'fr');
});
