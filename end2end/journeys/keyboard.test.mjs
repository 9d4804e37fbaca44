// The portal without a mouse: the skip link, an order that makes sense, the focus where the reader is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changePath } from './changing.mjs';
import { arrive, assertTidy, openShop, ready } from './shop.mjs';
import { say, words } from './words.mjs';

const shop = openShop();

const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return { tag: element.localName, id: element.id, name: (element.getAttribute('aria-label') ?? element.textContent).trim(), value: element.value };
});

/** Presses Tab until the focus is where `wanted` says; answers the names of all it came by. */
async function tabTo(page, wanted, most = 40) {
  const names = [];
  for (let pressed = 0; pressed < most; pressed += 1) {
    await page.keyboard.press('Tab');
    const at = await focused(page);
    names.push(at.name);
    const visible = await page.evaluate(() => {
      const box = document.activeElement.getBoundingClientRect();
      const style = getComputedStyle(document.activeElement);
      const parent = document.activeElement.closest('label');
      const ring = [style, parent && getComputedStyle(parent)].some((one) => one && (one.outlineStyle !== 'none' || one.boxShadow !== 'none'));
      return { seen: (box.width > 0 && box.height > 0) || Boolean(parent), ring };
    });
    assert.ok(visible.seen, `the focus is invisible at ${at.name}`);
    assert.ok(visible.ring, `nothing shows the focus at ${at.name}`);
    if (wanted(at)) return names;
  }
  throw new Error(`the focus never came there; it came by ${names.join(' | ')}`);
}

test('the first stop skips to the content', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  await page.keyboard.press('Tab');
  assert.equal((await focused(page)).name, say('shell.skip'));
  const skip = page.getByRole('link', { name: say('shell.skip') });
  assert.ok(await skip.isVisible());
  const box = await skip.boundingBox();
  assert.ok(box.x >= 0 && box.y >= 0, 'the skip link is out of sight');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'content');
  await page.keyboard.press('Tab');
  const inside = await page.evaluate(() => document.activeElement.closest('main') !== null);
  assert.ok(inside, 'the next stop is not in the content');
});

test('the primary act is reached in the order of the page', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  const names = await tabTo(page, (at) => at.name === say('home.change'));
  const sections = ['home', 'invoices', 'payment_methods', 'details', 'mail'].map((key) => say(`shell.${key}`));
  const order = sections.map((name) => names.indexOf(name));
  assert.deepEqual(order, [...order].sort((a, b) => a - b), `sections in another order: ${names}`);
  assert.ok(!order.includes(-1), `sections that can’t be reached: ${names}`);
  const next = await tabTo(page, (at) => at.name === say('home.cancel'), 3);
  assert.equal(next.at(-1), say('home.cancel'), 'what takes away does not stand last');
});

test('a plan is changed with the keyboard alone', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await tabTo(page, (at) => at.name === say('home.change'));
  await arrive(page, changePath(who), () => page.keyboard.press('Enter'));
  await page.getByRole('heading', { level: 1, name: say('home.change') }).waitFor();
  await page.waitForFunction(() => document.activeElement.localName === 'h1');
  await tabTo(page, (at) => at.value === shop.plans.basic.product.id);
  await page.keyboard.press('ArrowDown');
  await page.waitForFunction((value) => document.activeElement.value === value, shop.plans.team.product.id);
  await tabTo(page, (at) => at.name === say('change.review'));
  await arrive(page, new RegExp(`^${changePath(who)}/.`), () => page.keyboard.press('Enter'));
  await page.getByRole('heading', { level: 1, name: say('change.review_title') }).waitFor();
  await page.waitForFunction(() => document.activeElement.localName === 'h1');
  await tabTo(page, (at) => at.tag === 'button' && /^Pay €/.test(at.name));
  await arrive(page, '/portal', () => page.keyboard.press('Enter'));
  await page.getByRole('status').filter({ hasText: say('done.plan_changed') }).waitFor();
  assertTidy(page);
});

