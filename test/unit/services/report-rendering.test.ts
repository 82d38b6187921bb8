import { beforeAll, describe, expect, it } from 'vitest';
import { renderReport, REPORT_CSP } from '../../../services/reports/render-report.js';
import { REPORT_PLOTS, type ReportDocument, type ReportPlot } from '../../../services/reports/report-document.js';
import { sampleReport } from '../../support/report-sample.js';

const KINDS = REPORT_PLOTS;

const blank: ReportDocument = {
  format_version: 1,
  title: 'Report',
  model: 'm',
  summary: [],
  facts: [],
  warnings: [],
  sections: [],
};
const withPlots = (...plots: ReportPlot[]): ReportDocument => ({
  ...blank,
  sections: [{ title: 'Section', text: '', plots, tables: [] }],
});
/** The first place of a pattern with what stands around it: a page of 300 kB in a message helps nobody. */
function found(html: string, pattern: RegExp): string | null {
  const at = html.search(pattern);
  return at < 0 ? null : html.slice(Math.max(0, at - 60), at + 60);
}
const figuresOf = (html: string): string[] => html.match(/<figure[\s\S]*?<\/figure>/g) ?? [];

/** Every tag that is opened is closed in its turn; void elements aside. Quotes around attributes may hold `>` only as an entity. */
function unbalancedTag(html: string): string | undefined {
  const open: string[] = [];
  for (const [, slash, name, rest] of html.matchAll(/<(\/?)([a-zA-Z][\w-]*)((?:"[^"]*"|[^">])*)>/g)) {
    if (['meta', 'br', '!doctype'].includes(name!.toLowerCase()) || rest!.endsWith('/')) continue;
    if (!slash) open.push(name!);
    else if (open.pop() !== name) return `</${name}>`;
  }
  return open.at(-1);
}

/** Empty, of the kind, for each kind. */
const EMPTY: Record<ReportPlot['kind'], ReportPlot> = {
  roc: {
    kind: 'roc',
    title: 't',
    curves: [{ name: 'yes', area: { value: null, lower: null, upper: null }, points: [] }],
  },
  precision_recall: { kind: 'precision_recall', title: 't', curves: [] },
  reliability: { kind: 'reliability', title: 't', event: 'e', bins: [] },
  residuals: { kind: 'residuals', title: 't', points: [], trend: [], histogram: [] },
  forecast_fan: { kind: 'forecast_fan', title: 't', history: [], forecast: [], bands: [] },
  importance: { kind: 'importance', title: 't', measure: 'm', bars: [] },
  learning_curve: { kind: 'learning_curve', title: 't', by: 'rows', measure: 'm', curves: [] },
  slices: { kind: 'slices', title: 't', measure: 'm', worse: 'higher', overall: 1, slices: [] },
  confusion: { kind: 'confusion', title: 't', classes: ['a', 'b'], counts: [[0, 0], [0, 0]] }, // prettier-ignore
  histogram: { kind: 'histogram', title: 't', measure: 'm', edges: [0, 1], groups: [] },
  series_anomalies: { kind: 'series_anomalies', title: 't', values: [], expected: [], anomalies: [], incidents: [] },
  comparison: { kind: 'comparison', title: 't', measure: 'm', better: 'lower', bars: [] },
  optimisation_history: { kind: 'optimisation_history', title: 't', measure: 'm', better: 'lower', points: [] },
  parallel_coordinates: { kind: 'parallel_coordinates', title: 't', better: 'lower', axes: [], lines: [] },
};

