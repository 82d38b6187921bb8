// `npm run screenshots -- [address]`: pictures of the console for the documents, of a running service with its demo. A model of it is trained and
// asked about projects that drift.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { projectRoot } from '../../services/project-root.js';
import { launchChromium } from './chromium.js';
import { makeDriftedWeek } from './drifted-week.js';
import { ServiceClient } from './service-client.js';

interface Shot {
  name: string;
  path: string;
  scheme?: 'light' | 'dark';
  width?: number;
  /** Filled in by label, and what is clicked then and seen when it is done. */
  fields?: Record<string, string>;
  click?: string;
  until?: string;
  /** The heading that the picture is of, where that is not the top of the page, and which part of the window it takes. */
  at?: string;
  block?: 'start' | 'center';
  height?: number;
}

const DESKTOP = 1280;
const PHONE = 390;
const HEIGHT = 860;
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
  {
    name: 'drift',
    path: '/drift?model={drifted}&finding={finding}',
    at: 'What was found, by window',
    block: 'start',
    height: 1320,
  },
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
  const {
    name,
    path,
    scheme = 'light',
    width = DESKTOP,
    fields = {},
    click,
    until,
    at,
    block = 'center',
    height = HEIGHT,
  } = shot;
  const page = await browser.newPage({
    viewport: { width, height },
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
      .evaluate(
        (element: { scrollIntoView: (to: object) => void }, to) => element.scrollIntoView({ block: to }),
        block,
      );
  await page.waitForTimeout(SETTLE_MS);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.close();
}

/** The newest canary, dataset and training, each where there is one. */
async function findPlaces(client: ServiceClient): Promise<Record<string, string>> {
  const list = async (path: string) => (await client.get<{ items: Record<string, string>[] }>(path)).items;
  const [rollouts, datasets] = [await list('/deployments?limit=50'), await list('/data/datasets?limit=1')];
  const jobs = await list('/jobs?type=train&status=completed&limit=1');
  const shown = rollouts.find(({ strategy }) => strategy === 'canary');
  return {
    deployment: shown?.['deployment_id'] ?? '',
    dataset: datasets[0]?.['dataset_id'] ?? '',
    job: jobs[0]?.['job_id'] ?? '',
  };
}

const address = (process.argv[2] ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
const folder = resolve(projectRoot(), process.argv[3] ?? 'docs/console');
mkdirSync(folder, { recursive: true });
const browser = await launchChromium();
try {
  const client = new ServiceClient(address, undefined);
  const databaseUrl = process.env['DATABASE_URL'];
  if (!databaseUrl) throw new Error('Set DATABASE_URL to that of the service.');
  const places: Record<string, string> = {
    ...(await findPlaces(client)),
    ...(await makeDriftedWeek(client, databaseUrl)),
  };
  for (const shot of SHOTS) {
    const missing = /\{(\w+)\}/.exec(shot.path)?.[1];
    if (missing === undefined || places[missing]) await take(browser, address, folder, shot, places);
    else
      console.log(`${shot.name} is left out: there is no ${missing} to show (\`npm run demo:drift\` makes a canary).`);
  }
} finally {
  await browser.close();
}
console.log(`The pictures are in ${folder}.`);
