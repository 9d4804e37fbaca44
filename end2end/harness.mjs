// What every test here needs: a Perennial of its own with the demo's data, a browser, and a look at accessibility.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import Stripe from 'stripe';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const results = join(root, 'end2end', 'results');

/** How long a debug server may take to build the demo's year of invoices. */
const readyWithinMs = 120_000;
const stoppedWithinMs = 30_000;

/**
 * Starts `perennial serve` from the debug build (`PERENNIAL_BINARY` names another) on a free port and a new database.
 *
 * Answers `{ url, apiKey, merchant, links, link(), stop(), kill(), restart(), log() }`; links are the demo's. Without
 * the demo, `merchant` names the one that is made, with no data at all: `apiKey` is its test key.
 * Pass the test's context as `t` and it is stopped when the test ends.
 */
export async function startServer({ t, demo = true, merchant = 'Halden', database, args = [], env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-'));
  const port = await freePort();
  const demoFile = join(folder, 'demo.json');
  const server = {
    url: `http://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    database: database ?? `sqlite:${join(folder, 'perennial.db')}`,
    links: [],
    /** The portal link of a demo customer, by id or by name. */
    link(customer) {
      const found = server.links.find((link) => link.customer === customer || link.name === customer);
      if (!found) throw new Error(`no demo customer ${customer} among ${server.links.map((link) => link.name)}`);
      return found.url;
    },
    /** The official client, pointed at this server. */
    stripe(options = {}) {
      return new Stripe(server.apiKey, {
        host: server.host, port, protocol: 'http', telemetry: false, maxNetworkRetries: 0, ...options,
      });
    },
    log: () => output.join(''),
    /** SIGTERM, as a deployment does; fails when the server does not leave in time or in order. */
    async stop() {
      const code = await end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the server ended with ${code}\n${server.log()}`);
    },
    /** SIGTERM, answering the exit code. The database stays: `restart` finds it as it was. */
    terminate: () => end('SIGTERM'),
    /** SIGKILL, as a crash does. The database stays: `restart` finds it as it was. */
    kill: () => end('SIGKILL'),
    restart: () => begin(),
  };

  let child;
  let output = [];

  const binary = process.env.PERENNIAL_BINARY ?? join(root, 'target', 'debug', 'perennial');
  if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build --package server`);

  async function createMerchant() {
    const line = ['merchant', 'create', '--name', merchant, '--database', server.database];
    const { stdout } = await promisify(execFile)(binary, line, { cwd: folder });
    const [, id] = stdout.match(/^Merchant +(\S+)/m) ?? [];
    const [, key] = stdout.match(/^Test key +(\S+)/m) ?? [];
    if (!id || !key) throw new Error(`no merchant and key in what was printed:\n${stdout}`);
    Object.assign(server, { merchant: id, apiKey: key });
  }

  async function begin() {
    const line = ['serve', '--listen', `127.0.0.1:${port}`, '--database', server.database, '--public-url', server.url];
    if (demo) line.push('--demo');
    child = spawn(binary, [...line, ...args], {
      cwd: folder,
      env: { ...process.env, RUST_BACKTRACE: '1', PERENNIAL_DEMO_JSON: demoFile, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk.toString()));
    await ready();
    if (demo) {
      const { merchant, api_key: apiKey, links } = JSON.parse(await readFile(demoFile, 'utf8'));
      Object.assign(server, { merchant, apiKey, links });
    }
  }

  async function ready() {
    const deadline = Date.now() + readyWithinMs;
    while (Date.now() < deadline) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}\n${server.log()}`);
      }
      const answer = await fetch(`${server.url}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await end('SIGKILL');
    throw new Error(`the server was not ready within ${readyWithinMs / 1000} s\n${server.log()}`);
  }

  async function end(signal) {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), stoppedWithinMs);
    const [code, killed] = await exit;
    clearTimeout(late);
    return code ?? killed;
  }

  // A test that breaks off must not leave its server behind.
  process.once('exit', () => child?.kill('SIGKILL'));
  t?.after(() => server.stop());
  if (!demo) await createMerchant();
  await begin();
  return server;
}

/**
 * Opens Debian's Chromium (`CHROMIUM` names another). `newPage` opens a page in a context of its own:
 * `javaScript: false` as with scripts switched off, `wasm: false` as where wasm is blocked on the way.
 * `page.problems` collects what the browser complained about: errors in scripts, refused and missing files.
 */
export async function openBrowser({ t, args = [] } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? findOnPath('chromium', 'chromium-browser', 'google-chrome'),
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-first-run', ...args,
    ],
  });
  t?.after(() => browser.close());
  return {
    browser,
    close: () => browser.close(),
    async newPage({
      javaScript = true, wasm = true, locale = 'en-GB', colorScheme = 'light', viewport = { width: 1280, height: 800 },
      ...more
    } = {}) {
      const context = await browser.newContext({
        javaScriptEnabled: javaScript, locale, colorScheme, viewport, reducedMotion: 'reduce', ...more,
      });
      if (!wasm) await context.route('**/*.wasm', (route) => route.abort());
      const page = await context.newPage();
      page.problems = [];
      page.withoutScripts = !javaScript && (() => withoutScripts(browser, context, { locale, colorScheme, viewport, ...more }));
      page.on('console', (message) => {
        if (message.type() === 'error') page.problems.push(message.text());
      });
      page.on('pageerror', (error) => page.problems.push(String(error)));
      return page;
    },
  };
}

/** Waits until the wasm has brought the page to life: before that, a click is a plain link or form. */
export const hydrated = (page) => page.waitForSelector('html[data-ready]', { state: 'attached' });

/**
 * Fails with a readable list when axe finds something that WCAG 2.2 AA forbids.
 * axe is a script itself: a page without JavaScript is looked at in a twin where only the page's own scripts are held back.
 */
export async function checkAccessible(page) {
  if (page.withoutScripts) {
    const twin = await page.withoutScripts();
    await twin.goto(page.url());
    await checkAccessible(twin);
    await twin.context().close();
    return;
  }
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  if (violations.length === 0) return;
  const lines = violations.flatMap((violation) => [
    `${violation.id}: ${violation.help}`,
    ...violation.nodes.map((node) => `  ${node.target.join(' ')}\n    ${node.failureSummary?.replaceAll('\n', '\n    ')}`),
  ]);
  throw new Error(`${page.url()} is not accessible:\n${lines.join('\n')}`);
}

/** A page of the same visitor, in which scripts may run but the page's own never arrive. */
async function withoutScripts(browser, context, options) {
  const twin = await browser.newContext({ reducedMotion: 'reduce', ...options, storageState: await context.storageState() });
  await twin.route('**/*', (route) => (route.request().resourceType() === 'script' ? route.abort() : route.continue()));
  return twin.newPage();
}

/** Keeps a picture of the page in end2end/results/. */
export async function screenshot(page, name) {
  await mkdir(results, { recursive: true });
  await page.screenshot({ path: join(results, `${name}.png`), fullPage: true });
}

/**
 * A port below those that the system gives to connections: else somebody's connection might take it before the server
 * does, or between its end and its restart.
 */
async function freePort() {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    const probe = createServer();
    const free = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

function findOnPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (!found) throw new Error(`no ${names.join(' or ')} on the PATH; name a Chrome in CHROMIUM`);
  return found;
}
