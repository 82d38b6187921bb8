import { ServiceError } from '../../core/errors.js';
import type { SweepState } from '../../core/schemas/search.js';
import { bestTrials, rankTrials } from '../../ml/search/rank-trials.js';
import type { Trial } from '../../ml/search/trial.js';
import { canonicalJson } from '../canonical-json.js';
import type { Database } from '../database/database.js';
import { RECIPES } from '../kinds/recipes.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { objectivesOf } from './judge-metrics.js';
import type { Finalist, FrontTrial, SearchPlan, SweepChoice } from './search-plan.js';
import { toTrial } from './trial-table.js';

/** So many are kept to be compared on fresh rows; a search whose best may answer together keeps those, too. */
const LEAST_FINALISTS = 3;

export interface SweepEnd {
  state: Extract<SweepState, 'completed' | 'stopped' | 'failed' | 'cancelled'>;
  reason: string;
}

/** What came of a sweep: numbers and scores only. */
export interface SweepResult extends SweepEnd {
  sweep_id: string;
  trials: number;
  best: { trial: number; loss: number } | null;
}

/**
 * Ends a sweep: trials under way are given up, and the best of those that ran to their end is written down. One without any has failed.
 * Repeatable: the first end stands.
 */
export async function closeSweep(
  { sweepId: id, end }: { sweepId: string; end: SweepEnd },
  { database }: { database: Database },
): Promise<SweepResult> {
  return database.prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT 1 FROM sweeps WHERE id = ${id} FOR UPDATE`;
    const sweep = await transaction.sweep.findUnique({ where: { id } });
    // It ended before it was opened.
    if (!sweep) return { ...end, sweep_id: id, trials: 0, best: null };
    if (!sweep.finishedAt)
      await transaction.$executeRaw`
        UPDATE sweep_trials SET state = 'stopped', reason = 'The sweep ended before it.', updated_at = now(), finished_at = now()
        WHERE sweep_id = ${id} AND state = 'running'`;
    const rows = await transaction.sweepTrial.findMany({ where: { sweepId: id }, orderBy: { index: 'asc' } });
    const trials = rows.map(toTrial);
    const [best] = bestTrials(trials);
    const result = (found: SweepEnd): SweepResult => ({
      ...found,
      sweep_id: id,
      trials: rows.length,
      best: best ? { trial: best.index, loss: lossOf(best) } : null,
    });
    if (sweep.finishedAt) return result({ state: sweep.state as SweepEnd['state'], reason: sweep.reason ?? '' });
    const isEmpty = !best && (end.state === 'completed' || end.state === 'stopped');
    const found: SweepEnd = isEmpty ? { state: 'failed', reason: whyEmpty(rows, end) } : end;
    const data = { ...found, bestTrial: best?.index ?? null, finishedAt: new Date() };
    await transaction.sweep.update({ where: { id }, data });
    return result(found);
  });
}

const lossOf = ({ outcome }: ReturnType<typeof toTrial>): number =>
  outcome.state === 'completed' ? outcome.losses[0]! : NaN;

/** The reason that most of the trials have failed for. */
function whyEmpty(rows: readonly { state: string; reason: string | null }[], end: SweepEnd): string {
  const reasons = new Map<string, number>();
  for (const { state, reason } of rows)
    if (state === 'failed') reasons.set(reason ?? '', (reasons.get(reason ?? '') ?? 0) + 1);
  const missed = rows.filter(({ state }) => state === 'completed').length;
  if (missed > 0)
    return `${missed} of the ${rows.length} trials gave a model, and none of them meets the constraints. GET /sweeps/{sweep_id}/trials has their metrics. Loosen search.constraints, or search smaller models.`;
  const [common] = [...reasons].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  if (!common)
    return `None of the ${rows.length} trials came to its end before the search did: ${end.reason} Give it more trials or more time.`;
  const [reason, count] = common;
  return `None of the ${rows.length} trials gave a model. ${count} of them failed because: ${reason} GET /sweeps/{sweep_id}/trials has the others. Mend search.space, or leave it out.`;
}

/**
 * The plan of the run with the hyperparameters of the best trial; of a search that nobody asked for, as it was where there is none.
 * @throws ServiceError `sweep_failed` where there is none of one that was asked for
 */
export async function applySweep(
  plan: TrainingPlan,
  sweepId: string,
  { database }: { database: Database },
): Promise<TrainingPlan> {
  const sweep = await database.prisma.sweep.findUniqueOrThrow({ where: { id: sweepId } });
  if (sweep.bestTrial === null) {
    const reason = sweep.reason ?? 'The search found nothing.';
    if (!plan.search?.isAutomatic) throw new ServiceError('sweep_failed', reason);
    return {
      ...plan,
      warnings: [...plan.warnings, { path: 'search', message: `the defaults were fitted. ${reason}` }],
    };
  }
  const rows = await database.prisma.sweepTrial.findMany({ where: { sweepId }, orderBy: { index: 'asc' } });
  const trials = rows.map(toTrial);
  const best = trials[sweep.bestTrial]!;
  const count = (state: string) => rows.filter((row) => row.state === state).length;
  const choice: SweepChoice = {
    sweep_id: sweepId,
    trial: best.index,
    configuration: best.configuration,
    loss: lossOf(best),
    finalists: finalistsOf(trials, plan.search?.ensembleModels),
    ...frontOf(plan, trials),
    defaults: { algorithm: plan.algorithm, hyperparameters: plan.hyperparameters, settings: plan.settings },
    trials: rows.length,
    completed: count('completed'),
    pruned: count('pruned'),
    failed: count('failed'),
  };
  return { ...RECIPES[plan.kind].search!.apply(plan, best.configuration), sweep: choice };
}

const MOST_OF_FRONT = 50;

function frontOf({ search }: TrainingPlan, trials: readonly Trial[]): Pick<SweepChoice, 'front'> {
  if (!search || objectivesOf(search).length === 1) return {};
  return { front: describeFront(search, bestTrials(trials)).slice(0, MOST_OF_FRONT) };
}

/** The trials of a front with their figures, as their objectives call them. */
export function describeFront(search: Pick<SearchPlan, 'objectives'>, front: readonly Trial[]): FrontTrial[] {
  const objectives = objectivesOf(search);
  return front.map(({ index, configuration, outcome }) => {
    const losses = outcome.state === 'completed' ? outcome.losses : [];
    const values = objectives.map(({ metric, direction }, k) => [
      metric,
      direction === 'minimize' ? losses[k]! : -losses[k]!,
    ]);
    return { trial: index, configuration, values: Object.fromEntries(values) as Record<string, number> };
  });
}

/** The best that differ, by the first objective: what no other betters in all, and then the others that met the constraints. */
function finalistsOf(trials: readonly Trial[], ensembleModels = LEAST_FINALISTS): Finalist[] {
  const seen = new Set<string>();
  const { ranked } = rankTrials(
    trials.filter(({ outcome }) => outcome.state === 'completed' && outcome.violation === 0),
  );
  return [...bestTrials(trials), ...ranked]
    .filter(({ configuration }) => seen.size < seen.add(canonicalJson(configuration)).size)
    .slice(0, Math.max(LEAST_FINALISTS, ensembleModels))
    .map((trial) => ({
      trial: trial.index,
      configuration: trial.configuration,
      // Its last report is the loss, whatever the objectives are.
      loss: trial.reports.at(-1)?.loss ?? lossOf(trial),
    }));
}

/** Ends the sweep of a job whose workflow was ended from outside and can do so no longer. Repeatable. */
export async function abandonSweepOf(jobId: string, context: { database: Database }): Promise<void> {
  const open = await context.database.prisma.sweep.findFirst({ where: { jobId, finishedAt: null } });
  if (!open) return;
  const end = { state: 'cancelled' as const, reason: 'The workflow of the sweep was ended from outside.' };
  await closeSweep({ sweepId: open.id, end }, context);
}
