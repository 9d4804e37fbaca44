// The steps of a change, as a reader takes them, with scripts or without.

import { arrive, ready, secondAfter } from './shop.mjs';
import { say } from './words.mjs';

export const changePath = (who) => `/portal/subscriptions/${who.subscription.id}/change`;

/** From the first page to the choice. */
export async function openChange(page, who) {
  await secondAfter(who.subscription.created);
  await arrive(page, changePath(who), () => page.getByRole('link', { name: say('home.change') }).click());
  await page.getByRole('heading', { level: 1, name: say('home.change') }).waitFor();
}

/** Chooses as told; without scripts the server is asked what it comes to. */
export async function choose(page, { plan, every, quantity }) {
  if (every) await page.locator('label.side', { hasText: every }).click();
  if (plan) await page.getByRole('radio', { name: new RegExp(`^${plan}`) }).check();
  if (quantity) await page.locator('#quantity').fill(String(quantity));
  if (page.lively) return;
  const before = page.url();
  await page.getByRole('button', { name: say('change.show') }).click();
  await page.waitForURL((url) => url.href !== before);
}

/** What is due today, as the summary says it. */
export const due = (page) => page.locator('.summary .line', { hasText: say('change.due_today') }).locator('.amount bdi').innerText();

/** From the choice to the quote that binds. */
export async function review(page, who) {
  const quote = new RegExp(`^${changePath(who)}/[a-z]+_\\w+$`);
  await arrive(page, quote, () => page.getByRole('button', { name: say('change.review') }).click());
  await page.getByRole('heading', { level: 1, name: say('change.review_title') }).waitFor();
}

/** Sends the quote back, and goes where that leads. */
export async function confirm(page, button, path) {
  await arrive(page, path, () => page.getByRole('button', { name: button, exact: true }).click());
  await ready(page);
}
