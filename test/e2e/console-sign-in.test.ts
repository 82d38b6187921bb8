import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../infra/local/chromium.js';
import { TestStack } from '../../infra/local/test-stack.js';
import type { Role } from '../../core/roles.js';
import { ConsolePage, hasChromium } from '../support/console-page.js';
import { AUDIENCE, ISSUER, Issuer } from '../support/issuer.js';

const CONFIG = 'churn: { kind: classification, source: customers, entity: customer_id, target: left }\n';

describe.skipIf(!hasChromium())('the console of a service that asks who calls', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-sign-in-'));
  let issuer: Issuer;
  let stack: TestStack;
  let browser: Browser;

  beforeAll(async () => {
    const config = join(folder, 'config.yaml');
    writeFileSync(config, CONFIG);
    issuer = await Issuer.start('ES256');
    const sign = { AUTH_JWKS_URL: issuer.url, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE };
    [stack, browser] = await Promise.all([TestStack.start({ MODELS_CONFIG: config, ...sign }), launchChromium()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    await issuer?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A tab in which the token was given as a person gives it. */
  async function signIn(role: Role): Promise<ConsolePage> {
    const tab = await ConsolePage.open(browser, stack.api);
    await tab.go('/models');
    await tab.link('Sign in').first().click();
    await tab.page.getByLabel('Token', { exact: true }).fill(await issuer.sign({ sub: `the ${role}`, role }));
    await tab.button('Use it').click();
    await tab.page.getByText(`the ${role} (${role})`, { exact: true }).waitFor();
    return tab;
  }

  it('leads to where to sign in, tells of nothing before, and forgets the token', async () => {
    const tab = await signIn('viewer');
    expect(tab.answers.length).toBeGreaterThan(0);
    expect(tab.answers.every((answer) => answer.startsWith('401 '))).toBe(true);
    await tab.go('/models');
    await tab.link('churn').waitFor();
    await tab.go('/settings');
    await tab.button('Forget it').click();
    await tab.page.getByText('The service does not know you yet', { exact: false }).waitFor();
    expect(tab.complaints).toEqual([]);
  });

  it.each<[Role, readonly string[], readonly string[]]>([
    ['viewer', [], ['Train', 'Ingest data', 'Set a schedule', 'Audit']],
    ['engineer', ['Train', 'Ingest data'], ['Set a schedule', 'Audit']],
    ['admin', ['Train', 'Ingest data', 'Set a schedule', 'Audit'], []],
  ])('shows to a %s what the role may do, and nothing else', async (role, there, hidden) => {
    const tab = await signIn(role);
    const refused = tab.answers.length;
    const seen = new Set<string>();
    for (const path of ['/models/churn', '/datasets', '/schedules']) {
      await tab.go(path);
      for (const name of [...there, ...hidden])
        if ((await tab.page.getByText(name, { exact: true }).filter({ visible: true }).count()) > 0) seen.add(name);
    }
    expect([...seen].sort()).toEqual([...there].sort());
    expect(tab.answers.slice(refused)).toEqual([]);
    expect(await tab.findBarriers()).toEqual([]);
    expect(tab.complaints).toEqual([]);
  });
});
