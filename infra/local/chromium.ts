import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
/** What to do where there is none. */
export const NO_CHROMIUM =
  'there is no Chromium on this machine: install it (Debian: apt-get install chromium), or set CHROMIUM to its path';

/** The browser of this machine; nothing is downloaded. */
export const findChromium = (): string | undefined =>
  [process.env['CHROMIUM'], ...PATHS].find((path) => path && existsSync(path));

/** @throws Error that says how to get a Chromium, where there is none */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(`The console cannot be shown: ${NO_CHROMIUM}.`);
  // Containers and root have no sandbox; the pages are our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}
