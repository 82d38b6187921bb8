import { fitGradientBoosting } from '../../../ml/ensemble/gradient-boosting.js';
import { fitRandomForest } from '../../../ml/ensemble/random-forest.js';
import { fitLinear } from '../../../ml/linear/fit-linear.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { OpenTrials, SharedNumbers, TrialContext, TrialResult } from '../recipe.js';
import { canonicalJson } from '../../canonical-json.js';
import { pick } from './candidate.js';
import { boostingLossOf, boostingParameters } from './fit-boosting.js';
import { fitEncoder, type FittedEncoder } from './fit-encoder.js';
import { FOLDS, foldsOf } from './fit-head.js';
import { linearParameters } from './fit-linear.js';
import { createMembership, headInput, importNetworkFit, networkInput, trainingRows } from './fit-model.js';
import { boostingHead, forestHead, linearHead, type HeadModel } from './head-model.js';
import { forestParameters } from './hyperparameters.js';
import { reserveRows } from './reserve-rows.js';
import { applyTabularConfiguration } from './search-space.js';
import { accuracyOf, foldCosts, foldedCost, type JudgedFold } from './trial-metrics.js';
import { settingsOf } from './plan.js';
import { readTrainingTable, rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';
import { answerLosses, baselineLoss, onTrialScale } from './trial-loss.js';

/** One head's training rows, split once for all trials. */
interface HeadRows {
  target: HeadTarget;
  x: FeatureMatrix;
  /** Class number or value, on the scale that is learned. */
  y: Float64Array;
  classes: number;
  folds: Uint8Array | Int32Array;
  categorical: readonly number[];
  monotone?: Int8Array;
  /** The loss of the answer that needs no model: base rates, or the mean. */
  baseline: number;
}

/**
 * Loads the training rows of a table once, for one trial after another. A trial fits its algorithm on four of five folds in turn and is
 * judged on the fifth; the rows that `reserveRows` keeps are not among them. Rows of one entity share a fold, and of a table in order of time each fold is a stretch of it. Its loss is the
 * mean over the heads of log loss or squared error, as a share of that of base rates or of the mean: 1 is no better than no model.
 */
export async function openTabularTrials(
  plan: TrainingPlan,
  staging: string,
  shared?: SharedNumbers,
): Promise<OpenTrials> {
  const data = new SearchedTable(plan, staging);
  const prepared = new PreparedTables(data, shared);
  // Before the first trial, so that the processes beside this one find it; what is wrong with the table is wrong with all trials.
  await prepared.of(plan).catch(() => data.read());
  return {
    async run(configuration: Configuration, context: TrialContext) {
      const trial = applyTabularConfiguration(plan, configuration);
      const rows = await prepared.of(trial);
      return trial.algorithm === 'neural_network'
        ? judgeNetwork(trial, await data.read(), rows, context)
        : judgeFolds(trial, rows, context);
    },
  };
}

/** The staged table, read when it is first asked for, and which of its rows a search sees. */
class SearchedTable {
  #read: Promise<SearchedRows> | undefined;

  constructor(
    private readonly plan: TrainingPlan,
    private readonly staging: string,
  ) {}

  read(): Promise<SearchedRows> {
    return (this.#read ??= this.#readOnce());
  }

  async #readOnce(): Promise<SearchedRows> {
    const table = await readTrainingTable(this.plan, this.staging);
    const isKept = reserveRows(table, this.plan.seed);
    return { table, searched: trainingRows(table).filter((row) => isKept[row] === 0) };
  }
}

interface SearchedRows {
  table: TrainingTable;
  searched: Uint32Array;
}

/** The rows of the trials in numbers, split into folds. */
interface Prepared {
  isInTime: boolean;
  heads: readonly HeadRows[];
}

/** Ways of preparing a table whose numbers are kept for the next trials. */
const MOST_PREPARED = 4;

/** Trials that prepare the columns in the same way share the numbers, in this process and with those beside it. */
class PreparedTables {
  readonly #known = new Map<string, Promise<Prepared>>();

  constructor(
    private readonly data: SearchedTable,
    private readonly shared: SharedNumbers | undefined,
  ) {}

  of(trial: TrainingPlan): Promise<Prepared> {
    const key = canonicalJson(settingsOf(trial).preprocessing ?? null);
    const found = this.#known.get(key) ?? this.#prepare(key, trial);
    // The ones used last stay, and one that could not be made is none.
    this.#known.delete(key);
    this.#known.set(key, found);
    found.catch(() => this.#known.delete(key));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_PREPARED) break;
      this.#known.delete(oldest);
    }
    return found;
  }

  async #prepare(key: string, trial: TrainingPlan): Promise<Prepared> {
    const known = await this.shared?.take<Prepared>(key);
    if (known) return known;
    const { table, searched } = await this.data.read();
    const encoded = fitEncoder(trial, table, searched);
    const heads = table.targets.map((target) => takeHead(trial, table, encoded, target));
    const prepared = { isInTime: table.isInTime, heads };
    const bytes = heads.reduce((sum, { x, y, target }) => sum + 8 * (x.values.length + y.length + target.y.length), 0);
    await this.shared?.keep(key, prepared, bytes);
    return prepared;
  }
}

