import type { TrialResult } from '../kinds/recipe.js';
import type { Constraint, Objective, SearchPlan } from './search-plan.js';

/** The metric that every trial has: what it reports on its way, and what is judged where a search names no objective. */
export const LOSS = 'loss';

export const objectivesOf = ({ objectives }: Pick<SearchPlan, 'objectives'>): readonly Objective[] =>
  objectives ?? [{ metric: LOSS, direction: 'minimize' }];

/**
 * What the figures of a trial come to under the objectives and constraints of a search: a loss an objective, lower is better, and how far
 * the constraints are missed in all, each as a share of its bound.
 * @returns NaN for a metric that the trial does not have
 */
export function judgeMetrics(
  search: Pick<SearchPlan, 'objectives' | 'constraints'>,
  { metrics }: Pick<TrialResult, 'metrics'>,
): { losses: number[]; violation: number } {
  return {
    losses: objectivesOf(search).map(({ metric, direction }) => {
      const value = metrics[metric] ?? NaN;
      return direction === 'minimize' ? value : -value;
    }),
    violation: violationOf(search.constraints ?? [], metrics),
  };
}

/** How far constraints are missed in all; those of metrics that are not there are left out where `isPartial`. */
export function violationOf(
  constraints: readonly Constraint[],
  metrics: Readonly<Record<string, number>>,
  { isPartial = false } = {},
): number {
  return constraints
    .filter(({ metric }) => !isPartial || metric in metrics)
    .reduce((sum, { metric, max = Infinity, min = -Infinity }) => {
      const value = metrics[metric] ?? NaN;
      const missed = value > max ? share(value - max, max) : value < min ? share(min - value, min) : 0;
      return sum + (Number.isNaN(value) ? NaN : missed);
    }, 0);
}

const share = (by: number, of: number) => by / Math.max(Math.abs(of), 1e-9);
