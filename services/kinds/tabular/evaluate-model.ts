import { takeRows } from '../../../ml/matrix.js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judgePromotion, type SkillEvidence } from '../../../core/policy/promotion.js';
import { chooseCostThreshold } from '../../../ml/evaluate/cost-threshold.js';
import { compareToBaseline, evaluateClassification, evaluateRegression } from '../../../ml/evaluate/metrics.js';
import { encodeTable } from '../../../ml/preprocess/table-encoder.js';
import type { ScoreInput } from '../../../core/schemas/prediction.js';
import type { FrozenHoldout } from '../../artifacts/frozen-holdout.js';
import type { GoldenCase } from '../../artifacts/model-bundle.js';
import { readStagedJson } from '../../storage/staged-file.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import type { ReportDocument } from '../../reports/report-document.js';
import type { Evaluation, FitOutcome, OnProgress } from '../recipe.js';
import { encodeForLearning } from './fit-encoder.js';
import { answerRows } from './fit-head.js';
import { trainingRows, type StoredHead, type TabularBody } from './fit-model.js';
import { settlePlan, type SearchVerdict } from './choose-finalist.js';
import { freezeHoldout } from './freeze-holdout.js';
import { decodeHead } from './head-model.js';
import { settingsOf } from './plan.js';
import { buildTabularReport } from './report.js';
import type { JudgedHead } from './report-measures.js';
import { loadSequence, mixInSequences, type SequenceHead } from './sequence-head.js';
import { plainValue, readTrainingTable, rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';

/** Rows whose answers are stored with the version, so that every later load can be held to them. */
const GOLDEN_ROWS = 16;

/** Judging takes less than the measures of the report. */
const JUDGING_SHARE = 0.3;

/** Judges the fitted heads on the held-out rows, writes down golden answers, and reports. */
export async function evaluateModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
): Promise<{ evaluation: Evaluation; golden: GoldenCase[]; report: ReportDocument; holdout: FrozenHoldout }> {
  const table = await readTrainingTable(plan, staging);
  const fit = await readStagedJson<FitOutcome>(join(staging, STAGED.fit));
  const body = fit.body as TabularBody;
  const settled = settlePlan(plan, fit.details?.['search'] as SearchVerdict | undefined);
  const x = encodeTable(body.encoder, table.features);
  const metrics: Evaluation['metrics'] = {};
  const evidence: SkillEvidence[] = [];
  const heads: JudgedHead[] = [];
  const costs: Record<string, unknown> = {};
  for (const [index, target] of table.targets.entries()) {
    const head = body.heads[index]!;
    const bytes = await readFile(join(staging, head.file));
    const model = decodeHead(head.algorithm, bytes, head.index);
    const rows = rowsOf(target, (row) => table.isHeldOut[row] === 1);
    const answers = answerRows({ ...head, model }, takeRows(x, rows));
    const sequence = await readSequence(head, staging);
    if (sequence) mixInSequences(sequence, historiesOf(table, rows), answers);
    metrics[head.name] = measure(plan, target, rows, answers, head);
    if (head.decision) costs[head.name] = measureCosts(plan, target, head.decision.positive, rows, answers);
    evidence.push(compareWithBase(plan, table, target, rows, answers));
    heads.push({ stored: head, model, ...(sequence ? { sequence } : {}), bytes, target, rows, answers });
    onProgress((JUDGING_SHARE * (index + 1)) / table.targets.length, head.name);
  }
  const evaluation: Evaluation = {
    metrics,
    verdict: judgePromotion(evidence),
    trainingRows: fit.trainingRows,
    holdoutRows: table.isHeldOut.reduce((sum, held) => sum + held, 0),
    ...(Object.keys(costs).length > 0 ? { details: { costs } } : {}),
  };
  const report = buildTabularReport(
    {
      plan: settled,
      table,
      encoder: body.encoder,
      x: encodeForLearning(plan, table, body.encoder, trainingRows(table)),
      fit,
      evaluation,
      heads,
    },
    (share, detail) => onProgress(JUDGING_SHARE + (1 - JUDGING_SHARE) * share, detail),
  );
  const holdout = freezeHoldout(plan, table, (row) => inputOf(table, heads, row));
  return { evaluation, golden: goldenCases(table, heads, x), report, holdout };
}

async function readSequence({ sequence }: StoredHead, staging: string): Promise<SequenceHead | undefined> {
  if (!sequence) return undefined;
  const files = [sequence.chainFile, ...(sequence.networkFile ? [sequence.networkFile] : [])];
  const bytes = new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(staging, file))] as const)),
  );
  return loadSequence(sequence, (file, decode) => decode(bytes.get(file)!));
}

/** What the entities of some rows did last. */
const historiesOf = ({ histories }: TrainingTable, rows: Uint32Array): (readonly string[])[] =>
  Array.from(rows, (row) => histories?.activities[row] ?? []);

/** What the stated costs come to on the held-out rows: at the threshold, at a half, and if nobody or everybody were acted on. */
function measureCosts(
  plan: TrainingPlan,
  target: HeadTarget,
  positive: number,
  rows: Uint32Array,
  answers: Float64Array,
) {
  return chooseCostThreshold({
    probabilities: Float64Array.from(rows, (_, at) => answers[2 * at + positive]!),
    labels: Uint8Array.from(rows, (row) => Number(target.y[row] === positive)),
    costs: settingsOf(plan).costs!,
    seed: plan.seed,
  });
}

