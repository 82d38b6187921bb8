// `npm run screenshots -- [address]`: pictures of the console for the documents, of a running service with its demo.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { projectRoot } from '../../services/project-root.js';
import { launchChromium } from './chromium.js';

interface Shot {
  name: string;
  path: string;
  scheme?: 'light' | 'dark';
  width?: number;
  /** Clicked before the picture is taken. */
  click?: string;
}

const DESKTOP = 1280;
const PHONE = 390;
const VERSION = '/models/user_behavior/versions/v1.0.0';
const SHOTS: readonly Shot[] = [
  { name: 'overview', path: '/' },
  { name: 'overview-dark', path: '/', scheme: 'dark' },
  { name: 'version', path: VERSION },
  { name: 'try-it', path: `${VERSION}?tab=try`, click: 'Predict' },
  { name: 'phone', path: '/models/user_behavior', width: PHONE },
];

async function take(browser: Browser, address: string, folder: string, shot: Shot): Promise<void> {
  const { name, path, scheme = 'light', width = DESKTOP, click } = shot;
  const page = await browser.newPage({ viewport: { width, height: 860 }, colorScheme: scheme });
  await page.goto(`${address}/ui${path}`, { waitUntil: 'networkidle' });
  if (click) {
    await page.getByRole('button', { name: click, exact: true }).click();
    await page.waitForLoadState('networkidle');
  }
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: width === DESKTOP });
  await page.close();
}

const address = (process.argv[2] ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
const folder = join(projectRoot(), process.argv[3] ?? 'docs/console');
mkdirSync(folder, { recursive: true });
const browser = await launchChromium();
try {
  for (const shot of SHOTS) await take(browser, address, folder, shot);
} finally {
  await browser.close();
}
console.log(`${SHOTS.length} pictures are in ${folder}.`);
