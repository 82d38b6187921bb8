import { describe, expect, it } from 'vitest';
import { judgePromotion } from '../../../core/policy/promotion.js';
import { trainRecommender } from '../../../ml/recommend/train-recommender.js';
import { buildRecommendationReport } from '../../../services/kinds/recommendation/report.js';
import { stageJudgement } from '../../../services/kinds/recommendation/staged-judgement.js';
import type { Evaluation, FitOutcome } from '../../../services/kinds/recipe.js';
import { renderReport } from '../../../services/reports/render-report.js';
import type { ReportDocument, ReportPlot } from '../../../services/reports/report-document.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';
import { drawTastes } from '../ml/recommend-taste.js';

/** The report of a training on users of a few tastes, as it is read back from the store. */
function reportOf(users: number, pull: number): { document: ReportDocument; missed: number } {
  const interactions = drawTastes(users, 120, 8, pull, 3);
  const { report, model } = trainRecommender({ interactions, seed: 1, inspect: true });
  const judgement = stageJudgement(report, interactions);
  const plan = {
    model: 'shop',
    kind: 'recommendation',
    warnings: [],
    datasetId: 'ds_1',
    datasetDigest: '0123456789abcdef',
    seed: 1,
    codeVersion: '0.1.0',
  } as unknown as TrainingPlan;
  const fit = { algorithm: model.method, details: { users, items: 120 }, warnings: [] } as unknown as FitOutcome;
  const evaluation = {
    metrics: { items: { coverage: { value: 0.5, lower: null, upper: null, rows: 10 } } },
    verdict: judgePromotion([]),
    trainingRows: interactions.item.length,
    holdoutRows: report.judged?.users ?? 0,
  } as Evaluation;
  const stored = JSON.parse(JSON.stringify(judgement)) as typeof judgement;
  const document = buildRecommendationReport(plan, fit, evaluation, stored);
  return {
    document: JSON.parse(JSON.stringify(document)) as ReportDocument,
    missed: 1 - (report.judged?.recallAt10 ?? 0),
  };
}

const plotOf = <Kind extends ReportPlot['kind']>(document: ReportDocument, title: string, kind: Kind) =>
  document.sections.find((section) => section.title === title)!.plots.find((plot) => plot.kind === kind) as Extract<
    ReportPlot,
    { kind: Kind }
  >;

describe('the report of a recommender', () => {
  const { document, missed } = reportOf(1800, 6);

  it('says what it finds beside the popular items, with intervals', () => {
    const { bars } = plotOf(document, 'Beside the popular items', 'comparison');
    const [ours, popular] = bars as [(typeof bars)[number], (typeof bars)[number]];
    expect([ours.chosen, popular.chosen]).toEqual([true, false]);
    expect(ours.lower!).toBeGreaterThan(popular.upper!);
    expect(document.summary[0]).toMatch(/among the first ten for 0\.\d+ \[0\.\d+, 0\.\d+\] of the users/);
  });

  it('has every learner that was tried, the popular items among them, one of them chosen', () => {
    const { bars } = plotOf(document, 'What was tried for the items', 'comparison');
    expect(bars.map(({ name }) => name).toSorted()).toEqual(['ease', 'item neighbours', 'most popular']);
    expect(bars.filter(({ chosen }) => chosen)).toHaveLength(1);
    expect(bars.at(-1)!.name).toBe('most popular');
    for (const { value, lower, upper } of bars) {
      expect(lower!).toBeLessThan(value);
      expect(upper!).toBeGreaterThan(value);
    }
  });

  it('looks at groups of users and items, the worst first, and means the same figure as above', () => {
    const { slices, overall } = plotOf(document, 'Where the next item is answered worse', 'slices');
    expect(overall).toBeCloseTo(missed, 10);
    expect(slices.some(({ name }) => name.startsWith('known items: '))).toBe(true);
    const rare = slices.find(({ name }) => name === 'next item: the other 80 %')!;
    expect(rare.verdict).toBe('worse');
    expect(slices[0]!.verdict).toBe('worse');
    const lengths = slices.filter(({ name }) => name.startsWith('known items'));
    const mean = lengths.reduce((sum, { value, rows }) => sum + value * rows, 0);
    expect(mean / lengths.reduce((sum, { rows }) => sum + rows, 0)).toBeCloseTo(missed, 1);
  });

  it('says what a new user gets: more, the more is known of them', () => {
    const { bars } = plotOf(document, 'What new users get', 'comparison');
    expect(bars.map(({ name }) => name)).toEqual(['nothing', 'one item', '2 items', '5 items', '10 items']);
    expect(bars[0]!.upper!).toBeLessThan(bars.at(-1)!.value);
    expect(bars[0]!.value).toBeLessThan(bars[3]!.value);
  });

  it('lays what is shown beside what is taken, from the popular items to the long tail', () => {
    const { groups, edges } = plotOf(document, 'Popular items and the long tail', 'histogram');
    expect(edges).toHaveLength(11);
    const [wanted, , popular] = groups.map(({ counts }) => counts) as [number[], number[], number[]];
    // Everyone gets the same popular items, so that the least taken half is never among them.
    expect(popular.slice(5).reduce((a, b) => a + b, 0)).toBe(0);
    expect(wanted.slice(5).reduce((a, b) => a + b, 0)).toBeGreaterThan(0);
    const { tables } = document.sections.find(({ title }) => title === 'What is found of the long tail')!;
    expect(tables[0]!.rows.map((row) => row[1] as number).reduce((a, b) => a + b, 0)).toBe(120);
  });

  it('has a learning curve whose end is the figure that was judged', () => {
    const { curves } = plotOf(document, 'How the recommender was learnt', 'learning_curve');
    const [unseen] = curves;
    expect(unseen!.points).toHaveLength(3);
    expect(unseen!.points[0]!.value).toBeGreaterThan(unseen!.points.at(-1)!.value);
  });

  it('is a page, and one of a training that was refused too', () => {
    for (const [users, pull] of [
      [500, 15],
      [500, 1],
      [20, 15],
    ] as const) {
      const { document: each } = reportOf(users, pull);
      const page = renderReport(each);
      expect(page).toContain('coverage of the catalogue');
      expect(page).not.toMatch(/NaN|undefined|Infinity/);
    }
    expect(reportOf(20, 15).document.summary[0]).toMatch(/Too few users/);
  });
});
