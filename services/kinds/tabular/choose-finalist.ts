import { compareToBaseline } from '../../../ml/evaluate/compare-to-baseline.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import type { PreprocessingConfig } from '../../../core/schemas/preprocessing.js';
import { canonicalJson } from '../../canonical-json.js';
import { violationOf } from '../../search/judge-metrics.js';
import type { SweepChoice } from '../../search/search-plan.js';
import type { PlannedVariant, TrainingPlan } from '../../training/training-plan.js';
import type { OnProgress } from '../recipe.js';
import { pick } from './candidate.js';
import { fitEncoder, type FittedEncoder } from './fit-encoder.js';
import { answerRows, type FittedHead } from './fit-head.js';
import { costOf } from './model-cost.js';
import { settingsOf, variantsOf } from './plan.js';
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
  /** Of the model fitted on the rows that the trials saw. */
  model_bytes?: number;
  latency_us?: number;
  /** How far it misses the constraints on size and time, where it does: it is not taken then. */
  violation?: number;
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
  /** How its columns become numbers; null as without any choice. Absent in versions of earlier releases. */
  preprocessing?: PreprocessingConfig | null;
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
/** Fitted and compared one by one: the more there are, the more the comparison flatters its winner in turn. */
const MOST_COMPARED = 3;

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
    plan: applyTabularConfiguration(unsearched(plan, sweep), configuration),
  }));
  if (fresh === 0) return withoutFreshRows(sweep.sweep_id, trials[0]!);
  const wanted = [
    ...trials.slice(0, MOST_COMPARED),
    ...togetherOf(plan, trials),
    { entrant: { name: DEFAULTS }, plan: unsearched(plan, sweep) },
  ];
  const isSearched = (row: number) => table.isHeldOut[row] === 0 && isKept[row] === 0;
  const searchedRows = Uint32Array.from([...table.isHeldOut.keys()].filter(isSearched));
  const judged: Judged[] = [];
  for (const [at, { entrant, plan: own }] of wanted.entries()) {
    const onStep = (share: number, detail: string) =>
      onProgress((at + share) / wanted.length, `finalists: ${entrant.name}: ${detail}`);
    // Fresh rows have no say in how columns become numbers either.
    const searched = fitEncoder(own, table, searchedRows);
    const heads = await fit(own, entrant.name.replaceAll(' ', '-'), searched, onStep);
    const units = lossByUnit(table, searched.x, heads, { isKept, isSearched });
    const loss = units.reduce((sum, unit) => sum + unit, 0) / units.length;
    const cost = costOf(heads.map(({ model }) => model));
    const violation = violationOf(plan.search?.constraints ?? [], { ...cost }, { isPartial: true });
    judged.push({
      entrant: { ...entrant, fresh_loss: loss, ...cost, ...(violation > 0 ? { violation } : {}) },
      units,
      taken: takenOf(own),
    });
  }
  return describeVerdict(sweep.sweep_id, plan.seed, fresh, judged);
}

/** The plan as it would have been without a search. */
function unsearched(plan: TrainingPlan, { defaults }: SweepChoice): TrainingPlan {
  const { settings = plan.settings, ...variant } = defaults;
  return { ...plan, ...variant, settings };
}

const takenOf = (plan: TrainingPlan) => ({
  variants: variantsOf(plan),
  preprocessing: settingsOf(plan).preprocessing ?? null,
});

interface Judged {
  entrant: Entrant;
  /** Loss of each entity on fresh rows. */
  units: Float64Array;
  taken: Required<Pick<SearchVerdict, 'variants' | 'preprocessing'>>;
}

/** The trials fitted side by side and blended, where there are several that can be: those whose columns become numbers as the best one's do, and no network, which learns all heads at once. */
function togetherOf(plan: TrainingPlan, trials: readonly { plan: TrainingPlan }[]) {
  const [first] = trials;
  const preparedAs = (own: TrainingPlan) => canonicalJson(settingsOf(own).preprocessing ?? null);
  const variants = trials
    .slice(0, plan.search?.ensembleModels ?? MOST_COMPARED)
    .map((trial) => trial.plan)
    .filter((own) => own.algorithm !== 'neural_network' && preparedAs(own) === preparedAs(first!.plan))
    .map(({ algorithm, hyperparameters }) => ({ algorithm, hyperparameters }));
  return variants.length > 1
    ? [{ entrant: { name: TOGETHER }, plan: { ...first!.plan, algorithm: 'auto', variants } }]
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
  const missed = ({ violation = 0 }: Entrant) => violation;
  const better = (a: Entrant, b: Entrant) => missed(a) - missed(b) || a.fresh_loss - b.fresh_loss;
  const best = judged.reduce((chosen, one) => (better(one.entrant, chosen.entrant) < 0 ? one : chosen));
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
    reason: missed(best.entrant)
      ? `Fitted on all rows of the search, no finalist meets the constraints on size and time; this one misses them least.`
      : isDefault
        ? `None of the finalists of the search does better on ${fresh} rows that no trial has seen than what is fitted without a search, so that is kept.`
        : `On ${fresh} rows that no trial has seen it loses least; ${lower > 0 ? 'that is better than the defaults by more than chance' : 'chance alone could explain how much better than the defaults it is'}.`,
    fresh_rows: fresh,
    entrants: entrants.sort(better),
    optimism: first!.entrant.fresh_loss - first!.entrant.search_loss!,
    over_defaults: isDefault ? null : { difference, lower, upper },
    ...best.taken,
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
    ...takenOf(plan),
  };
}

/** The plan with what a search settled on in place of its best trial. */
export function settlePlan(plan: TrainingPlan, verdict: SearchVerdict | undefined): TrainingPlan {
  const [first, ...others] = verdict?.variants ?? [];
  if (!verdict || !first) return plan;
  const { variants: _, ...rest } = plan;
  const settled =
    others.length === 0 ? { ...rest, ...first } : { ...rest, algorithm: 'auto', variants: [first, ...others] };
  if (verdict.preprocessing === undefined) return settled;
  const { preprocessing: __, ...settings } = settingsOf(plan);
  return {
    ...settled,
    settings: verdict.preprocessing ? { ...settings, preprocessing: verdict.preprocessing } : settings,
  };
}
