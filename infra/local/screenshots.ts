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
  /** Filled in by label, and what is clicked then and seen when it is done. */
  fields?: Record<string, string>;
  click?: string;
  until?: string;
  /** The heading that the picture is of, where that is not the top of the page. */
  at?: string;
}

const DESKTOP = 1280;
const PHONE = 390;
/** Charts are drawn after what they show has come. */
const SETTLE_MS = 600;
const VERSION = '/models/user_behavior/versions/v1.0.0';
const SHOTS: readonly Shot[] = [
  { name: 'overview', path: '/' },
  { name: 'overview-dark', path: '/', scheme: 'dark' },
  { name: 'version', path: VERSION },
  {
    name: 'try-it',
    path: `${VERSION}?tab=try`,
    fields: { User: 'user_123', activity_score: '0.8', project_count: '5', last_activity: 'code_review' },
    click: 'Predict',
    until: 'Why churn probability',
    at: 'Answer',
  },
  { name: 'rollout', path: '/rollouts/{deployment}' },
  { name: 'drift', path: '/drift?model={drifted}', at: 'Then and now' },
  { name: 'dataset', path: '/datasets/{dataset}' },
  { name: 'job', path: '/jobs/{job}', at: 'Log' },
  { name: 'phone', path: '/models/user_behavior', width: PHONE },
];

async function take(
  browser: Browser,
  address: string,
  folder: string,
  shot: Shot,
  places: Record<string, string>,
): Promise<void> {
  const { name, path, scheme = 'light', width = DESKTOP, fields = {}, click, until, at } = shot;
  const page = await browser.newPage({
    viewport: { width, height: 860 },
    colorScheme: scheme,
    reducedMotion: 'reduce',
  });
  const place = path.replaceAll(/\{(\w+)\}/g, (_, key: string) => places[key] ?? '');
  await page.goto(`${address}/ui${place}`, { waitUntil: 'networkidle' });
  await page.locator('h1').waitFor();
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  if (click) await page.getByRole('button', { name: click, exact: true }).click();
  if (until) await page.getByRole('heading', { name: until }).waitFor();
  if (at)
    await page
      .getByRole('heading', { name: at })
      .evaluate((element: { scrollIntoView: (to: object) => void }) => element.scrollIntoView({ block: 'center' }));
  await page.waitForTimeout(SETTLE_MS);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.close();
}

/** The newest canary, dataset and training, and a model with an alert; each where there is one. */
async function findPlaces(address: string): Promise<Record<string, string>> {
  const list = async (path: string) => {
    const response = await fetch(address + path);
    if (!response.ok)
      throw new Error(`${address}${path} answered ${response.status}; is this the address of the service?`);
    return ((await response.json()) as { items: Record<string, string>[] }).items;
  };
  const [rollouts, datasets] = [await list('/deployments?limit=50'), await list('/data/datasets?limit=1')];
  const alerts = await list('/alerts?limit=50');
  const jobs = await list('/jobs?type=train&status=completed&limit=1');
  const shown = rollouts.find(({ strategy }) => strategy === 'canary');
  return {
    deployment: shown?.['deployment_id'] ?? '',
    dataset: datasets[0]?.['dataset_id'] ?? '',
    job: jobs[0]?.['job_id'] ?? '',
    drifted: alerts.find(({ monitor }) => monitor === 'drift')?.['model'] ?? '',
  };
}

const address = (process.argv[2] ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
const folder = join(projectRoot(), process.argv[3] ?? 'docs/console');
mkdirSync(folder, { recursive: true });
const browser = await launchChromium();
try {
  const places = await findPlaces(address);
  for (const shot of SHOTS) {
    const missing = /\{(\w+)\}/.exec(shot.path)?.[1];
    if (missing === undefined || places[missing]) await take(browser, address, folder, shot, places);
    else
      console.log(
        `${shot.name} is left out: there is no ${missing} to show (\`npm run demo:drift\` makes drift and a canary).`,
      );
  }
} finally {
  await browser.close();
}
console.log(`The pictures are in ${folder}.`);
