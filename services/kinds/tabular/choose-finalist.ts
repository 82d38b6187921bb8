import { compareToBaseline } from '../../../ml/evaluate/compare-to-baseline.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import type { PlannedVariant, TrainingPlan } from '../../training/training-plan.js';
import type { OnProgress } from '../recipe.js';
import { pick } from './candidate.js';
import { fitEncoder, type FittedEncoder } from './fit-encoder.js';
import { answerRows, type FittedHead } from './fit-head.js';
import { variantsOf } from './plan.js';
import { reserveRows } from './reserve-rows.js';
import { applyTabularConfiguration } from './search-space.js';
import { rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';
import { answerLosses, baselineLoss, onTrialScale } from './trial-loss.js';

/** What may be taken, and how it did. Losses are shares of what the answer that needs no model loses: 1 is as bad as that. */
export interface Entrant {
  name: string;
  /** Of a trial its number. */
  trial?: number;
  configuration?: Configuration;
  /** In the search, which had a hand in choosing it. */
  search_loss?: number;
  /** On rows that no trial has seen. */
  fresh_loss: number;
}

/** What became of the finalists of a search; kept with the version. */
export interface SearchVerdict {
  sweep_id: string;
  chosen: string;
  reason: string;
  /** Rows that no trial has seen; 0 where there were too few to keep any. */
  fresh_rows: number;
  /** The best first; the answer that needs no model is one of them. */
  entrants: readonly Entrant[];
  /** By how much more the best trial loses on fresh rows than it did in the search, the best of so many. */
  optimism: number | null;
  /** How much less the chosen one loses than what would have been fitted without a search, by entity; above 0 it is better. */
  over_defaults: { difference: number; lower: number; upper: number } | null;
  /** What is fitted on all training rows. */
  variants: readonly PlannedVariant[];
}

/** Fits all heads as a plan says, on the rows that the trials saw. @param name of the entrant, for its checkpoints */
export type FitEntrant = (
  plan: TrainingPlan,
  name: string,
  searched: FittedEncoder,
  onProgress: OnProgress,
) => Promise<readonly Pick<FittedHead, 'model' | 'transform' | 'calibration'>[]>;

const NO_MODEL = 'no model';
const DEFAULTS = 'defaults';
const TOGETHER = 'the best together';

/**
 * Chooses among the best trials of a search, all of them together, and what would have been fitted without a search, by rows that no
 * trial has seen: the best of many on the same rows is partly luck, and only fresh rows tell how much. Undefined without a search.
 */
export async function chooseFinalist(
  plan: TrainingPlan,
  table: TrainingTable,
  fit: FitEntrant,
  onProgress: OnProgress,
): Promise<SearchVerdict | undefined> {
  const { sweep } = plan;
  if (!sweep) return undefined;
  const isKept = reserveRows(table, plan.seed);
  const fresh = isKept.reduce((sum, kept) => sum + kept, 0);
  const trials = sweep.finalists.map(({ trial, configuration, loss }) => ({
    entrant: { name: `trial ${trial}`, trial, configuration, search_loss: loss },
    plan: applyTabularConfiguration({ ...plan, ...sweep.defaults }, configuration),
  }));
  if (fresh === 0) return withoutFreshRows(sweep.sweep_id, trials[0]!);
  const wanted = [
    ...trials,
    ...togetherOf(plan, trials),
    { entrant: { name: DEFAULTS }, plan: { ...plan, ...sweep.defaults } },
  ];
  const isSearched = (row: number) => table.isHeldOut[row] === 0 && isKept[row] === 0;
  // Fresh rows have no say in how columns become numbers either.
  const searched = fitEncoder(plan, table, Uint32Array.from([...table.isHeldOut.keys()].filter(isSearched)));
  const judged: Judged[] = [];
  for (const [at, { entrant, plan: own }] of wanted.entries()) {
    const onStep = (share: number, detail: string) =>
      onProgress((at + share) / wanted.length, `finalists: ${entrant.name}: ${detail}`);
    const heads = await fit(own, entrant.name.replaceAll(' ', '-'), searched, onStep);
    const units = lossByUnit(table, searched.x, heads, { isKept, isSearched });
    const loss = units.reduce((sum, unit) => sum + unit, 0) / units.length;
    judged.push({ entrant: { ...entrant, fresh_loss: loss }, units, variants: variantsOf(own) });
  }
  return describeVerdict(sweep.sweep_id, plan.seed, fresh, judged);
}

interface Judged {
  entrant: Entrant;
  /** Loss of each entity on fresh rows. */
  units: Float64Array;
  variants: readonly PlannedVariant[];
}

/** The trials fitted side by side and blended, where there are several that can be: a network learns by itself. */
function togetherOf(plan: TrainingPlan, trials: readonly { plan: TrainingPlan }[]) {
  const variants = trials
    .map((trial) => trial.plan)
    .filter(({ algorithm }) => algorithm !== 'neural_network')
    .map(({ algorithm, hyperparameters }) => ({ algorithm, hyperparameters }));
  const isBlended = plan.heads.some(({ task }) => task !== 'regression');
  return variants.length > 1 && isBlended
    ? [{ entrant: { name: TOGETHER }, plan: { ...plan, algorithm: 'auto', variants } }]
    : [];
}

/** The mean over the heads of each entity's loss, each as a share of what the answer that needs no model loses. */
function lossByUnit(
  table: TrainingTable,
  x: FeatureMatrix,
  heads: Awaited<ReturnType<FitEntrant>>,
  { isKept, isSearched }: { isKept: Uint8Array; isSearched: (row: number) => boolean },
): Float64Array {
  const sums = new Map<number, { loss: number; rows: number }>();
  table.targets.forEach((target, at) => {
    const rows = rowsOf(target, (row) => isKept[row] === 1);
    const losses = shareOfBaseline(target, rows, rowsOf(target, isSearched), answerRows(heads[at]!, takeRows(x, rows)));
    rows.forEach((row, index) => {
      const group = table.groups[row]!;
      const { loss, rows: count } = sums.get(group) ?? { loss: 0, rows: 0 };
      sums.set(group, { loss: loss + losses[index]!, rows: count + 1 });
    });
  });
  return Float64Array.from(sums.values(), ({ loss, rows }) => loss / rows);
}

function shareOfBaseline(target: HeadTarget, rows: Uint32Array, searched: Uint32Array, answers: Float64Array) {
  const classes = target.head.task === 'regression' ? 0 : target.classes.length;
  const known = pick(target.y, searched);
  const scaled = onTrialScale(target, known);
  const isLog = scaled !== known;
  const toScale = (values: Float64Array) => (isLog ? values.map((value) => Math.log(Math.max(1e-12, value))) : values);
  const baseline = baselineLoss(scaled, classes);
  return answerLosses(toScale(answers), toScale(pick(target.y, rows)), classes).map((loss) => loss / baseline);
}

function describeVerdict(sweepId: string, seed: number, fresh: number, judged: readonly Judged[]): SearchVerdict {
  const best = judged.reduce((chosen, one) => (one.entrant.fresh_loss < chosen.entrant.fresh_loss ? one : chosen));
  const [first] = judged;
  const defaults = judged.at(-1)!;
  const isDefault = best === defaults;
  const { difference, lower, upper } = compareToBaseline({
    losses: best.units,
    baselineLosses: defaults.units,
    seed,
  });
  const entrants = [...judged.map(({ entrant }) => entrant), { name: NO_MODEL, fresh_loss: 1 }];
  return {
    sweep_id: sweepId,
    chosen: best.entrant.name,
    reason: isDefault
      ? `None of the finalists of the search does better on ${fresh} rows that no trial has seen than what is fitted without a search, so that is kept.`
      : `On ${fresh} rows that no trial has seen it loses least; ${lower > 0 ? 'that is better than the defaults by more than chance' : 'chance alone could explain how much better than the defaults it is'}.`,
    fresh_rows: fresh,
    entrants: entrants.sort((a, b) => a.fresh_loss - b.fresh_loss),
    optimism: first!.entrant.fresh_loss - first!.entrant.search_loss!,
    over_defaults: isDefault ? null : { difference, lower, upper },
    variants: best.variants,
  };
}

function withoutFreshRows(
  sweepId: string,
  { entrant, plan }: { entrant: { name: string; trial: number; search_loss: number }; plan: TrainingPlan },
): SearchVerdict {
  return {
    sweep_id: sweepId,
    chosen: entrant.name,
    reason:
      'It did best in the search. There were too few rows to keep some from the search, so how much of that is luck is not known.',
    fresh_rows: 0,
    entrants: [],
    optimism: null,
    over_defaults: null,
    variants: variantsOf(plan),
  };
}

/** The plan with what a search settled on in place of its best trial. */
export function settlePlan(plan: TrainingPlan, verdict: SearchVerdict | undefined): TrainingPlan {
  const [first, ...others] = verdict?.variants ?? [];
  if (!first) return plan;
  const { variants: _, ...rest } = plan;
  return others.length === 0 ? { ...rest, ...first } : { ...rest, algorithm: 'auto', variants: [first, ...others] };
}
