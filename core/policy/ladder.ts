/** Percentages of the entities that a version on trial answers, step by step. */
export const MOST_STEPS = 20;

/**
 * What is wrong with a ladder; undefined for one that a rollout can follow. Shares above half would leave no concurrent cohort of the same
 * size to compare with; 100 ends the ladder.
 */
export function ladderProblem(steps: unknown): string | undefined {
  if (!Array.isArray(steps) || steps.length < 1 || steps.length > MOST_STEPS)
    return `must be a list of 1 to ${MOST_STEPS} percentages`;
  if (!steps.every((step) => typeof step === 'number' && step > 0 && step <= 100))
    return 'must be percentages above 0 and at most 100';
  if (!steps.every((step, at) => at === 0 || step > steps[at - 1])) return 'must rise from step to step';
  return steps.every((step) => step <= 50 || step === 100) ? undefined : 'must be at most 50, or 100 as the last step';
}
