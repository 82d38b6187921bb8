import { buildItemCatalogue } from './item-catalogue.js';
import { CeilingScore, expectedRocAuc, type HeadCeiling } from './ceiling-score.js';
import {
  DURATION_NOISE,
  expectedProjectDays,
  FAILED_SHARE,
  projectSuccessChance,
  type ProjectPlan,
} from './project-model.js';
import { DAY_MS, dayNumber, type SimulationParameters } from './simulation-parameters.js';
import type { SourceRow } from './source-tables.js';
import { emptyUserRows, UserRowSource } from './user-rows.js';

export interface ProjectCeiling {
  /** Finished projects. */
  projects: number;
  successRate: number;
  success: HeadCeiling & { rocAuc: number };
  /** Smallest mean absolute error of the days of a successful project, as a share of its expected days. */
  completionTimeError: number;
}

/** The best that any model can be expected to reach on finished projects, from the plan alone. */
export function projectCeiling(parameters: SimulationParameters): ProjectCeiling {
  const source = new UserRowSource(parameters, buildItemCatalogue(parameters));
  const score = new CeilingScore(2);
  const chances: number[] = [];
  let projects = 0;
  let successes = 0;
  for (let index = 0; index < parameters.users; index += 1) {
    const rows = emptyUserRows();
    source.writeUser(index, rows);
    for (const row of rows.projects) {
      const outcome = row[7];
      if (outcome === null) continue;
      const chance = chanceGivenFinished(row, dayNumber(parameters.end));
      projects += 1;
      if (outcome === 'success') successes += 1;
      score.add([chance, 1 - chance]);
      chances.push(chance);
    }
  }
  return {
    projects,
    successRate: projects === 0 ? 0 : successes / projects,
    success: { ...score.result(), rocAuc: expectedRocAuc(chances) },
    completionTimeError: DURATION_NOISE * Math.sqrt(2 / Math.PI),
  };
}

/** Chance of success, given that the project was finished when the window ended: failures end sooner. */
function chanceGivenFinished(row: SourceRow, endDay: number): number {
  const plan: ProjectPlan = {
    complexityScore: Number(row[3]),
    teamSize: Number(row[4]),
    durationEstimate: Number(row[5]),
    technologyMaturity: Number(row[6]),
  };
  const daysLeft = endDay - Number(row[2]) / DAY_MS;
  const finished = (days: number): number => normalBelow(Math.log(daysLeft / days) / DURATION_NOISE);
  const success = projectSuccessChance(plan);
  const ifSuccess = success * finished(expectedProjectDays(plan));
  const ifFailure = (1 - success) * finished(expectedProjectDays(plan) * FAILED_SHARE);
  return ifSuccess + ifFailure === 0 ? success : ifSuccess / (ifSuccess + ifFailure);
}

/** Standard normal distribution function, by Abramowitz and Stegun 7.1.26, to 1e-7. */
function normalBelow(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const tail =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return z > 0 ? 1 - tail / 2 : tail / 2;
}
