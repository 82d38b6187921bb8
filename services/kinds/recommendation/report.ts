import type { RecommenderInspection } from '../../../ml/recommend/inspect-recommender.js';
import type { PopularityGroup } from '../../../ml/recommend/popularity-tail.js';
import { formatEstimate, formatNumber, formatShare } from '../../reports/format-value.js';
import type { Bar, ReportDocument, ReportSection, ReportTable } from '../../reports/report-document.js';
import { comparisonSection } from '../../reports/sections/comparison-section.js';
import { learningCurveSection } from '../../reports/sections/learning-curve-section.js';
import { metricsSection, promotionSection } from '../../reports/sections/metrics-section.js';
import { slicesSection } from '../../reports/sections/slices-section.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome } from '../recipe.js';
import type { KnownCount, StagedJudgement, TriedRecommender } from './staged-judgement.js';

/** What forecasts call coverage is something else. */
const MEANINGS: Record<string, [name: string, meaning: string]> = {
  coverage: ['coverage of the catalogue', 'share of the items that are in anyone’s first ten'],
  popular_coverage: ['the popular items’ coverage', 'the same ten for everyone, less what they have'],
};

/** The report of a recommender: what it finds beside the popular items, for whom it is worse, and what it does to the long tail. */
export function buildRecommendationReport(
  plan: TrainingPlan,
  fit: FitOutcome,
  evaluation: Evaluation,
  judgement: StagedJudgement,
): ReportDocument {
  const { metrics, verdict, trainingRows, holdoutRows } = evaluation;
  const { inspection } = judgement;
  const sections: ReportSection[] = [
    promotionSection(verdict),
    metricsSection({ metrics, trainingRows, holdoutRows, meanings: MEANINGS }),
    ...againstPopular(judgement),
    ...triedSection(judgement.trials),
    ...(inspection ? inspectionSections(inspection, judgement) : []),
    knownSection(judgement),
  ];
  return {
    format_version: 1,
    title: `How good is ${plan.model}?`,
    model: plan.model,
    summary: [
      ...summarise(judgement),
      `${verdict.promotable ? 'It may take traffic.' : 'It must not take traffic.'} ${verdict.reason}`,
    ],
    facts: [
      ['kind', plan.kind],
      ['answers by', fit.algorithm.replaceAll('_', ' ')],
      ['users', formatNumber(Number(fit.details?.['users']))],
      ['items', formatNumber(Number(fit.details?.['items']))],
      ['interactions', formatNumber(trainingRows)],
      ['judged users', formatNumber(holdoutRows)],
      ['dataset', `${plan.datasetId} (${plan.datasetDigest.slice(0, 12)})`],
      ['seed', String(plan.seed)],
      ['trained by release', plan.codeVersion],
    ],
    warnings: [...plan.warnings, ...fit.warnings].map(({ path, message }) => `${path}: ${message}`),
    sections,
  };
}

function summarise({ judged, popular, refusal, inspection }: StagedJudgement): string[] {
  if (!judged || !popular) return ['Too few users have enough interactions to judge by: the popular items answer.'];
  const recall = { value: judged.recallAt10, ...judged.intervals.recallAt10 };
  const worst = inspection?.slices.find(({ verdict }) => verdict === 'worse');
  return [
    `The next item of a user is among the first ten for ${formatEstimate(recall)} of the users, where the ten popular items have it for ${formatNumber(popular.recallAt10)}.`,
    `The lists of all users together show ${formatShare(judged.coverage)} of the catalogue; the popular items ${formatShare(popular.coverage)}.`,
    ...(worst
      ? [`It is worst where ${worst.column}: ${worst.slice} (${formatShare(worst.loss)} of the next items are missed).`]
      : []),
    ...(refusal ? ['That is not better than popularity by more than chance, so the popular items answer.'] : []),
  ];
}

function againstPopular({ judged, popular, refusal }: StagedJudgement): ReportSection[] {
  if (!judged || !popular) return [];
  const bars = (key: 'recallAt10' | 'ndcgAt10'): (Bar & { chosen?: boolean })[] => [
    { name: 'the recommender', value: judged[key], ...judged.intervals[key], chosen: !refusal },
    { name: 'popular items', value: popular[key], ...popular.intervals[key], chosen: Boolean(refusal) },
  ];
  return [
    {
      title: 'Beside the popular items',
      text: `What ${formatNumber(judged.users)} users took last, looked for in the whole catalogue less what they had. Nothing was chosen by these items.`,
      plots: [
        { kind: 'comparison', title: 'Recall@10', measure: 'recall@10', better: 'higher', bars: bars('recallAt10') },
        { kind: 'comparison', title: 'NDCG@10', measure: 'NDCG@10', better: 'higher', bars: bars('ndcgAt10') },
      ],
      tables: [],
    },
  ];
}

/** The best of each learner as a picture, every one as a table. */
function triedSection(trials: readonly TriedRecommender[]): ReportSection[] {
  if (trials.length === 0) return [];
  const best = new Map<string, TriedRecommender>();
  for (const trial of trials) {
    const known = best.get(trial.method);
    if (!known || trial.isChosen || (!known.isChosen && worthOf(trial) > worthOf(known))) best.set(trial.method, trial);
  }
  const section = comparisonSection({
    head: 'the items',
    measure: 'NDCG@10 on the users of the choice',
    better: 'higher',
    rivals: [...best.values()].map(({ method, ndcgAt10, isChosen }) => ({
      name: method,
      ...ndcgAt10,
      chosen: isChosen,
    })),
    text: `The best of each learner, trained on what ${formatNumber(trials[0]!.users)} users took before their last item but one and judged by that item. The mean of recall and NDCG decides.`,
  });
  // In a section of its own, where a wide table has the whole page.
  return [section, { title: 'Everything that was tried', text: '', plots: [], tables: [trialsTable(trials)] }];
}