function measure(
  plan: TrainingPlan,
  target: HeadTarget,
  rows: Uint32Array,
  answers: Float64Array,
  { interval, transform }: StoredHead,
) {
  const { seed } = plan;
  const truths = Float64Array.from(rows, (row) => target.y[row]!);
  if (target.head.task !== 'regression')
    return evaluateClassification({ probabilities: answers, labels: truths, classes: target.classes.length, seed });
  const metrics = evaluateRegression({ predictions: answers, targets: truths, seed });
  if (interval) {
    const onScale = (value: number) => (transform === 'log' ? Math.log(value) : value);
    const inside = truths.filter(
      (truth, at) => Math.abs(onScale(truth) - onScale(answers[at]!)) <= interval.halfWidth,
    ).length;
    metrics['coverage'] = {
      value: rows.length > 0 ? inside / rows.length : null,
      lower: null,
      upper: null,
      rows: rows.length,
    };
  }
  return metrics;
}

/** The paired comparison with base rate or median, one number an entity: many rows of one entity are one witness. */
function compareWithBase(
  plan: TrainingPlan,
  table: TrainingTable,
  target: HeadTarget,
  rows: Uint32Array,
  answers: Float64Array,
): SkillEvidence {
  const training = rowsOf(target, (row) => table.isHeldOut[row] === 0);
  const loss = target.head.task === 'regression' ? absoluteErrors(target, training) : logLosses(target, training);
  const sums = new Map<number, { model: number; base: number; rows: number }>();
  rows.forEach((row, at) => {
    const sum = sums.get(table.groups[row]!) ?? { model: 0, base: 0, rows: 0 };
    const { model, base } = loss(target.y[row]!, at, answers);
    sums.set(table.groups[row]!, { model: sum.model + model, base: sum.base + base, rows: sum.rows + 1 });
  });
  const entities = [...sums.values()];
  const losses = Float64Array.from(entities, (sum) => sum.model / sum.rows);
  const baselineLosses = Float64Array.from(entities, (sum) => sum.base / sum.rows);
  const { difference, lower, upper } = compareToBaseline({ losses, baselineLosses, seed: plan.seed });
  return {
    head: target.head.name,
    loss: target.head.task === 'regression' ? 'absolute_error' : 'log_loss',
    difference,
    lower,
    upper,
    entities: entities.length,
  };
}

type Loss = (truth: number, at: number, answers: Float64Array) => { model: number; base: number };

function logLosses(target: HeadTarget, training: Uint32Array): Loss {
  const classes = target.classes.length;
  const counts = new Float64Array(classes).fill(1);
  for (const row of training) counts[target.y[row]!]!++;
  const bits = (probability: number) => -Math.log(Math.max(1e-15, probability));
  return (truth, at, answers) => ({
    model: bits(answers[at * classes + truth]!),
    base: bits(counts[truth]! / (training.length + classes)),
  });
}

function absoluteErrors(target: HeadTarget, training: Uint32Array): Loss {
  const sorted = Float64Array.from(training, (row) => target.y[row]!).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return (truth, at, answers) => ({ model: Math.abs(truth - answers[at]!), base: Math.abs(truth - median) });
}

function goldenCases(
  table: TrainingTable,
  heads: readonly JudgedHead[],
  x: ReturnType<typeof encodeTable>,
): GoldenCase[] {
  const step = Math.max(1, Math.floor(table.rows / GOLDEN_ROWS));
  const rows = Uint32Array.from({ length: Math.min(GOLDEN_ROWS, table.rows) }, (_, index) =>
    Math.min(table.rows - 1, index * step),
  );
  const chosen = takeRows(x, rows);
  // Every other case has no sequence, as a request may have none.
  const histories = historiesOf(table, rows).map((names, index) => (index % 2 === 0 ? names : []));
  const answers = heads.map(({ stored, model, sequence }) => {
    const own = answerRows({ ...stored, model }, chosen);
    return sequence ? mixInSequences(sequence, histories, own) : own;
  });
  return [...rows].map((row, index) => ({
    input: inputOf(table, heads, row, histories[index]),
    outputs: Object.fromEntries(
      heads.map(({ stored }, at) => {
        const width = Math.max(1, stored.classes.length);
        return [stored.name, [...answers[at]!.subarray(index * width, (index + 1) * width)]];
      }),
    ),
  }));
}

/** A row as a request. @param history what its entity did last, where a head is told from that */
function inputOf(
  table: TrainingTable,
  heads: readonly JudgedHead[],
  row: number,
  history: readonly string[] = table.histories?.activities[row] ?? [],
): ScoreInput {
  const field = heads.find(({ sequence }) => sequence)?.stored.sequence?.field;
  return {
    features: Object.fromEntries(table.features.map((column) => [column.name, plainValue(column.values[row])])),
    ...(field !== undefined && history.length > 0 ? { options: { [field]: history } } : {}),
  };
}
