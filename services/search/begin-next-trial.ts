import type { Configuration } from '../../ml/search/search-space.js';
import { visibleTrials, type Trial } from '../../ml/search/trial.js';
import { digestOf } from '../canonical-json.js';
import type { Database } from '../database/database.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { drawTrial } from './draw-trial.js';
import { endedBefore } from './measure-trial.js';
import type { SearchPlan } from './search-plan.js';
import type { SweepMemory, SweepSubject } from './sweep-memory.js';
import { beginTrial, type DrawnTrial } from './trial-table.js';

/** A trial that this lane has begun. */
export interface BegunTrial {
  index: number;
  configuration: Configuration;
  cacheKey: string;
  /** The ends that it may know. */
  history: readonly Trial[];
}

/**
 * `blocked`: trials that the next one follows from still run. `over`: it may not start, as the sweep is paused, over, or out of trials.
 * `begun` are the trials of the sweep that have.
 */
export type NextTrial = BegunTrial | { end: 'blocked' | 'over'; begun: number };

/**
 * Begins the lowest trial that nobody has begun, or again the one that an earlier attempt of the lane has left. Trials begin in the order
 * of their numbers, and trial `i` only when all up to `i - parallelism` have ended: so its draw follows from the table alone, whoever is
 * how fast.
 */
export function beginNextTrial(
  run: { sweepId: string; lane: string; worker: string },
  context: { database: Database; memory: SweepMemory },
): Promise<NextTrial> {
  return context.memory.inTurn(run.sweepId, () => beginOne(run, context));
}

async function beginOne(
  { sweepId, lane, worker }: Parameters<typeof beginNextTrial>[0],
  { database, memory }: Parameters<typeof beginNextTrial>[1],
): Promise<NextTrial> {
  const subject = await memory.subject(sweepId);
  for (let tried = -1; ;) {
    const { ended, open } = await memory.trials(sweepId);
    const left = open.find((trial) => trial.isRunning && (trial.lane === lane || trial.lane === null));
    const index = left?.index ?? ended.length + open.length;
    if (index === tried) return { end: 'over', begun: index };
    const endedCount = endedBefore(index, subject.plan.search!);
    if (ended.length < endedCount) return { end: 'blocked', begun: index };
    const draw = drawNext({ sweepId, index }, subject, [...ended, ...open].slice(0, index));
    const configuration = await beginTrial(database, { ...draw, worker, lane, isBegun: left !== undefined });
    const history = ended.slice(0, endedCount);
    if (configuration) return { index, configuration, cacheKey: draw.cacheKey, history };
    // Another lane has begun it meanwhile, and then the next one is asked for; or it may not start.
    tried = index;
  }
}

/** @param trials all before this one */
function drawNext(
  { sweepId, index }: { sweepId: string; index: number },
  { plan, warm }: SweepSubject,
  trials: readonly Trial[],
): DrawnTrial {
  const search = plan.search!;
  const history = visibleTrials(trials, index, search.parallelism);
  const drawn = drawTrial({ ...search, warm, index, history });
  return { sweepId, index, ...drawn, cacheKey: trialKey(plan, drawn.configuration) };
}

/** Of everything that a measurement follows from, but for the trials beside it. */
export function trialKey(plan: TrainingPlan, configuration: Configuration): string {
  const { jobId: _job, search, warnings: _warnings, autoDeploy: _deploy, crossValidation: _cross, ...rest } = plan;
  const { seed, resource } = search as SearchPlan;
  return digestOf(['trial', rest, seed, resource, configuration]);
}