const worthOf = ({ recallAt10, ndcgAt10 }: TriedRecommender): number => recallAt10.value + ndcgAt10.value;

function trialsTable(trials: readonly TriedRecommender[]): ReportTable {
  return {
    title: 'By mean of recall and NDCG',
    columns: ['learner', 'recall@10', 'NDCG@10', 'settings'],
    rows: [...trials]
      .sort((a, b) => worthOf(b) - worthOf(a))
      .map(({ method, recallAt10, ndcgAt10, settings, isChosen }) => [
        isChosen ? `${method} (chosen)` : method,
        recallAt10,
        ndcgAt10,
        settings,
      ]),
  };
}

function inspectionSections(inspection: RecommenderInspection, { judged }: StagedJudgement): ReportSection[] {
  const { slices, curve, curveInteractions } = inspection;
  return [
    slicesSection({
      head: 'the next item',
      measure: 'share of next items missed',
      overall: 1 - (judged?.recallAt10 ?? 0),
      slices,
    }),
    shortHistorySection(inspection),
    ...tailSections(inspection),
    learningCurveSection({
      head: 'the recommender',
      measure: '1 − NDCG@10',
      by: 'rows',
      points: curve.points.map(({ heldOutLoss }, at) => ({
        at: curveInteractions[at]!,
        training: null,
        validation: heldOutLoss,
      })),
      isStillImproving: curve.isStillImproving,
    }),
  ];
}

function shortHistorySection({ shortHistories }: RecommenderInspection): ReportSection {
  return {
    title: 'What new users get',
    text: 'The judged users once more, with only their latest few items known, as if they had just come. Nothing known is a new user, who gets the popular items.',
    plots: [
      {
        kind: 'comparison',
        title: 'Recall@10 by items known',
        measure: 'recall@10',
        better: 'higher',
        reading: 'A dot is the recall with so many items known of each user, with its 95 % interval.',
        bars: shortHistories.map(({ known, recallAt10, intervals }) => ({
          name: known === 0 ? 'nothing' : known === 1 ? 'one item' : `${known} items`,
          value: recallAt10,
          ...intervals.recallAt10,
        })),
      },
    ],
    tables: [
      {
        title: 'By items known',
        columns: ['items known', 'recall@10', 'NDCG@10'],
        rows: shortHistories.map(({ known, recallAt10, ndcgAt10, intervals }) => [
          known,
          { value: recallAt10, ...intervals.recallAt10 },
          { value: ndcgAt10, ...intervals.ndcgAt10 },
        ]),
      },
    ],
  };
}

function tailSections({ tail }: RecommenderInspection): ReportSection[] {
  const { groups, tenths } = tail;
  const top = groups.slice(0, 2);
  const shareOf = (key: 'wanted' | 'listed'): number => top.reduce((sum, group) => sum + group[key], 0);
  const edges = Array.from({ length: tenths.taken.length + 1 }, (_, at) => at / tenths.taken.length);
  return [
    {
      title: 'Popular items and the long tail',
      text: `The most taken 5 % of the items are ${formatShare(shareOf('wanted'))} of what users took next and ${formatShare(shareOf('listed'))} of what they are shown. Where the second is much larger, the recommender makes the popular more popular.`,
      plots: [
        {
          kind: 'histogram',
          title: 'From the most taken to the least',
          measure: 'items, the most taken first',
          reading:
            'Shares by tenths of the catalogue. Lists that follow what users take next hold as much of the tail.',
          edges,
          groups: [
            { name: 'taken next', counts: tenths.wanted },
            { name: 'recommended', counts: tenths.listed },
            { name: 'popular items', counts: tenths.popularListed },
          ],
        },
      ],
      tables: [],
    },
    { title: 'What is found of the long tail', text: '', plots: [], tables: [tailTable(groups)] },
  ];
}

function tailTable(groups: readonly PopularityGroup[]): ReportTable {
  return {
    title: 'By popularity',
    columns: ['items', 'how many', 'learned from', 'taken next', 'recommended', 'by popularity', 'found'],
    rows: groups.map(({ name, items, taken, wanted, listed, popularListed, found }) => [
      name,
      items,
      formatShare(taken),
      formatShare(wanted),
      formatShare(listed),
      formatShare(popularListed),
      formatShare(found),
    ]),
    note: 'Found: of the items of the group that users took next, the share that was among their first ten.',
  };
}

function knownSection({ known }: StagedJudgement): ReportSection {
  const table = (title: string, column: string, counts: readonly KnownCount[]): ReportTable => {
    const all = counts.reduce((sum, { count }) => sum + count, 0);
    return {
      title,
      columns: ['interactions', column, 'share'],
      rows: counts.map(({ interactions, count }) => [interactions, count, formatShare(count / all)]),
    };
  };
  return {
    title: 'How much is known',
    text: 'Of users and items with few interactions a recommender knows little.',
    plots: [],
    tables: [table('Users', 'users', known.users), table('Items', 'items', known.items)],
  };
}
