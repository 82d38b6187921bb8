import { ServiceError } from '../../core/errors.js';
import { rankTrials } from '../../ml/search/rank-trials.js';
import { parseSearchSpace, type Configuration } from '../../ml/search/search-space.js';
import { digestOf } from '../canonical-json.js';
import type { Database } from '../database/database.js';
import { RECIPES } from '../kinds/recipes.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { fitsSpace } from './draw-trial.js';
import type { SearchPlan } from './search-plan.js';
import { toTrial } from './trial-table.js';

/** The sweep of a job: its workflow has the same id. */
export const sweepIdOf = (jobId: string): string => `sweep-${jobId}`;

/** What is known of a sweep when its trials begin. */
export interface OpenSweep {
  sweepId: string;
  jobId: string;
  /** Seconds that one trial may take. */
  trialSeconds: number;
  trials: number;
  parallelism: number;
  timeoutSeconds?: number;
}

/** So many configurations of the sweep before are tried first, and no more than a fifth of the budget. */
const MOST_WARM = 3;

/**
 * Writes a sweep down with all that its table follows from. Repeatable: what an earlier attempt has written stands.
 * @throws ServiceError `sweep_not_found` where the warm start names a sweep that is not there
 */
export async function openSweep(
  { plan, rows }: { plan: TrainingPlan; rows: number },
  { database }: { database: Database },
): Promise<OpenSweep> {
  const { prisma } = database;
  const search = plan.search!;
  const id = sweepIdOf(plan.jobId);
  const { trials, timeoutSeconds, parallelism } = search;
  const { jobId, fitTimeoutSeconds: trialSeconds } = plan;
  const opened = { sweepId: id, jobId, trialSeconds, trials, parallelism, timeoutSeconds };
  if (await prisma.sweep.findUnique({ where: { id } })) return opened;
  const schemaDigest = digestOf([plan.kind, plan.features, plan.heads, search.space]);
  const warmStart = await findWarmStart(database, plan, schemaDigest);
  const { sampler, pruner, seed, space, resource, objectives, constraints, ensembleModels } = search;
  const settings = { sampler, pruner, seed, parallelism, space, resource, objectives, constraints, ensembleModels };
  await prisma.sweep.createMany({
    data: [
      {
        id,
        jobId,
        model: plan.model,
        state: 'running',
        settings: settings as never,
        plan: plan as never,
        rows,
        schemaDigest,
        warmStart: warmStart as never,
        trials,
        timeoutSeconds: timeoutSeconds ?? null,
      },
    ],
    skipDuplicates: true,
  });
  return opened;
}

interface WarmStart {
  sweep_id: string | null;
  configurations: Configuration[];
}

/** The best of the sweep that is named, or of the last one of the same model, schema and space. */
async function findWarmStart(database: Database, plan: TrainingPlan, schemaDigest: string): Promise<WarmStart> {
  const { warmStart, space, trials } = plan.search as SearchPlan;
  const usable = parseSearchSpace(space);
  const { unsearched } = RECIPES[plan.kind].search!;
  const first = unsearched && fitsSpace(usable, unsearched) ? [unsearched] : [];
  const none = { sweep_id: null, configurations: first };
  if (warmStart === false) return none;
  const ended = { state: { in: ['completed', 'stopped'] } };
  const before =
    typeof warmStart === 'string'
      ? await database.prisma.sweep.findUnique({ where: { id: warmStart } })
      : await database.prisma.sweep.findFirst({
          where: { ...ended, model: plan.model, schemaDigest },
          orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        });
  if (!before && typeof warmStart === 'string')
    throw new ServiceError(
      'sweep_not_found',
      `There is no sweep "${warmStart.slice(0, 100)}" to start from. GET /sweeps lists them.`,
      [{ path: 'search.warm_start', message: 'must be true, false, or the id of a sweep' }],
    );
  if (!before) return none;
  const rows = await database.prisma.sweepTrial.findMany({ where: { sweepId: before.id, state: 'completed' } });
  const { ranked } = rankTrials(rows.map(toTrial));
  const most = Math.min(MOST_WARM, Math.ceil(trials / 5));
  const configurations = ranked.map(({ configuration }) => configuration).filter((one) => fitsSpace(usable, one));
  return { sweep_id: before.id, configurations: unique([...first, ...unique(configurations).slice(0, most)]) };
}

function unique(configurations: readonly Configuration[]): Configuration[] {
  return [...new Map(configurations.map((one) => [digestOf(one), one])).values()];
}
