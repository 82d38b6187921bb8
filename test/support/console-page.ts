import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page, Response } from 'playwright-core';
import { findChromium, NO_CHROMIUM } from '../../infra/local/chromium.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Rollouts that are about to begin; the console asks for them until they are there. */
const OPTIONAL = /\/deployments\/dep-[^/]+(\/evidence)?(\?|$)/;

/** Whether this machine has a browser to test with; says so aloud where it has not. */
export function hasChromium(): boolean {
  const isThere = findChromium() !== undefined;
  if (!isThere) process.stderr.write(`SKIPPED tests of the console: ${NO_CHROMIUM}.\n`);
  return isThere;
}

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** A tab with the console that keeps what it complains about. */
export class ConsolePage {
  readonly complaints: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly api: string,
  ) {
    page.on('pageerror', (error) => this.complaints.push(`error: ${error.message}`));
    page.on('console', (message) => {
      // A violation of the policy is an error on the console; answers that say no are looked at below.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.complaints.push(`console: ${message.text()}`);
    });
    page.on('response', (response) => {
      const path = response.url().replace(api, '');
      const isExpected = response.status() === 404 && OPTIONAL.test(path);
      if (response.status() === 429) void this.#lookAtRefusal(response, path);
      else if (response.status() >= 400 && !isExpected) this.answers.push(`${response.status()} ${path}`);
    });
  }

  /** A machine that is starved of its processors sheds load, and the console asks again; it must never be a caller that asks too often. */
  async #lookAtRefusal(response: Response, path: string): Promise<void> {
    const { type } = (await response.json().catch(() => ({}))) as { type?: string };
    if (type !== 'urn:problem:overloaded') this.answers.push(`429 ${path} ${type}`);
  }

  /** Answers that said no. */
  readonly answers: string[] = [];

  static async open(browser: Browser, api: string, options: BrowserContextOptions = {}): Promise<ConsolePage> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      ...options,
    });
    return new ConsolePage(await context.newPage(), api);
  }

  /** @returns when the page has its heading and nothing is being read any more */
  async go(path: string): Promise<void> {
    await this.page.goto(`${this.api}/ui${path}`);
    await this.settle();
  }

  async settle(): Promise<void> {
    await this.page.locator('h1').waitFor();
    await this.page.locator('[role=status]:not(.recharts-default-tooltip)').first().waitFor({ state: 'detached' });
  }

  button(name: string) {
    return this.page.getByRole('button', { name, exact: true });
  }

  link(name: string) {
    return this.page.getByRole('main').getByRole('link', { name, exact: true });
  }

  /** Presses the button and, in the dialog that it opens, the one that goes on. */
  async confirm(name: string): Promise<void> {
    await this.button(name).first().click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('button', { name, exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
  }

  /** What axe-core finds, as texts. */
  async findBarriers(): Promise<string[]> {
    const run = `(() => { const module = undefined, define = undefined; ${AXE}; return axe.run(document, { resultTypes: ['violations'] }); })()`;
    const { violations } = (await this.page.evaluate(run)) as AxeResult;
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html }) => `${this.page.url()}: ${id}: ${html.slice(0, 200)}`),
    );
  }

  /** Whether the page is wider than the window. */
  isTooWide(): Promise<boolean> {
    return this.page.evaluate('document.documentElement.scrollWidth > window.innerWidth');
  }
}
