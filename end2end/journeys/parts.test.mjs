// A page in a part: the document names the part's files, so that they come beside the first wasm, each once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openShop } from './shop.mjs';
import { hydrated } from '../harness.mjs';

const shop = openShop();

/** The code and the texts. */
const own = (path) => path.endsWith('.wasm') || path.startsWith('/words/');

test('every page preloads what it then runs, and nothing twice', async (t) => {
  const who = await shop.customer();
  const [invoice] = (await shop.stripe.invoices.list({ customer: who.id })).data;
  const subscription = `/portal/subscriptions/${who.subscription.id}`;
  const paths = [
    '/portal', '/portal/details', '/portal/invoices', `/portal/invoices/${invoice.id}`, '/portal/mail',
    '/portal/payment-methods', '/portal/payment-methods/new', `/portal/payment-methods/${who.method.id}/remove`,
    `${subscription}/change`, `${subscription}/cancel`,
  ];
  for (const path of paths) {
    // A browser of its own each, so that no file is there already.
    const page = await shop.visit(await shop.link(who.id), { t, javaScript: false });
    const fresh = await shop.opened.newPage({ storageState: await page.context().storageState() });
    t.after(() => fresh.context().close());
    const fetched = [];
    const warnings = [];
    fresh.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (own(pathname)) fetched.push(pathname);
    });
    fresh.on('console', (message) => warnings.push(message.text()));
    await fresh.goto(`${shop.server.url}${path}`);
    await hydrated(fresh);
    const named = await fresh.locator('link[rel=preload][as=fetch]').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
    const run = await fresh.evaluate(() => performance.getEntriesByType('resource')
      .map((entry) => new URL(entry.name).pathname));
    assert.deepEqual(fetched.toSorted(), named.toSorted(), `${path} asks for what it does not name, or asks twice`);
    assert.deepEqual([...new Set(run.filter(own))].toSorted(), named.toSorted(), path);
    assert.equal(named.length > 2, path !== '/portal', `${path} names ${named}`);
    // The browser waits some seconds before it calls a preload unused; what is unused here was never asked for by a script.
    assert.deepEqual(warnings, [], path);
  }
});
