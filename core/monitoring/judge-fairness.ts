import { wilsonInterval } from '../../ml/evaluate/roc.js';
import type { FindingState, Severity } from './finding.js';
import { momentsOf, numberOf, tallyOf, type Tally } from './tally.js';

/** How often something happened. */
export interface Rate {
  hits: number;
  rows: number;
}

export interface GapVerdict {
  state: FindingState;
  severity: Severity;
  /** The group's rate minus that of all others; null where nothing is known. */
  gap: number | null;
  /** Of the gap, at the level of the rule. */
  lower: number | null;
  upper: number | null;
  group: Rate;
  others: Rate;
  reason?: 'too_few_rows';
}

export interface GapRule {
  leastRows: number;
  mostGap: number;
  /** Chance of a false alarm of this one look. */
  alpha: number;
}

/** Yes or no of a head that answers with a probability, or that says so itself. */
const BOUND = 0.5;

/** Rates of a head by which groups are compared: `selection_rate` needs no truth; `accuracy` and `recall` do. */
export function ratesOf(
  { answers, outcomes }: { answers: Tally; outcomes: Tally },
  head: string,
): Record<string, Rate> {
  const given = tallyOf(tallyOf(answers, 'heads'), head);
  const means = tallyOf(tallyOf(tallyOf(outcomes, 'heads'), head), 'means');
  const rates: Record<string, Rate> = {};
  const bins = Object.values(tallyOf(given, 'bins')).filter((bin) => typeof bin === 'object');
  const classes = tallyOf(given, 'classes');
  if (bins.length > 0) {
    // A bin lies on one side as a whole, but for the one around a half.
    const chosen = bins.filter((bin) => numberOf(bin, 'score') / numberOf(bin, 'n') >= BOUND);
    rates['selection_rate'] = { hits: rowsOf(chosen), rows: rowsOf(bins) };
  } else if (numberOf(classes, 'true') + numberOf(classes, 'false') > 0)
    rates['selection_rate'] = {
      hits: numberOf(classes, 'true'),
      rows: numberOf(classes, 'true') + numberOf(classes, 'false'),
    };
  for (const name of ['accuracy', 'recall']) {
    const moments = momentsOf(means, name);
    if (moments) rates[name] = { hits: moments.sum, rows: moments.n };
  }
  return rates;
}

const rowsOf = (bins: readonly Tally[]) => bins.reduce((sum, bin) => sum + numberOf(bin, 'n'), 0);

/** Whether a group's rate differs from that of all others by more than is allowed, beyond chance (Newcombe's interval, 1998). */
export function judgeGap(group: Rate, others: Rate, rule: GapRule): GapVerdict {
  if (group.rows < rule.leastRows || others.rows < rule.leastRows)
    return {
      state: 'unknown',
      severity: 'none',
      gap: null,
      lower: null,
      upper: null,
      group,
      others,
      reason: 'too_few_rows',
    };
  const own = { rate: group.hits / group.rows, ...wilsonInterval(group.hits, group.rows, 1 - rule.alpha) };
  const other = { rate: others.hits / others.rows, ...wilsonInterval(others.hits, others.rows, 1 - rule.alpha) };
  const gap = own.rate - other.rate;
  const lower = gap - Math.hypot(own.rate - own.lower, other.upper - other.rate);
  const upper = gap + Math.hypot(own.upper - own.rate, other.rate - other.lower);
  const isAlarm = lower > rule.mostGap || upper < -rule.mostGap;
  const isSuspect = Math.abs(gap) > rule.mostGap;
  const state = isAlarm ? 'alarm' : isSuspect ? 'suspect' : 'ok';
  const severity = state === 'ok' ? 'none' : Math.abs(gap) > 2 * rule.mostGap ? 'high' : 'medium';
  return { state, severity, gap, lower, upper, group, others };
}
