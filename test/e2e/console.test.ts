import { readdirSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../infra/local/chromium.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { compiledScript, projectRoot } from '../../services/project-root.js';
import { eventually } from '../integration/api/support/service.js';
import { ConsolePage, hasChromium } from '../support/console-page.js';

const MOST_BYTES = 500_000;
const ROWS = 600;
const LISTS = 'rollouts experiments runs sweeps schedules features alerts repairs audit settings'.split(' ');
const CONFIG = `churn:
  kind: classification
  description: Will this customer leave?
  source: customers
  entity: customer_id
  target: left
  algorithm: random_forest
  hyperparameters: { n_estimators: 20 }
`;

/** Customers who leave when they pay much and came lately, and some by chance. */
function customers(): string {
  const lines = ['customer_id,months,monthly_fee,plan,left'];
  for (let row = 0; row < ROWS; row += 1) {
    const months = (row * 37) % 60;
    const fee = 20 + ((row * 53) % 80);
    const isLikely = months < 20 && fee > 55;
    const left = row % 11 === 0 ? !isLikely : isLikely;
    lines.push(`c${row},${months},${fee},${['basic', 'plus', 'pro'][row % 3]},${left ? 'yes' : 'no'}`);
  }
  return `${lines.join('\n')}\n`;
}

describe('the files of the console', () => {
  const assets = compiledScript('console/assets');

  it('take less than 500 kB of a browser, all together', () => {
    const { newest } = newestAssets(assets);
    const bytes = newest.reduce((sum, name) => sum + statSync(join(assets, `${name}.br`)).size, 0);
    expect(newest.length).toBeGreaterThan(10);
    expect(bytes).toBeLessThan(MOST_BYTES);
  });
});

/** Files of the newest build that are sent packed; those of earlier ones may still lie beside them. */
function newestAssets(folder: string): { newest: string[] } {
  const written = JSON.parse(readFileSync(compiledScript('console/assets.json'), 'utf8')) as string[];
  const there = new Set(readdirSync(folder));
  return { newest: written.map((path) => path.replace('assets/', '')).filter((name) => there.has(`${name}.br`)) };
}

describe.skipIf(!hasChromium())('the console in a browser', () => {
  let stack: TestStack;
  let browser: Browser;
  let tab: ConsolePage;
  const file = join(projectRoot(), 'dist', 'test-console', 'customers.csv');

  beforeAll(async () => {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, customers());
    const config = join(file, '..', 'config.yaml');
    writeFileSync(config, CONFIG);
    [stack, browser] = await Promise.all([TestStack.start({ MODELS_CONFIG: config }), launchChromium()]);
    tab = await ConsolePage.open(browser, stack.api);
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  const served = async () =>
    ((await (await fetch(`${stack.api}/models/churn`)).json()) as { serving: { version: string } }).serving.version;
  /** On the page of a job: waits for its good end. */
  const jobEnds = async () => {
    await tab.page.waitForURL(/\/ui\/jobs\//);
    await tab.page.getByText('completed', { exact: true }).waitFor({ timeout: 90_000 });
  };
  const rolloutEnds = async () => {
    await tab.page.waitForURL(/\/ui\/rollouts\//);
    await tab.page.getByText('promoted', { exact: true }).waitFor({ timeout: 60_000 });
  };

  it('is one page under a strict policy, and files that stay in the cache', async () => {
    const page = await fetch(`${stack.api}/ui/models/churn`);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(page.status).toBe(200);
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[\w+/=]{24}'/);
    expect(policy).not.toContain('unsafe');
    expect(page.headers.get('cache-control')).toBe('no-store');
    const html = await page.text();
    expect(html).toContain(`nonce="${/nonce-([^']+)/.exec(policy)![1]}"`);
    expect(html).toContain('/namespaces/default/workflows/');
    const script = /src="(\/ui\/assets\/[^"]+)"/.exec(html)![1]!;
    const asset = await fetch(stack.api + script, { headers: { 'accept-encoding': 'br' } });
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect(asset.headers.get('content-encoding')).toBe('br');
    const absent = await fetch(`${stack.api}/ui/assets/gone.js`);
    expect(absent.status).toBe(404);
    expect(await absent.json()).toMatchObject({ type: 'urn:problem:resource_not_found' });
    expect((await fetch(`${stack.api}/ui`, { method: 'POST' })).status).toBe(405);
  });

  it('leads by clicks from a file to a version that answers', async () => {
    const { page } = tab;
    await tab.go('/');
    await page.getByText('has no version yet').waitFor();
    await page.getByRole('link', { name: 'Datasets', exact: true }).click();
    await tab.button('Ingest data').click();
    await page.locator('input[type=file]').setInputFiles(file);
    await page.getByLabel('Data type').last().fill('customers');
    await tab.button('Start ingestion').click();
    await jobEnds();

    await page.getByRole('link', { name: 'Models', exact: true }).first().click();
    await tab.link('churn').click();
    await tab.button('Train').click();
    await tab.button('Start training').click();
    await jobEnds();
    const log = page.getByRole('log', { name: 'Log of the job' });
    await log.getByText('stage fit', { exact: true }).waitFor();
    expect(await tab.findBarriers()).toEqual([]);
    await log.getByText('registerVersion done', { exact: true }).waitFor();
    await page.getByText('errors', { exact: true }).click();
    await page.getByText('No such line').waitFor();
    expect(page.url()).toContain('log=errors');
    expect(await tab.findBarriers()).toEqual([]);
    await tab.link('churn v1.0.0').click();
    await tab.button('Deploy').click();
    await tab.button('Deploy v1.0.0').click();
    await rolloutEnds();
    expect(await served()).toBe('v1.0.0');
  });

  it('corrects a row in quarantine by hand, and checks it again', async () => {
    const { page } = tab;
    const csv = [
      'item,price',
      ...Array.from({ length: 60 }, (_, row) => `i${row},${row === 7 ? 'cheap' : row + 0.25}`),
    ];
    const sent = await fetch(`${stack.api}/data/uploads?format=csv`, { method: 'POST', body: `${csv.join('\n')}\n` });
    const { source } = (await sent.json()) as { source: string };
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ source, data_type: 'prices' });
    const begun = await fetch(`${stack.api}/data/ingest`, { method: 'POST', headers, body });
    const { job_id: job } = (await begun.json()) as { job_id: string };
    await (await fetch(`${stack.api}/jobs/${job}/events`)).text();
    const ended = (await (await fetch(`${stack.api}/jobs/${job}`)).json()) as { result: { dataset_id: string } };
    await tab.go(`/datasets/${ended.result.dataset_id}?tab=quarantine`);
    await tab.button('Correct row 8').click();
    expect(await tab.findBarriers()).toEqual([]);
    await page.getByLabel('price').fill('7.5');
    await tab.button('Keep for the replay').click();
    await tab.button('Correct and replay (1 by hand)').click();
    await tab.button('Replay').click();
    await jobEnds();
    const replayed = (await (await fetch(`${stack.api}/jobs/${page.url().split('/').at(-1)}`)).json()) as object;
    expect(replayed).toMatchObject({ result: { rows: 60, quarantined_rows: 0 } });
  });

  it('answers from a form made of the signature, with what each feature did', async () => {
    const { page } = tab;
    await tab.go('/models/churn/versions/v1.0.0?tab=try');
    await page.getByLabel('months').fill('3');
    await page.getByLabel('monthly_fee').fill('90');
    await page.getByLabel('plan').fill('plus');
    await tab.button('Predict').click();
    await page.getByRole('heading', { name: 'Why label' }).waitFor();
    expect(await page.getByRole('img', { name: /^Contributions to label/ }).getAttribute('aria-label')).toContain(
      'monthly_fee',
    );
    expect(await tab.findBarriers()).toEqual([]);
    const download = page.waitForEvent('download');
    await tab.button('CSV').first().click();
    expect(readFileSync(await (await download).path(), 'utf8')).toMatch(/^feature,value,contribution\r\n/);
  });

  it('takes a second version through a canary that a person promotes, and back again', async () => {
    const { page } = tab;
    await tab.go('/models/churn');
    await tab.button('Train').click();
    await page.getByLabel('Hyperparameters').fill('{"n_estimators": 30}');
    await tab.button('Start training').click();
    await jobEnds();
    await tab.link('churn v1.1.0').click();
    await tab.button('Deploy').click();
    await page.getByLabel('Canary').check();
    await page.getByLabel('Steps').fill('10, 50, 100');
    await tab.button('Deploy v1.1.0').click();
    await page.getByRole('list', { name: 'Steps of the traffic' }).waitFor();
    expect(await tab.findBarriers()).toEqual([]);
    await tab.confirm('Pause');
    await page.getByText('paused', { exact: true }).waitFor();
    await tab.confirm('Resume');
    await tab.button('Pause').waitFor();
    await tab.confirm('Promote');
    await rolloutEnds();
    expect(await served()).toBe('v1.1.0');

    await tab.go('/models/churn');
    await tab.confirm('Roll back');
    await page.waitForURL(/\/ui\/rollouts\//);
    expect(await served()).toBe('v1.0.0');
  });

  it('cancels a job and starts it again, and says in the form what the service refuses', async () => {
    const { page } = tab;
    await tab.go('/models/churn');
    await tab.button('Train').click();
    await tab.button('Start training').click();
    await page.waitForURL(/\/ui\/jobs\//);
    const first = page.url();
    await tab.confirm('Cancel job');
    await page.getByText('cancelled', { exact: true }).waitFor();
    await tab.confirm('Start again');
    await page.waitForURL((url) => url.href !== first);
    await tab.confirm('Cancel job');
    await page.getByText('cancelled', { exact: true }).waitFor();

    await tab.go('/datasets');
    await tab.button('Ingest data').click();
    await page.getByLabel('A place that the service can read').check();
    await page.getByLabel('Source').fill('no-such-file.csv');
    await page.getByLabel('Data type').last().fill('customers');
    await tab.button('Start ingestion').click();
    await page.getByRole('alert').waitFor();
    expect(tab.answers.splice(0)).toEqual([expect.stringMatching(/^422 \/data\/ingest$/)]);
    expect(await tab.findBarriers()).toEqual([]);
  });

  it('shows what drifted then and now, and tells the story of a repair', async () => {
    const { page } = tab;
    const send = (method: string, path: string, body: unknown) =>
      fetch(stack.api + path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    await send('PUT', '/monitors/churn', { every_hours: 1, drift: { window_hours: 1, least_rows: 50 } });
    // Fees in cents.
    const instances = Array.from({ length: 200 }, (_, row) => ({
      entity_id: `d${row}`,
      features: { months: (row * 37) % 60, monthly_fee: 100 * (20 + ((row * 53) % 80)), plan: 'plus' },
    }));
    const answered = await send('POST', '/predict/churn/batch', { instances });
    const { results } = (await answered.json()) as { results: { prediction_id: string }[] };
    const last = `${stack.api}/lineage/predictions/${results.at(-1)!.prediction_id}`;
    await eventually('the log of predictions', async () => ((await fetch(last)).ok ? true : undefined));
    const run = await send('POST', '/monitors/churn/run', { window_end: new Date().toISOString() });
    const { job_id: job } = (await run.json()) as { job_id: string };
    await (await fetch(`${stack.api}/jobs/${job}/events`)).text();
    await tab.go('/drift?model=churn');
    await page
      .getByRole('button', { name: /^input:monthly_fee/ })
      .last()
      .click();
    await page.getByRole('group', { name: 'Then and now: input:monthly_fee' }).first().waitFor();
    await page.getByText('unit change').waitFor();
    expect(await tab.findBarriers()).toEqual([]);

    await tab.go('/repairs?model=churn');
    await tab.confirm('Repair');
    await page.waitForURL(/\/ui\/jobs\//);
    await page.getByText('failed', { exact: true }).first().waitFor({ timeout: 60_000 });
    await tab.go('/repairs');
    await tab.link('churn').click();
    await page.getByText('There is too little that the model could learn').first().waitFor();
    expect(await tab.findBarriers()).toEqual([]);
  });

  it('has no barrier on any page, in light and dark, and fits a phone', async () => {
    const dataset = ((await (await fetch(`${stack.api}/data/datasets`)).json()) as { items: { dataset_id: string }[] })
      .items[0]!.dataset_id;
    const barriers: string[] = [];
    const looked = [
      '/',
      '/models/churn',
      '/models/churn/versions/v1.1.0',
      '/models/churn/versions/v1.1.0?tab=card',
      '/models/churn/compare/v1.0.0/v1.1.0',
      '/jobs?type=train',
      `/datasets/${dataset}?tab=quality`,
      '/quality?model=churn',
      '/performance?model=churn',
      ...['lineage', 'report'].map((name) => `/models/churn/versions/v1.1.0?tab=${name}`),
      ...LISTS.map((name) => `/${name}`),
      '/nothing-here',
    ];
    for (const [index, path] of looked.entries()) {
      await tab.page.emulateMedia({ colorScheme: index % 2 === 0 ? 'dark' : 'light' });
      await tab.go(path);
      barriers.push(...(await tab.findBarriers()));
    }
    for (const path of ['/models/nothing', '/datasets/nothing', '/sweeps/nothing']) {
      await tab.go(path);
      barriers.push(...(await tab.findBarriers()));
    }
    // Pages ask again and again, so this one is left before its answers are counted.
    await tab.go('/');
    expect(barriers).toEqual([]);
    expect(tab.answers.splice(0).every((one) => one.startsWith('404 '))).toBe(true);
    const phone = await ConsolePage.open(browser, stack.api, { viewport: { width: 360, height: 740 }, hasTouch: true });
    for (const path of ['/', '/models/churn', '/models/churn/versions/v1.1.0', `/datasets/${dataset}`]) {
      await phone.go(path);
      expect(await phone.isTooWide(), path).toBe(false);
    }
    await phone.button('Menu').click();
    await phone.page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await phone.page.waitForURL(/\/ui\/jobs$/);
    expect(phone.complaints).toEqual([]);
  });

  it('waits and asks again when the service has too much to do', async () => {
    const { page } = tab;
    let refused = 0;
    await page.route(/:\d+\/jobs\?/, (route) => {
      if (refused++ > 0) return route.continue();
      const body = JSON.stringify({
        type: 'urn:problem:overloaded',
        title: 'Overloaded',
        status: 429,
        detail: 'Try again shortly.',
      });
      return route.fulfill({
        status: 429,
        headers: { 'retry-after': '1' },
        contentType: 'application/problem+json',
        body,
      });
    });
    await tab.go('/jobs?type=deploy');
    await tab.link('deploy churn').first().waitFor();
    expect(refused).toBeGreaterThan(1);
    await page.unroute(/:\d+\/jobs\?/);
  });

  it('goes on at the same place after a reload, and by the keyboard alone', async () => {
    const { page } = tab;
    await tab.go('/models/churn/versions/v1.1.0?tab=card');
    await page.reload();
    await page.getByRole('heading', { name: 'What it is for' }).waitFor();
    expect(await page.title()).toBe('churn v1.1.0 · ML Pipeline Service');
    await tab.go('/');
    await page.locator('h1').evaluate('(heading) => heading.ownerDocument.querySelector(".skip").focus()');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.closest("main") !== null')).toBe(true);
  });

  it('has a page of the API beside it that shows each call in three languages, under a policy as strict', async () => {
    const docs = await ConsolePage.open(browser, stack.api);
    await docs.page.goto(`${stack.api}/docs#/Access/get_whoami`);
    await docs.page.getByText('Python', { exact: true }).click();
    await docs.page.getByText('urllib.request.Request(').waitFor();
    // It is about how Swagger UI reads the addresses of former releases.
    expect(docs.complaints.filter((one) => !one.includes('Deprecated: escaping deep link'))).toEqual([]);
  });

  it('was never refused a style or a script, met no error, and asked for nothing that is not there', () => {
    expect(tab.complaints).toEqual([]);
    expect(tab.answers).toEqual([]);
  });
});