const at = '2026-05-01T00:00:00.000Z';
/** As little as can be drawn, with the value given. */
const single = (value: number): ReportPlot[] => [
  {
    kind: 'roc',
    title: 't',
    curves: [
      {
        name: 'yes',
        area: { value, lower: null, upper: null },
        points: [
          { threshold: null, false_positive_rate: 0, true_positive_rate: 0 },
          { threshold: value, false_positive_rate: 1, true_positive_rate: 1 },
        ],
      },
    ],
  },
  {
    kind: 'precision_recall',
    title: 't',
    curves: [
      {
        name: 'yes',
        average_precision: value,
        base_rate: value,
        points: [{ threshold: value, precision: value, recall: 1 }],
      },
    ],
  },
  {
    kind: 'reliability',
    title: 't',
    event: 'e',
    bins: [{ lower: 0, upper: 1, rows: 1, stated: 0.5, observed: { value, lower: value, upper: value } }],
  },
  {
    kind: 'residuals',
    title: 't',
    points: [{ prediction: value, residual: value }],
    trend: [{ prediction: value, residual: value }],
    histogram: [{ lower: value, upper: value, rows: 1 }],
  },
  {
    kind: 'forecast_fan',
    title: 't',
    history: [{ at, value }],
    forecast: [{ at: '2026-05-02', value }],
    bands: [{ level: 0.8, points: [{ at: '2026-05-02', lower: value, upper: value }] }],
  },
  { kind: 'importance', title: 't', measure: 'm', bars: [{ name: 'a', value, lower: null, upper: null }] },
  {
    kind: 'learning_curve',
    title: 't',
    by: 'rounds',
    measure: 'm',
    chosen: value,
    curves: [{ name: 'c', is_validation: true, points: [{ at: 1, value }] }],
  },
  {
    kind: 'slices',
    title: 't',
    measure: 'm',
    worse: 'higher',
    overall: value,
    slices: [{ name: 'a: b', value, lower: value, upper: value, rows: 1, verdict: 'worse' }],
  },
  { kind: 'confusion', title: 't', classes: ['only'], counts: [[1]] },
  { kind: 'histogram', title: 't', measure: 'm', edges: [value, value + 1], groups: [{ name: 'g', counts: [1] }] },
  {
    kind: 'series_anomalies',
    title: 't',
    values: [{ at, value }],
    expected: [{ at, lower: value, upper: value }],
    anomalies: [{ at, value, score: value }],
    incidents: [{ from: at, to: at, name: 'i' }],
  },
  {
    kind: 'comparison',
    title: 't',
    measure: 'm',
    better: 'lower',
    bars: [{ name: 'a', value, lower: null, upper: null }],
  },
  { kind: 'optimisation_history', title: 't', measure: 'm', better: 'higher', points: [{ name: 'a', value }] },
  {
    kind: 'parallel_coordinates',
    title: 't',
    better: 'higher',
    axes: [
      { name: 'x', lowest: 0, highest: 1, names: ['p', 'q'] },
      { name: 'm', lowest: value, highest: value },
    ],
    lines: [{ name: 'a', values: [0, value] }],
  },
];

