import type { FieldProblem } from '../../../core/errors.js';
import type { CostThreshold } from '../../../ml/evaluate/cost-threshold.js';
import { formatNumber, formatShare } from '../../reports/format-value.js';
import type { ReportDocument, ReportSection, ReportTable } from '../../reports/report-document.js';
import { classificationSection } from '../../reports/sections/classification-section.js';
import { comparisonSection } from '../../reports/sections/comparison-section.js';
import { importanceSection } from '../../reports/sections/importance-section.js';
import { learningCurveSection } from '../../reports/sections/learning-curve-section.js';
import { metricsSection, promotionSection, summarise } from '../../reports/sections/metrics-section.js';
import { optimizationSection } from '../../reports/sections/optimization-section.js';
import { searchSection } from '../../reports/sections/search-section.js';
import { networkSection, type NetworkTraining } from '../../reports/sections/network-section.js';
import { regressionSection } from '../../reports/sections/regression-section.js';
import { slicesSection } from '../../reports/sections/slices-section.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome, OnProgress } from '../recipe.js';
import type { SearchVerdict } from './choose-finalist.js';
import type { TriedHeads } from './fit-model.js';
import {
  lossName,
  measureImportance,
  measureSlices,
  shownName,
  type JudgedHead,
  type MeasuredTable,
} from './report-measures.js';
import { measureProgress } from './report-curves.js';
import { settingsOf } from './plan.js';
import { decidedClass } from './head-answer.js';
import type { SequenceTrial } from './sequence-trial.js';
import type { OptimizationReport } from './try-variant.js';

/** What the evaluation has found already. */
export interface TabularFindings extends MeasuredTable {
  fit: FitOutcome;
  evaluation: Evaluation;
  heads: readonly JudgedHead[];
}

/**
 * The report of a model of tables: per head its answers on held-out rows, what they rest on, where they are worse, what else was
 * tried and whether more rows would help. A part that cannot be measured is left out, and a warning says why: a version is worth
 * more than its report.
 */
export function buildTabularReport(findings: TabularFindings, onProgress: OnProgress = () => {}): ReportDocument {
  const { plan, fit, evaluation, heads } = findings;
  const missing: string[] = [];
  const { metrics, verdict } = nameHeads(findings);
  const sections: ReportSection[] = [
    promotionSection(verdict),
    metricsSection({ metrics, trainingRows: evaluation.trainingRows, holdoutRows: evaluation.holdoutRows }),
  ];
  const search = fit.details?.['search'] as SearchVerdict | undefined;
  if (search) sections.push(searchSection(search));
  const optimization = fit.details?.['optimization'] as OptimizationReport | undefined;
  if (optimization)
    sections.push(
      optimizationSection(heads.map((head) => [shownName(head), optimization.heads[head.stored.name]!] as const)),
    );
  const parts = [answersOf, importanceOf, slicesOf, rivalsOf, curveOf, sequenceOf, sequenceCurveOf];
  heads.forEach((head, index) =>
    parts.forEach((part, at) => {
      onProgress((index + at / parts.length) / heads.length, `report on ${head.stored.name}`);
      try {
        const section = part(head, findings);
        if (section) sections.push(section);
      } catch (error) {
        missing.push(`A part of the report on ${head.stored.name} is missing: ${(error as Error).message}`);
      }
    }),
  );
  onProgress(1, 'reported');
  const told = (problem: FieldProblem): string => `${problem.path}: ${problem.message}`;
  return {
    format_version: 1,
    title: `How good is ${plan.model}?`,
    model: plan.model,
    summary: summarise(metrics, verdict),
    facts: factsOf(plan, fit, evaluation),
    warnings: [...[...plan.warnings, ...fit.warnings, ...(evaluation.warnings ?? [])].map(told), ...missing],
    sections,
  };
}

/** Metrics and verdict under the names that readers know. */
function nameHeads({ evaluation, heads }: TabularFindings): Pick<Evaluation, 'metrics' | 'verdict'> {
  const names = new Map(heads.map((head) => [head.stored.name, shownName(head)]));
  const nameOf = (head: string): string => names.get(head) ?? head;
  const { metrics, verdict } = evaluation;
  return {
    metrics: Object.fromEntries(Object.entries(metrics).map(([head, figures]) => [nameOf(head), figures])),
    verdict: { ...verdict, evidence: verdict.evidence.map((item) => ({ ...item, head: nameOf(item.head) })) },
  };
}

function factsOf(plan: TrainingPlan, fit: FitOutcome, { trainingRows, holdoutRows }: Evaluation): [string, string][] {
  return [
    ['kind', plan.kind],
    ['algorithm', fit.algorithm],
    ['features', formatNumber(fit.signature.length)],
    ['training rows', formatNumber(trainingRows)],
    ['held-out rows', formatNumber(holdoutRows)],
    ['held out', settingsOf(plan).split === 'time' ? 'the latest rows' : 'rows at random, each entity on one side'],
    ['dataset', `${plan.datasetId} (${plan.datasetDigest.slice(0, 12)})`],
    ['seed', String(plan.seed)],
    ['trained by release', plan.codeVersion],
    ...deviceOf(fit).map((device): [string, string] => ['network trained on', device]),
  ];
}

type Part = (head: JudgedHead, findings: TabularFindings) => ReportSection | undefined;

