/**
 * How soon the console shows something, in a real Chromium on this machine, with nothing in its cache, as JSON lines: the first paint with
 * content (`first-contentful-paint`) and the moment from which the page has its heading, in milliseconds since the navigation began; medians and
 * the slowest of `--opens` new browser contexts, by page.
 *
 * Run: npm run bench:console -- [--opens 9] [--api http://127.0.0.1:8080]. Starts a stack of its own unless it is given the address of one.
 */
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../infra/local/chromium.js';
import { TestStack } from '../infra/local/test-stack.js';
import { quantileOfSorted } from '../ml/evaluate/bootstrap.js';

const { values: flags } = parseArgs({
  options: { opens: { type: 'string', default: '9' }, api: { type: 'string' } },
});
const PAGES = ['/', '/models', '/jobs', '/drift'];
const FIRST_PAINT =
  "performance.getEntriesByType('paint').find(({ name }) => name === 'first-contentful-paint')?.startTime";

async function openOnce(browser: Browser, url: string): Promise<{ paintMs: number; headingMs: number }> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    await page.locator('h1').waitFor();
    const headingMs = await page.evaluate<number>('performance.now()');
    return { paintMs: await page.evaluate<number>(FIRST_PAINT), headingMs };
  } finally {
    await context.close();
  }
}

const summaryOf = (values: readonly number[]) => {
  const sorted = Float64Array.from(values).sort();
  return { median: Math.round(quantileOfSorted(sorted, 0.5)), slowest: Math.round(sorted.at(-1)!) };
};

const stack = flags.api === undefined ? await TestStack.start() : undefined;
const browser = await launchChromium();
try {
  for (const page of PAGES) {
    const opened: Awaited<ReturnType<typeof openOnce>>[] = [];
    for (let at = 0; at < Number(flags.opens); at++)
      opened.push(await openOnce(browser, `${flags.api ?? stack!.api}/ui${page}`));
    const first_paint_ms = summaryOf(opened.map(({ paintMs }) => paintMs));
    const heading_ms = summaryOf(opened.map(({ headingMs }) => headingMs));
    process.stdout.write(`${JSON.stringify({ page, opens: opened.length, first_paint_ms, heading_ms })}\n`);
  }
} finally {
  await browser.close();
  await stack?.stop();
}
