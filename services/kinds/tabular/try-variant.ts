import type { FieldProblem } from '../../../core/errors.js';
import type { Optimize } from '../../../core/schemas/optimize.js';
import { compareToBaseline } from '../../../ml/evaluate/compare-to-baseline.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import { encodeTable, type TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { answerRows, type FittedHead } from './fit-head.js';
import { decodeHead, type HeadModel } from './head-model.js';
import { optimizeHead } from './optimize-head.js';
import { rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';

/** What a variant of one head costs and gains, measured against the head as it was fitted. Kept with the version. */
export interface VariantTrial {
  used: boolean;
  /** In words. */
  reason: string;
  loss?: 'log_loss' | 'absolute_error';
  /** By which share the loss grows on the held-out rows, with its 95 % interval by entity; below 0 it shrinks. */
  change?: { value: number; lower: number; upper: number; entities: number };
  /** Of the file; heads of a network share one. */
  bytes?: { before: number; after: number };
  /** Processor time of a single row, without HTTP, as this machine took it. */
  cpu_us_per_row?: { before: number; after: number };
}

/** By head, and what was asked for. */
export interface OptimizationReport {
  asked: Optimize;
  heads: Record<string, VariantTrial>;
}

/** Fewer say nothing about a change. */
const LEAST_ENTITIES = 20;
const TIMED_ROWS = 500;
const TIMED_REPEATS = 9;

/**
 * Tries the variant of each head that the plan asks for on the held-out rows. Those that lose no more than stated take the place of what was
 * fitted. Heads of a network are one model: all of them, or none.
 */
export function tryVariants(
  plan: TrainingPlan & { optimize: Optimize },
  table: TrainingTable,
  encoder: TableEncoder,
  fitted: readonly FittedHead[],
): { heads: FittedHead[]; report: OptimizationReport; warnings: FieldProblem[] } {
  const x = encodeTable(encoder, table.features);
  const { optimize } = plan;
  const tried = fitted.map((head, index) => {
    const variant = variantOf(head, index, optimize);
    return variant
      ? tryVariant(plan, table, x, { target: table.targets[index]!, head, variant })
      : { head, trial: { used: false, reason: `a ${head.model.algorithm} model has nothing to quantise or prune` } };
  });
  const isShared = fitted[0]?.model.algorithm === 'neural_network';
  const refused = tried.find(({ trial }) => !trial.used);
  const heads = tried.map(({ head, trial }, index) => {
    if (!isShared || !refused || !trial.used) return { head, trial };
    const reason = 'another head of the same network loses more than stated';
    return { head: fitted[index]!, trial: { ...trial, used: false, reason } };
  });
  const names = table.targets.map(({ head }) => head.name);
  return {
    heads: heads.map(({ head }) => head),
    report: { asked: optimize, heads: Object.fromEntries(heads.map(({ trial }, index) => [names[index], trial])) },
    warnings: heads.flatMap(({ trial }, index) =>
      trial.used ? [] : [{ path: 'optimize', message: `${names[index]} is served as it was fitted: ${trial.reason}` }],
    ),
  };
}

interface Variant {
  model: HeadModel;
  bytes: VariantTrial['bytes'];
}

function variantOf({ model }: FittedHead, index: number, optimize: Optimize): Variant | undefined {
  const before = model.encode();
  const after = optimizeHead(model.algorithm, before, optimize);
  return (
    after && {
      model: decodeHead(model.algorithm, after, index),
      bytes: { before: before.length, after: after.length },
    }
  );
}

function tryVariant(
  plan: TrainingPlan & { optimize: Optimize },
  table: TrainingTable,
  x: FeatureMatrix,
  { target, head, variant }: { target: HeadTarget; head: FittedHead; variant: Variant },
): { head: FittedHead; trial: VariantTrial } {
  const rows = rowsOf(target, (row) => table.isHeldOut[row] === 1);
  const heldOut = takeRows(x, rows);
  const smaller = { ...head, model: variant.model };
  const losses = [head, smaller].map((one) => entityLosses(table, target, rows, answerRows(one, heldOut)));
  const entities = losses[0]!.length;
  const loss = target.head.task === 'regression' ? 'absolute_error' : 'log_loss';
  const measured = {
    loss,
    bytes: variant.bytes,
    cpu_us_per_row: timeRows(head.model, variant.model, heldOut),
  } as const;
  if (entities < LEAST_ENTITIES)
    return { head, trial: { used: false, reason: `only ${entities} held-out entities could judge it`, ...measured } };
  const change = changeOf(losses[0]!, losses[1]!, plan.seed);
  const used = change.upper <= plan.optimize.max_loss;
  const asPercent = (share: number) => `${Math.round(share * 10_000) / 100} %`;
  const verdict = used ? 'no more than' : 'more than';
  return {
    head: used ? smaller : head,
    trial: {
      used,
      reason: `its loss may grow by up to ${asPercent(change.upper)}, ${verdict} the ${asPercent(plan.optimize.max_loss)} of max_loss`,
      ...measured,
      change: { ...change, entities },
    },
  };
}

/** One loss an entity: many rows of one are one witness. */
function entityLosses(
  { groups }: TrainingTable,
  { head, classes, y }: HeadTarget,
  rows: Uint32Array,
  answers: Float64Array,
): Float64Array {
  const sums = new Map<number, { loss: number; rows: number }>();
  rows.forEach((row, at) => {
    const loss =
      head.task === 'regression'
        ? Math.abs(y[row]! - answers[at]!)
        : -Math.log(Math.max(1e-15, answers[at * classes.length + y[row]!]!));
    const sum = sums.get(groups[row]!) ?? { loss: 0, rows: 0 };
    sums.set(groups[row]!, { loss: sum.loss + loss, rows: sum.rows + 1 });
  });
  return Float64Array.from(sums.values(), (sum) => sum.loss / sum.rows);
}

function changeOf(before: Float64Array, after: Float64Array, seed: number) {
  const { difference, lower, upper } = compareToBaseline({ losses: after, baselineLosses: before, seed });
  const mean = before.reduce((sum, loss) => sum + loss, 0) / before.length;
  // Where nothing was lost, nothing can grow by a share of it.
  const share = (value: number) => (value === 0 ? 0 : value / Math.max(mean, 1e-9));
  return { value: share(-difference), lower: share(-upper), upper: share(-lower) };
}

/** In turn, so that what else the machine does weighs on both alike. */
function timeRows(before: HeadModel, after: HeadModel, { rows, columns, values }: FeatureMatrix) {
  const count = Math.min(rows, TIMED_ROWS);
  if (count === 0) return { before: 0, after: 0 };
  const out = new Float64Array(before.outputs);
  const all = Array.from({ length: count }, (_, row) =>
    Float64Array.from({ length: columns }, (__, column) => values[column * rows + row]!),
  );
  const timeOne = (model: HeadModel): number => {
    const start = process.cpuUsage();
    for (const row of all) model.predictRow(row, out);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / count;
  };
  timeOne(before);
  timeOne(after);
  const times = Array.from({ length: TIMED_REPEATS }, () => [timeOne(before), timeOne(after)] as const);
  const rounded = (value: number) => Math.round(value * 100) / 100;
  // What others do on the machine only ever adds.
  return {
    before: rounded(Math.min(...times.map(([one]) => one))),
    after: rounded(Math.min(...times.map(([, one]) => one))),
  };
}