test('after a navigation the heading has the focus, after a fault the field', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  const links = page.getByRole('navigation').getByRole('link', { name: say('shell.invoices') });
  await arrive(page, '/portal/invoices', () => links.click());
  // The link that was followed has the same text, and the focus until the heading is there.
  const heading = (text) => document.activeElement.localName === 'h1' && document.activeElement.textContent === text;
  await page.waitForFunction(heading, say('shell.invoices'));
  await page.goto(`${shop.server.url}/portal/payment-methods/new`);
  await ready(page);
  await tabTo(page, (at) => at.id === 'name');
  await page.keyboard.type('Ada');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'number');
});

test('the way back through the history shows each page as it was', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  const go = (name) => page.getByRole('navigation').getByRole('link', { name: say(name) }).click();
  await arrive(page, '/portal/invoices', () => go('shell.invoices'));
  await arrive(page, '/portal/payment-methods', () => go('shell.payment_methods'));
  await arrive(page, '/portal/invoices', () => page.goBack());
  await page.getByRole('heading', { level: 1, name: say('shell.invoices') }).waitFor();
  await arrive(page, '/portal', () => page.goBack());
  await page.getByRole('heading', { level: 1, name: say('shell.home') }).waitFor();
  await arrive(page, '/portal/invoices', () => page.goForward());
  await page.getByRole('heading', { level: 1, name: say('shell.invoices') }).waitFor();
  assertTidy(page);
});

test('a page that was loaded leaves the focus to its reader', async (t) => {
  const who = await shop.customer();
  const [invoice] = (await shop.stripe.invoices.list({ customer: who.id })).data;
  const page = await shop.visit(who, { t });
  await page.addInitScript(() => {
    document.addEventListener('focusin', ({ target }) => target.localName === 'h1' && document.documentElement.setAttribute('data-stolen', ''));
  });
  const subscription = `/portal/subscriptions/${who.subscription.id}`;
  const paths = [
    '/portal', '/portal/details', '/portal/invoices', `/portal/invoices/${invoice.id}`, '/portal/mail',
    '/portal/payment-methods', '/portal/payment-methods/new', `${subscription}/change`, `${subscription}/cancel`,
  ];
  for (const path of paths) {
    await page.goto(`${shop.server.url}${path}`);
    await ready(page);
    await page.keyboard.press('Tab');
    await page.waitForLoadState('networkidle');
    assert.equal((await focused(page)).name, say('shell.skip'), path);
    assert.equal(await page.locator('html[data-stolen]').count(), 0, path);
  }
});

test('what is done on a page leaves the focus where it was, or leads to the heading where that went away', async (t) => {
  const who = await shop.customer({ card: 'pm_card_chargeCustomerFail' });
  const [invoice] = (await shop.stripe.invoices.list({ customer: who.id })).data;
  const page = await shop.visit(who, { t, path: `/portal/invoices/${invoice.id}` });
  const pay = page.getByRole('button', { name: say('invoice.pay', { amount: '€12.00' }) });
  await pay.focus();
  const reloaded = page.waitForResponse((response) => new URL(response.url()).pathname === '/api/portal/invoice');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: say('refused.declined') }).waitFor();
  await reloaded;
  await page.evaluate(() => new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); }));
  assert.equal((await focused(page)).name, say('invoice.pay', { amount: '€12.00' }));

  const french = words('fr');
  await page.locator('#language').focus();
  await page.locator('#language').selectOption('fr');
  await page.getByRole('button', { name: french('invoice.pay', { amount: '12,00\u00a0€' }) }).waitFor();
  await page.waitForFunction(() => document.activeElement.id === 'language');

  const leaving = await shop.visit(await shop.customer({ subscription: { cancel_at_period_end: true } }), { t });
  await leaving.getByRole('button', { name: say('home.keep') }).focus();
  await leaving.keyboard.press('Enter');
  await leaving.getByRole('button', { name: say('home.keep') }).waitFor({ state: 'detached' });
  await leaving.waitForFunction(() => document.activeElement.localName === 'h1');
  assertTidy(page, { refused: [402] });
});