describe('a rendered report', () => {
  let html = '';
  beforeAll(() => {
    html = renderReport(sampleReport({ rows: 600, features: 30 }));
  });

  it('draws every kind of plot with a title, how to read it, a label in words, and its figures', () => {
    const figures = figuresOf(html);
    for (const kind of KINDS) {
      const figure = figures.find((one) => one.includes(`data-plot="${kind}"`));
      expect(figure, kind).toBeDefined();
      expect(figure, kind).toMatch(/<svg viewBox="0 0 400 \d+" role="img" aria-label="[^"]{20,}">/);
      expect(figure, kind).toMatch(/<figcaption><h3>[^<]+<\/h3><p>[^<]{60,}<\/p>/);
      expect(figure, kind).toMatch(/<details><summary>The figures<\/summary>[\s\S]*<td/);
    }
  });

  it('is well-formed, and holds no number that is none', () => {
    expect(unbalancedTag(html)).toBeUndefined();
    expect(found(html, /NaN|Infinity|undefined|\[object/)).toBeNull();
  });

  it('needs nothing outside itself: no script, no style class of the renderer, no address', () => {
    expect(html.includes(`content="default-src &#39;none&#39;`)).toBe(true);
    expect(REPORT_CSP).toBe("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    expect(found(html, /<script|<link|<iframe|<img|<foreignObject|\son[a-z]+=|@import|javascript:/i)).toBeNull();
    expect(html.match(/(?:https?:)?\/\/[a-z]/gi)).toBeNull();
    expect(html.match(/(?:href|src)="(?!#section-)[^"]*"/g)).toBeNull();
  });

  it('takes each colour of a plot from the style sheet, so that dark and paper have their own', () => {
    const drawn = figuresOf(html).join('');
    expect(drawn.includes('stroke="var(--c1)"')).toBe(true);
    // Clip paths have a fill that nobody sees.
    const seen = drawn.replace(/<clipPath[\s\S]*?<\/clipPath>/g, '');
    expect(seen.match(/(?:fill|stroke)="#[^"]*"/g)).toBeNull();
    expect(html.includes('@media (prefers-color-scheme:dark)')).toBe(true);
  });

  it('has every id once, and refers only to those', () => {
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const used = [...html.matchAll(/(?:url\(#|href="#)([^)"]+)/g)].map(([, id]) => id);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it('is the same page for the same document', () => {
    const document = withPlots(...sampleReport({ rows: 300, features: 5 }).sections[2]!.plots);
    expect(renderReport(document) === renderReport(JSON.parse(JSON.stringify(document)) as ReportDocument)).toBe(true);
  });

  it('shows the worst groups first', () => {
    const figure = figuresOf(html).find((one) => one.includes('data-plot="slices"'))!;
    const verdicts = [...figure.matchAll(/<td>(worse|same|better)<\/td>/g)].map(([, verdict]) => verdict);
    expect(verdicts[0]).toBe('worse');
    expect(verdicts.lastIndexOf('worse')).toBeLessThan(verdicts.indexOf('same'));
    expect(figure.indexOf('language: Language 0')).toBeLessThan(figure.indexOf('team_size: 1 to 5'));
  });
});

describe('what cannot be drawn', () => {
  it.each(KINDS)('says in words why an empty %s is empty', (kind) => {
    const [figure] = figuresOf(renderReport(withPlots(EMPTY[kind])));
    expect(figure).toMatch(/<p class="empty">[^<]{15,}<\/p>/);
    expect(figure).not.toContain('<svg');
  });

  it.each([0, 1, -3.5, 1e-12, 1e15])('draws a single point, %d, of every kind', (value) => {
    const html = renderReport(withPlots(...single(value)));
    expect(figuresOf(html).filter((figure) => figure.includes('<svg viewBox="0 0 400'))).toHaveLength(KINDS.length);
    expect(found(html, /NaN|Infinity|undefined/)).toBeNull();
    expect(unbalancedTag(html)).toBeUndefined();
  });

  it('leaves out numbers that are not finite, as JSON has made them null', () => {
    const broken = JSON.parse(
      JSON.stringify(single(2), (_, value: unknown) => (value === 2 ? NaN : value)),
    ) as ReportPlot[];
    const html = renderReport(withPlots(...broken));
    expect(found(html, /NaN|Infinity|undefined/)).toBeNull();
    expect(figuresOf(html)).toHaveLength(KINDS.length);
  });

  it('says so of a kind that this release does not know', () => {
    const html = renderReport(withPlots({ kind: 'violin', title: 'New' } as unknown as ReportPlot));
    expect(html.includes('This release cannot draw “violin”.')).toBe(true);
  });
});

describe('texts of users', () => {
  const EVIL = `"><img src=x onerror=alert(1)><script>alert('x')</script>&amp;\u0000{a|b}</svg></style>`;

  it('are shown and never become markup, wherever they stand', () => {
    const text = JSON.stringify(sampleReport({ rows: 200, features: 6 }));
    const document = JSON.parse(text, (key, value: unknown) =>
      typeof value === 'string' && !['kind', 'at', 'from', 'to', 'by', 'worse', 'better', 'verdict'].includes(key)
        ? `${EVIL}${value}`
        : value,
    ) as ReportDocument;
    const html = renderReport(document);
    expect(found(html, /<img|<script|onerror=alert\(1\)>/)).toBeNull();
    expect(html.match(/<\/style>/g)).toHaveLength(1);
    expect(html.includes('\u0000')).toBe(false);
    expect(unbalancedTag(html)).toBeUndefined();
    expect(html.includes('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;')).toBe(true);
    expect(figuresOf(html).filter((figure) => !figure.includes('<svg viewBox="0 0 400'))).toEqual([]);
  });
});

describe('a report of much data', () => {
  it('stays below a megabyte with 200 columns, 20,000 rows and 30 classes', () => {
    const document = sampleReport({ rows: 20_000, features: 200, classes: 30 });
    const html = renderReport(document);
    expect(Buffer.byteLength(html)).toBeLessThan(1_000_000);
    expect(Buffer.byteLength(JSON.stringify(document))).toBeLessThan(1_000_000);
    // All columns are in the figures, though the plot has the first only.
    expect(html.includes('<td>feature_199</td>')).toBe(true);
  }, 30_000);

  it('draws a long curve with few points and keeps its spike', () => {
    const points = Array.from({ length: 50_000 }, (_, round) => ({ at: round, value: round === 31_234 ? 9 : 0.5 }));
    const curve = (values: typeof points): ReportPlot => ({
      kind: 'learning_curve',
      title: 't',
      by: 'rounds',
      measure: 'm',
      curves: [{ name: 'c', is_validation: true, points: values }],
    });
    const paths = renderReport(withPlots(curve(points))).match(/<path d="M[^"]*" fill="none" stroke="var\(--c1\)"/g)!;
    const drawn = paths.join('').match(/L|C/g)!;
    expect(drawn.length).toBeLessThanOrEqual(200);
    expect(renderReport(withPlots(curve(points)))).toMatch(/>(8|10)<\/text>/);
  });
});
