import type { ComparedColumn, NumberSummary } from '../../ml/drift/column-drift.js';

/** What most likely happened upstream to a column that drifted. */
export const DRIFT_CAUSES = [
  'missing_values',
  'constant',
  'unit_change',
  'renamed_category',
  'new_category',
  'lost_category',
  'category_shares',
  'mean_shift',
  'changed_spread',
  'changed_shape',
] as const;
export type DriftCauseName = (typeof DRIFT_CAUSES)[number];

export interface DriftCause {
  cause: DriftCauseName;
  /** One sentence with the numbers. */
  detail: string;
  /** Of a change of units: what values were multiplied by. */
  factor?: number;
  /** Categories that it is about. */
  values?: string[];
}

/** Factors between units that are mistaken for each other; the inverse of each counts as well. */
const UNIT_FACTORS = [10, 24, 60, 100, 1000, 1024, 3600, 86_400, 1_000_000, 1_000_000_000];
/** How far mean, median and deviation may each be from the factor. */
const FACTOR_TOLERANCE = 0.2;
const LEAST_CATEGORY_SHARE = 0.01;
/** What of the effect the missing values must be to be its cause. */
const MISSING_PART = 0.5;

/** The likeliest cause, from the most to the least specific. */
export function findDriftCause(column: ComparedColumn): DriftCause {
  return missingCause(column) ?? (column.summary ? numberCause(column, column.summary) : categoryCause(column));
}

function missingCause({ missing, effects }: ComparedColumn): DriftCause | undefined {
  const rise = missing.current - missing.reference;
  const others = effects.filter(({ measure }) => measure !== 'missing_share').map(({ size }) => size);
  if (Math.abs(rise) < 0.02 || Math.abs(rise) < MISSING_PART * Math.max(0, ...others)) return undefined;
  return {
    cause: 'missing_values',
    detail: `${percent(missing.current)} of the rows have no value, where it was ${percent(missing.reference)}.`,
  };
}

function numberCause(
  column: ComparedColumn,
  summary: { reference: NumberSummary; current: NumberSummary },
): DriftCause {
  const { reference, current } = summary;
  if (current.deviation === 0 && reference.deviation > 0)
    return { cause: 'constant', detail: `Every value is ${round(current.mean)}, where values differed before.` };
  const factor = unitFactor(reference, current);
  if (factor !== undefined)
    return {
      cause: 'unit_change',
      factor,
      detail: `Values are ${round(current.median / reference.median)} times what they were, as if the unit had changed (× ${round(factor)}): the median went from ${round(reference.median)} to ${round(current.median)}.`,
    };
  const shift = reference.deviation > 0 ? (current.mean - reference.mean) / reference.deviation : Infinity;
  const spread = reference.deviation > 0 ? current.deviation / reference.deviation : Infinity;
  const effect = column.effects.find(({ measure }) => measure === 'wasserstein_per_deviation')?.raw ?? 0;
  if (Math.abs(shift) >= 0.6 * effect && Math.abs(shift) > 0)
    return {
      cause: 'mean_shift',
      detail: `The mean went from ${round(reference.mean)} to ${round(current.mean)}, ${round(Math.abs(shift))} standard deviations ${shift > 0 ? 'up' : 'down'}.`,
    };
  if (spread > 1.25 || spread < 0.8)
    return {
      cause: 'changed_spread',
      detail: `The standard deviation went from ${round(reference.deviation)} to ${round(current.deviation)}, with the mean about where it was.`,
    };
  return {
    cause: 'changed_shape',
    detail: `Mean and spread are about as before (${round(reference.mean)} and ${round(reference.deviation)}), and the values lie otherwise.`,
  };
}

/** A factor that median, mean and deviation agree on. */
function unitFactor(reference: NumberSummary, current: NumberSummary): number | undefined {
  const ratios = [
    current.median / reference.median,
    current.mean / reference.mean,
    current.deviation / reference.deviation,
  ];
  return UNIT_FACTORS.flatMap((factor) => [factor, 1 / factor])
    .filter((factor) => ratios.every((ratio) => Math.abs(ratio / factor - 1) <= FACTOR_TOLERANCE))
    .sort((a, b) => Math.abs(Math.log(ratios[0]! / a)) - Math.abs(Math.log(ratios[0]! / b)))[0];
}

function categoryCause({ moved_categories: moved = [], new_categories: fresh = [] }: ComparedColumn): DriftCause {
  const lost = moved.filter(({ reference, current }) => current === 0 && reference >= LEAST_CATEGORY_SHARE);
  const known = fresh.filter(({ share }) => share >= LEAST_CATEGORY_SHARE);
  const newShare = fresh.reduce((sum, { share }) => sum + share, 0);
  const lostShare = lost.reduce((sum, { reference }) => sum + reference, 0);
  const names = (values: readonly { value: string }[]) => values.map(({ value }) => value);
  const quoted = (values: readonly { value: string }[]) => values.map(({ value }) => `"${value}"`).join(', ');
  if (known.length > 0 && lost.length > 0 && Math.abs(newShare - lostShare) <= 0.3 * Math.max(newShare, lostShare))
    return {
      cause: 'renamed_category',
      values: [...names(lost), ...names(known)],
      detail: `${quoted(known)} came with ${percent(newShare)} of the rows as ${quoted(lost)} went with ${percent(lostShare)}, as if renamed.`,
    };
  if (known.length > 0)
    return {
      cause: 'new_category',
      values: names(known),
      detail: `${quoted(known)} ${known.length === 1 ? 'is' : 'are'} new, with ${percent(newShare)} of the rows.`,
    };
  if (lost.length > 0)
    return {
      cause: 'lost_category',
      values: names(lost),
      detail: `${quoted(lost)} no longer occurs, and had ${percent(lostShare)} of the rows.`,
    };
  const most = moved[0];
  return {
    cause: 'category_shares',
    ...(most ? { values: [most.value] } : {}),
    detail: most
      ? `"${most.value}" went from ${percent(most.reference)} to ${percent(most.current)} of the rows.`
      : 'The shares of the categories changed.',
  };
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;
const round = (value: number): number => Number(value.toPrecision(3));
