import { join } from 'node:path';
import type { FieldProblem } from '../../../core/errors.js';
import type { Calibration } from '../../../ml/calibrate/calibration.js';
import type { BoostingCrew } from '../../../ml/ensemble/boosting-work.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import type { LabelValue } from '../../../ml/preprocess/label-encoder.js';
import type { TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import type { SignatureFeature } from '../../artifacts/model-bundle.js';
import type { NetworkTraining } from '../../reports/sections/network-section.js';
import { writeStaged } from '../../storage/staged-file.js';
import { violationOf } from '../../search/judge-metrics.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { measuredOf, type FitOutcome, type OnProgress } from '../recipe.js';
import type { BlendLimits } from './blend.js';
import { checkData } from './check-data.js';
import { createCheckpoint } from './fit-checkpoint.js';
import { chooseFinalist, settlePlan, type SearchVerdict } from './choose-finalist.js';
import { fitEncoder, type FittedEncoder } from './fit-encoder.js';
import type { NetworkInput } from './fit-network.js';
import { fitHead, type CandidateResult, type FittedHead, type HeadInput, type HeadVariant } from './fit-head.js';
import type { HeadAlgorithm } from './head-model.js';
import { costOf, type ModelCost } from './model-cost.js';
import { settingsOf, variantsOf } from './plan.js';
import { projectPart } from './project-part.js';
import { encodeSequenceFiles, type SequenceHead, type StoredSequence } from './sequence-head.js';
import type { SequenceTrial } from './sequence-trial.js';
import { tryVariants } from './try-variant.js';
import { notTrainable, readTrainingTable, rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';

/** One head as it is stored: which file, how to read its numbers. */
export interface StoredHead {
  name: string;
  task: 'binary' | 'multiclass' | 'regression';
  /** As they are answered; empty for a regression. */
  classes: LabelValue[];
  algorithm: HeadAlgorithm;
  file: string;
  /** Of a network: which of its heads. */
  index?: number;
  transform?: 'log';
  calibration?: Calibration;
  interval?: { level: number; halfWidth: number };
  /** Of two classes the one to answer with from this probability on, where costs were stated. */
  decision?: { positive: number; threshold: number };
  /** Where what an entity did last has a say beside its features. */
  sequence?: StoredSequence;
}

/** What a table's model is besides its files. */
export interface TabularBody {
  encoder: TableEncoder;
  heads: StoredHead[];
  /** Of numeric features over the training rows, for rules that say "high" or "low". */
  medians?: Record<string, number>;
  project?: unknown;
}

/** What the fit of each head tried, for the report. */
export type TriedHeads = Record<string, CandidateResult[]>;

/**
 * Fits every head on the training rows. Finished heads and, within a head, finished work are kept on disk, so that an
 * attempt that is killed costs at most two seconds of work, and the model is the same to the bit as without the kill.
 */
export async function fitModel(
  asked: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
  crew?: BoostingCrew,
): Promise<FitOutcome> {
  const table = await readTrainingTable(asked, staging);
  const given = trainingRows(table);
  const hasSequence = hasSequences(table);
  const context: FitContext = {
    staging,
    crew,
    onProgress: (share, detail, measured) =>
      onProgress(hasSequence ? SHARE_BEFORE_SEQUENCES * share : share, detail, measured),
  };
  const search = await searchFinalist(asked, table, context);
  const plan = settlePlan(asked, search);
  const { encoder, rows: training, x } = fitEncoder(plan, table, given);
  if (encoder.columns.length === 0) {
    const why = encoder.ignored.map(({ name, type }) => `${name} (${type})`).join(', ');
    throw notTrainable(plan, `no column has anything to learn from: ${why}`);
  }
  const isTraining = createMembership(table.rows, training);
  const heads: StoredHead[] = [];
  const candidates: TriedHeads = {};
  const hyperparameters: Record<string, unknown> = {};
  const {
    fittedHeads: asFitted,
    warnings,
    network,
  } = await fitHeads(
    plan,
    table,
    { encoder, rows: training, x },
    {
      ...context,
      onProgress: (share, detail, measured) =>
        context.onProgress(search ? SHARE_OF_FINALISTS + (1 - SHARE_OF_FINALISTS) * share : share, detail, measured),
    },
  );
  const { optimize } = plan;
  const variants = optimize ? tryVariants({ ...plan, optimize }, table, encoder, asFitted) : undefined;
  const fittedHeads = variants?.heads ?? asFitted;
  warnings.push(...(variants?.warnings ?? []));
  const cost = costOf(fittedHeads.map(({ model }) => model));
  if (search) warnings.push(...describeMissed(plan, cost));
  const trials: Record<string, SequenceTrial> = {};
  const files: string[] = [];
  for (const [index, target] of table.targets.entries()) {
    const { name } = target.head;
    const fitted = fittedHeads[index]!;
    const isNetwork = fitted.model.algorithm === 'neural_network';
    const file = isNetwork ? 'network.model' : `${name}.model`;
    if (!isNetwork || index === 0) await writeStaged(join(staging, file), fitted.model.encode());
    const tried = await trySequence(plan, table, target, fitted, isTraining, (share, detail) =>
      onProgress(SHARE_BEFORE_SEQUENCES + (1 - SHARE_BEFORE_SEQUENCES) * share, `${name}: ${detail}`),
    );
    if (tried) trials[name] = tried.trial;
    if (tried?.warning) warnings.push({ path: 'GPU_ENABLED', message: tried.warning });
    for (const [part, bytes] of tried?.sequence ? encodeSequenceFiles(tried.sequence) : []) {
      await writeStaged(join(staging, part), bytes);
      files.push(part);
    }
    heads.push({
      ...describeHead(target, fitted, file, plan),
      ...(isNetwork ? { index } : {}),
      ...(tried?.sequence ? { sequence: tried.sequence.stored } : {}),
    });
    candidates[name] = fitted.candidates;
    Object.assign(hyperparameters, fitted.hyperparameters);
  }
  const body: TabularBody = {
    encoder,
    heads,
    ...(plan.kind === 'project_success' ? projectPart(plan, table, encoder, training) : {}),
  };
  return {
    algorithm: [...new Set(heads.map((head) => head.algorithm))].join(', '),
    hyperparameters,
    signature: signatureOf(encoder),
    heads: heads.map(({ name, task, classes }) => ({ name, task, classes })),
    files: [...new Set([...heads.map((head) => head.file), ...files])],
    body,
    details: {
      candidates,
      ...(Object.keys(trials).length > 0 ? { sequences: trials } : {}),
      ...(network ? { network } : {}),
      ...(variants ? { optimization: variants.report } : {}),
      ...(search ? { search: { ...search, ...cost } } : {}),
    },
    trainingRows: training.length,
    warnings: [...warnings, ...describeRemoved(given.length, training.length), ...checkData(table)],
  };
}

const SHARE_OF_FINALISTS = 0.7;

/** Compares the finalists of a search, where there was one. */
function searchFinalist(
  plan: TrainingPlan,
  table: TrainingTable,
  { onProgress, ...context }: FitContext,
): Promise<SearchVerdict | undefined> {
  return chooseFinalist(
    plan,
    table,
    async (own, name, searched, onStep) =>
      (await fitHeads(own, table, searched, { ...context, name: `${name}.`, onProgress: onStep })).fittedHeads,
    (share, detail) => onProgress(SHARE_OF_FINALISTS * share, detail),
  );
}

/** Fitted on more rows than the search had, a model may have grown beyond what it was chosen by. */
function describeMissed({ search }: TrainingPlan, cost: ModelCost): FieldProblem[] {
  return (search?.constraints ?? [])
    .filter((constraint) => violationOf([constraint], { ...cost }, { isPartial: true }) > 0)
    .map(({ metric, max, min }) => ({
      path: 'search.constraints',
      message: `fitted on all training rows, the model has a ${metric} of ${Math.round(cost[metric as keyof ModelCost])}, and ${max === undefined ? `at least ${min}` : `at most ${max}`} was asked for`,
    }));
}

interface FitContext {
  staging: string;
  crew?: BoostingCrew;
  onProgress: OnProgress;
}

interface FittedHeads {
  fittedHeads: FittedHead[];
  warnings: FieldProblem[];
  network?: NetworkTraining;
}

/** Head by head, or all together where a network learns them. */
async function fitHeads(
  plan: TrainingPlan,
  table: TrainingTable,
  { encoder, rows, x }: FittedEncoder,
  { staging, crew, onProgress, name = '' }: FitContext & { name?: string },
): Promise<FittedHeads> {
  const { targets } = table;
  if (plan.algorithm === 'neural_network') {
    const { fitNetworkHeads } = await importNetworkFit();
    const { heads, backend, history } = await fitNetworkHeads({
      ...networkInput(plan, table, encoder, x, targets, rows),
      onProgress,
    });
    const warnings = backend.warning ? [{ path: 'GPU_ENABLED', message: backend.warning }] : [];
    const network = { device: backend.device, epochs: history.epochs, best_epoch: history.bestEpoch };
    return { fittedHeads: heads, warnings, network };
  }
  const isTraining = createMembership(table.rows, rows);
  const fittedHeads = targets.map((target, index) =>
    fitHead({
      ...headInput(plan, table, encoder, x, target, isTraining),
      crew,
      checkpoint: (stage) => createCheckpoint(join(staging, `${name}${target.head.name}.${stage}`)),
      onProgress: (share, detail, measured) =>
        onProgress(
          (index + share) / targets.length,
          `${target.head.name}: ${detail}`,
          measuredOf(target.head.name, measured),
        ),
    }),
  );
  return { fittedHeads, warnings: [] };
}

const SHARE_BEFORE_SEQUENCES = 0.6;

const hasSequences = ({ targets, histories }: TrainingTable) =>
  histories !== undefined && targets.some(({ head }) => head.sequence !== undefined);

/** Tries what the entities did one after another for a head that declares a `sequence`; undefined for any other. */
export async function trySequence(
  plan: TrainingPlan,
  table: TrainingTable,
  target: HeadTarget,
  fitted: Pick<FittedHead, 'model' | 'unseen'>,
  isWanted: (row: number) => boolean,
  onProgress: OnProgress,
): Promise<{ sequence?: SequenceHead; trial: SequenceTrial; warning?: string } | undefined> {
  const { histories, groups } = table;
  if (target.head.sequence === undefined || !histories) return undefined;
  const { fitSequenceHead } = await import('./fit-sequence.js');
  const { seed } = plan;
  const gpuEnabled = settingsOf(plan).gpuEnabled === true;
  const rows = rowsOf(target, isWanted);
  return fitSequenceHead({ target, rows, groups, histories, fitted, seed, gpuEnabled, onProgress });
}

/** TensorFlow is loaded by a process that trains a network, not by each that knows of this recipe. */
export const importNetworkFit = () => import('./fit-network.js');

/** What `fitNetworkHeads` needs of a table. */
export function networkInput(
  plan: TrainingPlan,
  table: TrainingTable,
  encoder: TableEncoder,
  x: FeatureMatrix,
  targets: readonly HeadTarget[],
  rows: Uint32Array,
): Omit<NetworkInput, 'onProgress'> {
  const categories = encoder.columns.map(() => 0);
  for (const { start, encoding, categories: values } of encoder.features)
    if (encoding === 'ordinal') categories[start] = values?.length ?? 0;
  return {
    x,
    categories,
    targets,
    rows,
    groups: table.groups,
    isInTime: table.isInTime,
    hyperparameters: plan.hyperparameters,
    gpuEnabled: settingsOf(plan).gpuEnabled === true,
  };
}

/** What `fitHead` needs of a table. */
export function headInput(
  plan: TrainingPlan,
  table: TrainingTable,
  encoder: TableEncoder,
  x: FeatureMatrix,
  target: HeadTarget,
  isWanted: (row: number) => boolean,
): Omit<HeadInput, 'onProgress'> {
  return {
    x,
    target,
    rows: rowsOf(target, isWanted),
    groups: table.groups,
    isInTime: table.isInTime,
    categorical: encoder.features
      .filter((feature) => feature.type === 'category' && feature.encoding === 'ordinal')
      .map((feature) => feature.start),
    monotone: monotoneColumns(plan, encoder),
    variants: variantsOf(plan) as HeadVariant[],
    limits: blendLimits(plan),
    seed: plan.seed,
  };
}

/** Of the constraints of a search what models may come to that answer together: each head has its share. */
function blendLimits({ search, heads }: TrainingPlan): BlendLimits {
  const limits: BlendLimits = {};
  for (const { metric, max } of search?.constraints ?? [])
    if (max !== undefined && (metric === 'model_bytes' || metric === 'latency_us')) limits[metric] = max / heads.length;
  return limits;
}

function monotoneColumns(plan: TrainingPlan, encoder: TableEncoder): Int8Array | undefined {
  const { monotone } = settingsOf(plan);
  if (!monotone) return undefined;
  const columns = new Int8Array(encoder.columns.length);
  for (const { name, type, start } of encoder.features) {
    const direction = Object.hasOwn(monotone, name) ? monotone[name] : undefined;
    if (direction && (type === 'number' || type === 'boolean')) columns[start] = direction === 'increasing' ? 1 : -1;
  }
  return columns;
}

function describeHead(target: HeadTarget, fitted: FittedHead, file: string, plan: TrainingPlan): StoredHead {
  const decision = decisionOf(target, plan);
  return {
    name: target.head.name,
    task: target.head.task,
    classes: target.classes,
    algorithm: fitted.model.algorithm,
    file,
    ...(fitted.transform ? { transform: fitted.transform } : {}),
    ...(fitted.calibration ? { calibration: fitted.calibration } : {}),
    ...(fitted.interval ? { interval: fitted.interval } : {}),
    ...(decision ? { decision } : {}),
  };
}

/**
 * With calibrated probabilities the cost is least when the label is positive from fp / (fp + fn) on (Elkan 2001, "The
 * Foundations of Cost-Sensitive Learning").
 */
function decisionOf(target: HeadTarget, plan: TrainingPlan): StoredHead['decision'] {
  const { costs, positiveClass } = settingsOf(plan);
  if (!costs) return undefined;
  const positive = target.classes.findIndex((name) => String(name) === positiveClass);
  if (positive < 0 || target.classes.length !== 2)
    throw notTrainable(
      plan,
      `costs need a target of two classes, one of them the positive_class ${String(positiveClass)}, but ${target.head.column} has ${target.classes.slice(0, 8).map(String).join(', ')}`,
    );
  return {
    positive,
    threshold: costs.false_positive / (costs.false_positive + costs.false_negative),
  };
}

function signatureOf(encoder: TableEncoder): SignatureFeature[] {
  const used = encoder.features.map((feature): SignatureFeature => ({
    name: feature.name,
    type: feature.type,
    ...(feature.categories ? { categories: feature.categories.map((category) => category.value) } : {}),
  }));
  return [...used, ...encoder.ignored.map(({ name, type }): SignatureFeature => ({ name, type: `ignored (${type})` }))];
}

function describeRemoved(given: number, kept: number): FieldProblem[] {
  if (given === kept) return [];
  const message = `${given - kept} of ${given} training rows lie beyond the bounds and were not learnt from`;
  return [{ path: 'preprocessing.outliers', message }];
}

/** Whether a row is one of some. */
export function createMembership(count: number, rows: Uint32Array): (row: number) => boolean {
  const isMember = new Uint8Array(count);
  for (const row of rows) isMember[row] = 1;
  return (row) => isMember[row] === 1;
}

/** The rows that a fit may see. */
export function trainingRows(table: TrainingTable): Uint32Array {
  return Uint32Array.from([...table.isHeldOut.keys()].filter((row) => table.isHeldOut[row] === 0));
}
