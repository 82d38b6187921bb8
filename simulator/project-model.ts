import type { RandomSource } from './random-source.js';

/** What is known of a project when it starts. */
export interface ProjectPlan {
  /** 0..1. */
  complexityScore: number;
  /** People, 1..15. */
  teamSize: number;
  /** Planned days, 5..180. */
  durationEstimate: number;
  /** 0..1. */
  technologyMaturity: number;
}

/** Standard deviation of the logarithm of the time that a project takes beside its expectation. */
export const DURATION_NOISE = 0.12;
/** A failed project stops after this share of the days that it would have taken, on average. */
export const FAILED_SHARE = 0.8;

/** Draws a plan: complexity and maturity uniform, teams and estimates that grow with complexity. */
export function drawProjectPlan(random: RandomSource): ProjectPlan {
  const complexityScore = round(random.uniform(), 3);
  const technologyMaturity = round(random.uniform(), 3);
  const teamSize = Math.min(15, 1 + random.poisson(1 + 4 * complexityScore));
  const days = Math.exp(Math.log(15 + 45 * complexityScore) + 0.35 * random.normal());
  return {
    complexityScore,
    teamSize,
    durationEstimate: Math.round(Math.min(180, Math.max(5, days))),
    technologyMaturity,
  };
}

/**
 * What makes projects succeed. All tables are of the `usual` world. In the `shifted` one new tools carry what is complex, and what is mature
 * is what they know least of: the same plans end otherwise.
 */
export type ProjectWorld = 'usual' | 'shifted';
const WEIGHTS: Record<ProjectWorld, { complexity: number; maturity: number }> = {
  usual: { complexity: -10, maturity: 8.5 },
  shifted: { complexity: 8.5, maturity: -10 },
};

/**
 * Chance that the project succeeds, 0..1: a logistic function of complexity, maturity, the people for the complexity, and
 * haste (days planned against what the complexity asks for).
 */
export function projectSuccessChance(plan: ProjectPlan, world: ProjectWorld = 'usual'): number {
  const { complexity, maturity } = WEIGHTS[world];
  const haste = Math.log((15 + 45 * plan.complexityScore) / plan.durationEstimate);
  const understaffing = Math.max(0, 1 + 3 * plan.complexityScore - plan.teamSize);
  const score =
    3.4 + complexity * plan.complexityScore + maturity * plan.technologyMaturity - 1.5 * understaffing - 2.5 * haste;
  return 1 / (1 + Math.exp(-score));
}

/** Days that a project which succeeds takes on average: the estimate, stretched by complexity and immaturity. */
export function expectedProjectDays(plan: ProjectPlan): number {
  const stretch =
    0.9 + 0.5 * plan.complexityScore * (1.3 - plan.technologyMaturity) + 0.02 * Math.max(0, plan.teamSize - 6);
  return plan.durationEstimate * stretch;
}

/** Lets the project happen: whether it succeeds and after how many days it ends. */
export function drawProjectOutcome(
  random: RandomSource,
  plan: ProjectPlan,
): { isSuccess: boolean; actualDays: number } {
  const isSuccess = random.chance(projectSuccessChance(plan));
  const days = expectedProjectDays(plan) * Math.exp(DURATION_NOISE * random.normal()) * (isSuccess ? 1 : FAILED_SHARE);
  return { isSuccess, actualDays: Math.max(1, round(days, 2)) };
}

export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
