// The link that a merchant gives to a customer: it works once, and leaves nothing secret behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible } from '../harness.mjs';
import { assertTidy, openShop, ready, WAYS } from './shop.mjs';
import { say } from './words.mjs';

const shop = openShop();

for (const { way, options } of WAYS) {
  test(`a link opens the portal, ${way}, and its secret is gone from everywhere a script or a neighbour could look`, async (t) => {
    const who = await shop.customer();
    const page = await shop.visit(who, { t, ...options });
    const secret = who.url.split('/p/')[1];
    assert.equal(secret.length, 64);
    assert.equal(page.url(), `${shop.server.url}/portal`);
    await page.getByRole('heading', { level: 1, name: say('shell.home') }).waitFor();
    await page.getByText('Ada Lovelace').first().waitFor();
    assert.ok(!(await page.content()).includes(secret), 'the secret stands in the page');
    if (options.javaScript !== false) {
      const seen = await page.evaluate(() => ({
        referrer: document.referrer, cookie: document.cookie,
        stored: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
      }));
      assert.ok(!seen.referrer.includes(secret), 'the secret is the referrer');
      assert.equal(seen.cookie, '', 'a script can read the cookie');
      assert.equal(seen.stored, '[{},{}]');
    }
    const cookies = await page.context().cookies();
    assert.equal(cookies.length, 1);
    assert.deepEqual([cookies[0].httpOnly, cookies[0].sameSite], [true, 'Lax']);
    assert.notEqual(cookies[0].value, secret, 'the cookie is the link again');
    assertTidy(page);
  });
}

test('the second use of a link, by somebody else, shows that it is used, in the merchant’s look', async (t) => {
  const who = await shop.customer();
  await shop.visit(who, { t });
  for (const { options } of WAYS) {
    const other = await shop.opened.newPage(options);
    t.after(() => other.context().close());
    const answer = await other.goto(who.url);
    assert.equal(answer.status(), 410);
    await other.getByRole('heading', { level: 1, name: say('refused.signed_out') }).waitFor();
    await other.getByText(say('refused.signed_out_detail')).waitFor();
    assert.equal(await other.getByText('Ada Lovelace').count(), 0, 'the page names the customer');
    const sheets = await other.locator('link[rel=stylesheet]').evaluateAll((links) => links.map((link) => link.href));
    assert.ok(sheets.some((href) => href.includes(`/theme/${shop.server.merchant}/`)), `no theme among ${sheets}`);
    await other.getByRole('link', { name: say('shell.back', { merchant: 'Halden' }) }).waitFor();
    await checkAccessible(other);
    assertTidy(other, { refused: [410] });
  }
});

test('one’s own second click leads back into the portal', async (t) => {
  const who = await shop.customer();
  const page = await shop.visit(who, { t });
  await page.goto(who.url);
  assert.equal(page.url(), `${shop.server.url}/portal`);
  await page.getByRole('heading', { level: 1, name: say('shell.home') }).waitFor();
});

test('what looks at a link without opening it does not use it up', async (t) => {
  const who = await shop.customer();
  const looked = await fetch(who.url, { method: 'HEAD', redirect: 'manual' });
  assert.equal(looked.status, 200);
  const page = await shop.visit(who, { t });
  await page.getByRole('heading', { level: 1, name: say('shell.home') }).waitFor();
});

test('a link that never was one says so', async () => {
  for (const key of ['0'.repeat(64), 'x', `${'0'.repeat(63)}g`, '%00']) {
    const answer = await fetch(`${shop.server.url}/p/${key}`, { redirect: 'manual' });
    assert.equal(answer.status, 410, key);
    assert.ok(!answer.headers.has('set-cookie'), key);
  }
});

test('without a visit every page asks for a new link, and says nothing of anybody', async (t) => {
  const who = await shop.customer();
  const [invoice] = (await shop.stripe.invoices.list({ customer: who.id })).data;
  const page = await shop.opened.newPage();
  t.after(() => page.context().close());
  const paths = [
    '/portal', '/portal/invoices', `/portal/invoices/${invoice.id}`, '/portal/payment-methods',
    `/portal/subscriptions/${who.subscription.id}/change`,
  ];
  for (const path of paths) {
    const answer = await page.goto(`${shop.server.url}${path}`);
    assert.equal(answer.status(), 401, path);
    await page.getByRole('heading', { level: 1, name: say('refused.signed_out') }).waitFor();
    assert.ok(!(await page.content()).includes('Lovelace'), path);
  }
  const pdf = await fetch(`${shop.server.url}/portal/invoices/${invoice.id}/pdf`);
  assert.notEqual(pdf.status, 200);
});

test('what belongs to another customer is not there', async (t) => {
  const [me, other] = [await shop.customer(), await shop.customer({ name: 'Grace Hopper', email: 'grace@example.com' })];
  const [invoice] = (await shop.stripe.invoices.list({ customer: other.id })).data;
  const page = await shop.visit(me, { t });
  const paths = [
    `/portal/invoices/${invoice.id}`, `/portal/subscriptions/${other.subscription.id}/change`,
    `/portal/subscriptions/${other.subscription.id}/cancel`, `/portal/payment-methods/${other.method.id}/remove`,
  ];
  for (const path of paths) {
    const answer = await page.goto(`${shop.server.url}${path}`);
    assert.equal(answer.status(), 404, path);
    await page.getByRole('heading', { level: 1, name: say('refused.not_found') }).waitFor();
    assert.ok(!(await page.content()).includes('Hopper'), path);
  }
  const pdf = await page.request.get(`${shop.server.url}/portal/invoices/${invoice.id}/pdf`);
  assert.equal(pdf.status(), 404);
});

test('an address with an id that can be none leads nowhere, by a link as by itself', async (t) => {
  const page = await shop.visit(await shop.customer(), { t });
  for (const path of ['/portal/invoices/x', '/portal/subscriptions/in_1/change', '/portal/subscriptions/%20/cancel', '/portal/subscriptions/x/resume']) {
    const answer = await page.goto(`${shop.server.url}${path}`);
    assert.equal(answer.status(), 404, path);
    await page.getByRole('heading', { level: 1, name: say('refused.not_found') }).waitFor();
    await page.goto(`${shop.server.url}/portal`);
    await ready(page);
    await page.evaluate((href) => {
      const link = document.createElement('a');
      Object.assign(link, { href, textContent: 'nowhere' });
      document.querySelector('main').append(link);
      link.click();
    }, path);
    await page.waitForURL((url) => url.pathname === path);
    await page.getByRole('heading', { level: 1, name: say('refused.not_found') }).waitFor();
  }
  assertTidy(page, { refused: [404, 422] });
});

test('after signing out the portal is closed', async (t) => {
  for (const { way, options } of WAYS) {
    const page = await shop.visit(await shop.customer(), { t, ...options });
    await page.getByRole('button', { name: say('shell.sign_out') }).click();
    await page.getByRole('heading', { level: 1, name: say('refused.left') }).waitFor();
    const answer = await page.goto(`${shop.server.url}/portal`);
    assert.equal(answer.status(), 401, way);
  }
});