function takeHead(
  plan: TrainingPlan,
  table: TrainingTable,
  { encoder, rows: learnt, x: matrix }: FittedEncoder,
  target: HeadTarget,
): HeadRows {
  const input = headInput(plan, table, encoder, matrix, target, createMembership(table.rows, learnt));
  const { rows, categorical, monotone } = input;
  const truths = pick(target.y, rows);
  const y = onTrialScale(target, truths);
  const classes = target.head.task === 'regression' ? 0 : target.classes.length;
  return {
    target,
    x: takeRows(matrix, rows),
    y,
    classes,
    folds: foldsOf(input, truths),
    categorical,
    monotone,
    baseline: baselineLoss(y, classes),
  };
}

/** Fold by fold, so that a trial that does badly on the first ones can be ended. */
function judgeFolds(
  plan: TrainingPlan,
  { isInTime, heads }: Prepared,
  { report }: TrialContext,
): TrialResult | undefined {
  const curves = heads.map((): Float64Array[] => []);
  const judgedFolds = heads.map((): JudgedFold[] => []);
  const losses = () => heads.map(({ baseline }, at) => settledLoss(curves[at]!) / baseline);
  for (let fold = 0; fold < FOLDS; fold++) {
    for (const [at, head] of heads.entries()) {
      const all = [...head.folds.keys()];
      const rows = Uint32Array.from(all.filter((row) => head.folds[row] !== fold));
      const judged = Uint32Array.from(all.filter((row) => head.folds[row] === fold));
      if (judged.length === 0 || rows.length === 0) continue;
      const held = { x: takeRows(head.x, judged), y: pick(head.y, judged) };
      const { curve, ...judgement } = fitFold(
        plan,
        isInTime,
        head,
        { x: takeRows(head.x, rows), y: pick(head.y, rows) },
        held,
      );
      curves[at]!.push(curve);
      judgedFolds[at]!.push({ ...judgement, y: held.y });
    }
    if (report(fold + 1, mean(losses())) === 'prune') return undefined;
  }
  return { metrics: { loss: mean(losses()), ...metricsOf(plan, heads, losses(), judgedFolds) } };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** By name what `tabularMetrics` promises. */
function metricsOf(
  plan: TrainingPlan,
  heads: readonly HeadRows[],
  losses: readonly number[],
  folds: readonly (readonly JudgedFold[])[],
): Record<string, number> {
  const { costs, positiveClass } = settingsOf(plan);
  const metrics: Record<string, number> = foldCosts(folds);
  heads.forEach(({ target: { head, classes }, classes: count }, at) => {
    metrics[`${head.name}.loss`] = losses[at]!;
    if (count === 0) return;
    metrics[`${head.name}.accuracy`] = accuracyOf(folds[at]!, count);
    const positive = classes.findIndex((name) => String(name) === positiveClass);
    if (costs && positive >= 0 && count === 2) metrics['cost'] = foldedCost(folds[at]!, positive, costs);
  });
  return metrics;
}

/**
 * The mean over the folds: of boosting after the number of rounds that does best for all of them together, since that is how many the
 * final model gets. A best round for each fold would flatter it.
 */
function settledLoss(curves: readonly Float64Array[]): number {
  const length = Math.min(...curves.map((curve) => curve.length));
  // Not Math.min from the start: a figure that is no number must be told as such.
  let best = NaN;
  for (let round = 0; round < length; round++) {
    const mean = curves.reduce((sum, curve) => sum + curve[round]!, 0) / curves.length;
    if (!(mean >= best)) best = mean;
  }
  return best;
}

/** A model of the other folds, and its loss on the judged rows: after each round of boosting that can be the last, once of any other algorithm. */
function fitFold(
  plan: TrainingPlan,
  isInTime: boolean,
  head: HeadRows,
  training: Rows,
  held: Rows,
): Omit<JudgedFold, 'y'> & { curve: Float64Array } {
  const { x, classes, categorical, monotone } = head;
  const { hyperparameters } = plan;
  if (plan.algorithm === 'gradient_boosting') {
    const loss = boostingLossOf(classes);
    const parameters = boostingParameters({ hyperparameters, isInTime, x }, loss);
    const curve: number[] = [];
    // Half the squared error is what boosting calls its loss.
    const scale = classes === 0 ? 2 : 1;
    const onRound = ({ validationLoss = NaN }) => void curve.push(scale * validationLoss);
    const model = boostingHead(
      fitGradientBoosting({ ...training, categorical, monotone, loss, parameters, validation: held, onRound }),
    );
    // Where no round is chosen, the last one counts.
    return {
      curve: Float64Array.from(parameters.earlyStoppingRounds === null ? curve.slice(-1) : curve),
      model,
      answers: model.predict(held.x),
    };
  }
  const model = plan.algorithm === 'linear' ? fitLinearFold(plan, head, training) : fitForestFold(plan, head, training);
  const answers = model.predict(held.x);
  return { curve: Float64Array.of(meanLoss(answers, held.y, classes)), model, answers };
}

type Rows = { x: FeatureMatrix; y: Float64Array };

function fitLinearFold({ hyperparameters }: TrainingPlan, { classes, categorical }: HeadRows, rows: Rows): HeadModel {
  const task = classes === 0 ? ({ kind: 'regression' } as const) : ({ kind: 'classification', classes } as const);
  return linearHead(fitLinear({ ...rows, task, categorical, parameters: linearParameters(hyperparameters) }));
}

function fitForestFold({ hyperparameters }: TrainingPlan, { classes, x }: HeadRows, rows: Rows): HeadModel {
  const task = classes === 0 ? ({ kind: 'regression' } as const) : ({ kind: 'classification', classes } as const);
  return forestHead(
    fitRandomForest({ ...rows, task, parameters: forestParameters(hyperparameters, classes === 0, x.rows) }),
  );
}

function meanLoss(answers: Float64Array, y: Float64Array, classes: number): number {
  return answerLosses(answers, y, classes).reduce((sum, loss) => sum + loss, 0) / y.length;
}

/** A network learns all heads at once and keeps rows of its own to be judged on: one measurement at the end. */
async function judgeNetwork(
  plan: TrainingPlan,
  { table, searched }: SearchedRows,
  { heads }: Prepared,
  { report }: TrialContext,
): Promise<TrialResult | undefined> {
  const { fitNetworkHeads } = await importNetworkFit();
  const { encoder, rows, x } = fitEncoder(plan, table, searched);
  const input = networkInput(plan, table, encoder, x, table.targets, rows);
  const fitted = await fitNetworkHeads({ ...input, onProgress: () => undefined });
  // Of a regression the mean error, as a share of the usual distance from the mean.
  const losses = heads.map(
    ({ baseline, classes }, at) =>
      fitted.heads[at]!.candidates[0]!.loss / (classes === 0 ? Math.sqrt(baseline) : baseline),
  );
  if (report(FOLDS, mean(losses)) === 'prune') return undefined;
  const judged = fitted.heads.map(({ model, unseen }, at): JudgedFold[] => {
    const { target, classes } = heads[at]!;
    const learnt = rowsOf(target, createMembership(table.rows, rows));
    return classes === 0
      ? [{ model, answers: unseen.answers, y: new Float64Array() }]
      : [
          {
            model,
            answers: unseen.answers,
            y: pick(
              target.y,
              Uint32Array.from(unseen.rows, (row) => learnt[row]!),
            ),
          },
        ];
  });
  return { metrics: { loss: mean(losses), ...metricsOf(plan, heads, losses, judged) } };
}
