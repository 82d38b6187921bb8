import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readReport } from '../../../services/reports/read-report.js';
import type { ReportDocument } from '../../../services/reports/report-document.js';
import { createReportPages } from '../../../services/reports/report-pages.js';

const document: ReportDocument = {
  format_version: 1,
  title: 'Title',
  model: 'churn',
  summary: [],
  facts: [],
  warnings: [],
  sections: [],
};

describe('a stored report', () => {
  let folder = '';
  const row = (digest: string) => ({ model: 'churn', version: 'v1.2.0', digest });
  const store = (digest: string, text: string): void => {
    mkdirSync(join(folder, 'churn', digest), { recursive: true });
    writeFileSync(join(folder, 'churn', digest, 'report.json'), text);
  };
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'reports-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is given out with the number that its version was given', async () => {
    store('aa', JSON.stringify(document));
    expect(await readReport(row('aa'), folder)).toEqual({ ...document, version: 'v1.2.0' });
  });

  it.each([
    ['of a kind that writes none', 'null', 'report_not_found', 'churn v1.2.0 has no report'],
    ['of a later release', '{"format_version": 2}', 'report_not_found', 'has the format 2; this release reads 1'],
    ['that was cut off', '{"format_version": 1, "tit', 'artifact_corrupt', 'report.json is no JSON'],
  ])('%s is an error that says so', async (_, text, code, message) => {
    store('bb', text);
    await expect(readReport(row('bb'), folder)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('is not found where the version was made before there were reports', async () => {
    await expect(readReport(row('cc'), folder)).rejects.toMatchObject({ code: 'report_not_found' });
  });
});

describe('pages', () => {
  const counted = () => {
    const drawn: string[] = [];
    let running = 0;
    let most = 0;
    const pages = createReportPages(async ({ title }) => {
      drawn.push(title);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if (title === 'broken') throw new Error('no page');
      return `<${title}>`;
    });
    return { pages, drawn, most: () => most };
  };
  const of = (title: string): ReportDocument => ({ ...document, title });

  it('of one key are drawn once, even for readers at the same time', async () => {
    const { pages, drawn } = counted();
    expect(await Promise.all([pages.page('a', of('a')), pages.page('a', of('a'))])).toEqual(['<a>', '<a>']);
    await pages.page('a', of('a'));
    expect(drawn).toEqual(['a']);
  });

  it('are drawn one at a time', async () => {
    const { pages, most } = counted();
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => pages.page(key, of(key))));
    expect(most()).toBe(1);
  });

  it('are forgotten when they were not asked for longest', async () => {
    const { pages, drawn } = counted();
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await pages.page(key, of(key));
    await pages.page('a', of('a'));
    await pages.page('i', of('i'));
    await pages.page('a', of('a'));
    expect(drawn.filter((key) => key === 'a')).toHaveLength(1);
    await pages.page('b', of('b'));
    expect(drawn.filter((key) => key === 'b')).toHaveLength(2);
  });

  it('that failed are tried again, and hold nobody else up', async () => {
    const { pages, drawn } = counted();
    const failed = pages.page('x', of('broken'));
    const next = pages.page('y', of('y'));
    await expect(failed).rejects.toThrow('no page');
    expect(await next).toBe('<y>');
    await expect(pages.page('x', of('broken'))).rejects.toThrow('no page');
    expect(drawn).toEqual(['broken', 'y', 'broken']);
  });
});