const answersOf: Part = ({ stored, target, rows, answers }, { plan, evaluation }) => {
  const truths = Float64Array.from(rows, (row) => target.y[row]!);
  if (stored.task === 'regression')
    return regressionSection({ head: shownName({ target }), predictions: answers, targets: truths, seed: plan.seed });
  const { decision } = stored;
  const section = classificationSection({
    head: shownName({ target }),
    labels: truths,
    probabilities: answers,
    classes: target.classes.map(String),
    ...(decision
      ? {
          positive: decision.positive,
          answers: Uint8Array.from(rows, (_, at) => decidedClass(decision, answers.subarray(2 * at, 2 * at + 2))),
        }
      : {}),
  });
  const costs = evaluation.details?.['costs'] as Record<string, CostThreshold> | undefined;
  const own = costs?.[stored.name];
  if (!own) return section;
  const text = `${section.text} The answer is the class that costs least, so that it need not be the likeliest.`;
  return { ...section, text, tables: [costsTable(own)] };
};

function costsTable({ threshold, costs }: CostThreshold): ReportTable {
  const rules = [
    [`at least ${formatNumber(threshold)}, as the costs demand`, costs.atThreshold],
    ['at least 0.5', costs.atHalf],
    ['every row', costs.always],
    ['no row', costs.never],
  ] as const;
  return {
    title: 'What it costs to act on',
    columns: ['probability', 'cost of 1,000 rows [95 % interval]', 'share acted on'],
    rows: rules.map(([rule, { costPer1000, lower, upper, actedOn }]) => [
      rule,
      { value: costPer1000, lower, upper },
      formatShare(actedOn),
    ]),
  };
}

const importanceOf: Part = (head, findings) =>
  importanceSection({
    head: shownName(head),
    measure: `increase of the ${lossName(head)}`,
    importance: measureImportance(head, findings),
  });

const slicesOf: Part = (head, findings) =>
  slicesSection({ head: shownName(head), measure: lossName(head), ...measureSlices(head, findings) });

const rivalsOf: Part = ({ stored, target }, { fit }) => {
  const tried = (fit.details?.['candidates'] as TriedHeads | undefined)?.[stored.name] ?? [];
  if (tried.length < 2) return undefined;
  return comparisonSection({
    head: shownName({ target }),
    measure: lossName({ stored }),
    better: 'lower',
    text: 'On training rows, each answered by models that had not seen it. The least loss was chosen; the held-out rows had no part in the choice.',
    rivals: tried.map(({ algorithm, transform, loss, isChosen }) => ({
      name: transform ? `${algorithm}, ${transform}` : algorithm,
      value: loss,
      lower: null,
      upper: null,
      chosen: isChosen,
    })),
  });
};

/** Where networks were trained, if any were. */
function deviceOf({ details }: FitOutcome): string[] {
  const sequences = Object.values((details?.['sequences'] ?? {}) as Record<string, SequenceTrial>);
  const devices = [details?.['network'] as NetworkTraining | undefined, ...sequences].map((one) => one?.device);
  return [...new Set(devices.filter((device) => device !== undefined))];
}

const trialOf = ({ stored }: JudgedHead, { fit }: TabularFindings): SequenceTrial | undefined =>
  (fit.details?.['sequences'] as Record<string, SequenceTrial> | undefined)?.[stored.name];

/** Whether the order of what an entity did says more than its features. */
const sequenceOf: Part = (head, findings) => {
  const trial = trialOf(head, findings);
  if (!trial?.gain) return undefined;
  const { isChosen, features, sequence, both, gain, entities, share } = trial;
  const verdict = isChosen
    ? 'that is more than chance, so the mean answers where a request has the activities'
    : 'that is no more than chance, so the features answer alone';
  return comparisonSection({
    head: `${shownName(head)}, from the sequence`,
    measure: 'log loss',
    better: 'lower',
    text:
      `On ${trial.rows} rows of ${entities} entities that no model had seen, the features are right in ${formatShare(features!.accuracy)}, ` +
      `the sequence in ${formatShare(sequence!.accuracy)} (${trial.learned_by}), their mean (the sequence counts ${formatShare(share!)}) in ${formatShare(both!.accuracy)}. ` +
      `The mean lowers the log loss by ${formatNumber(gain.value)} with a standard error of ${formatNumber(gain.standard_error)}: ${verdict}.`,
    rivals: [
      { name: 'features', value: features!.log_loss, lower: null, upper: null, chosen: !isChosen },
      { name: 'sequence', value: sequence!.log_loss, lower: null, upper: null, chosen: false },
      { name: 'mean of both', value: both!.log_loss, lower: null, upper: null, chosen: isChosen },
    ],
  });
};

const sequenceCurveOf: Part = (head, findings) => {
  const trial = trialOf(head, findings);
  if (!trial?.epochs?.length) return undefined;
  const { epochs, best_epoch = 0 } = trial;
  return networkSection({
    head: `the network of ${shownName(head)}`,
    measure: 'log loss of the next activity',
    training: { epochs, best_epoch },
  });
};

const curveOf: Part = (head, findings) => {
  const network = findings.fit.details?.['network'] as NetworkTraining | undefined;
  // All heads are learned together, so that there is one curve.
  if (network)
    return head.stored.index === 0
      ? networkSection({ head: 'the network', measure: 'loss of all heads together', training: network })
      : undefined;
  const progress = measureProgress(head, findings);
  return progress && learningCurveSection({ head: shownName(head), ...progress });
};
