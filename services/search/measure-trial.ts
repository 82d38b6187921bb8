import { createPruner } from '../../ml/search/create-pruner.js';
import type { Pruner } from '../../ml/search/pruner.js';
import type { Configuration } from '../../ml/search/search-space.js';
import type { Report, Trial } from '../../ml/search/trial.js';
import type { OpenTrials, TrialResult } from '../kinds/recipe.js';
import { judgeMetrics, objectivesOf } from './judge-metrics.js';
import type { SearchPlan } from './search-plan.js';

/** What a trial came to, whoever measured it: the same configuration, data, seed and history give the same. */
export interface Measurement {
  state: 'completed' | 'pruned' | 'failed';
  reports: readonly Report[];
  losses: readonly number[];
  violation?: number;
  metrics: Record<string, number>;
  reason?: string;
}

export interface TrialSubject {
  search: SearchPlan;
  index: number;
  configuration: Configuration;
  /** The trials whose ends this one may know, by number. */
  history: readonly Trial[];
}

/** The pruner that a plan names. */
export const prunerOf = ({ pruner, resource }: SearchPlan): Pruner =>
  createPruner(pruner, { minResource: resource.least, maxResource: resource.most });

/** The trials whose ends a trial may know: those that have ended before it can start, however fast the workers are. */
export const endedBefore = (index: number, { parallelism }: Pick<SearchPlan, 'parallelism'>): number =>
  Math.max(0, index - parallelism + 1);

/** Runs one trial. Whatever is wrong with its configuration or its figures makes it a failed one, with the reason. */
export async function measureTrial(
  trials: OpenTrials,
  subject: TrialSubject,
  onReport: (report: Report) => void,
): Promise<Measurement> {
  const { search, index, history, configuration } = subject;
  const pruner = prunerOf(search);
  const reports: Report[] = [];
  let isPruned = false;
  const report = (resource: number, loss: number) => {
    if (isPruned) return 'prune';
    reports.push({ resource, loss: Number.isFinite(loss) ? loss : NaN });
    onReport(reports.at(-1)!);
    isPruned = resource < search.resource.most && decides(pruner, { search, index, history, reports });
    return isPruned ? 'prune' : 'continue';
  };
  try {
    const result = await trials.run(configuration, { seed: search.seed, report });
    if (isPruned) return { state: 'pruned', reports, losses: [], metrics: {} };
    return { ...judgeResult(search, result), reports };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error), reports);
  }
}

/**
 * What the measurement of an equal trial comes to beside other trials: its reports are judged anew.
 * @param measured of a trial that ran to its end
 */
export function replayMeasurement(measured: Measurement, subject: Omit<TrialSubject, 'configuration'>): Measurement {
  const pruner = prunerOf(subject.search);
  for (let end = 1; end <= measured.reports.length; end++) {
    const reports = measured.reports.slice(0, end);
    if (reports.at(-1)!.resource >= subject.search.resource.most) break;
    if (decides(pruner, { ...subject, reports })) return { state: 'pruned', reports, losses: [], metrics: {} };
  }
  return { ...judgeResult(subject.search, measured), reports: measured.reports };
}

const decides = (
  pruner: Pruner,
  { search, ...request }: Omit<TrialSubject, 'configuration'> & { reports: readonly Report[] },
) => pruner.decide({ ...request, seed: search.seed }) === 'prune';

function judgeResult(search: SearchPlan, result: TrialResult | undefined): Measurement {
  if (!result) return failed('it gave no figures', []);
  const { losses, violation } = judgeMetrics(search, result);
  const objectives = objectivesOf(search);
  const bad = losses.findIndex((loss) => !Number.isFinite(loss));
  if (bad >= 0) return failed(`its ${objectives[bad]!.metric} is ${losses[bad]}, which is no finite number`, []);
  if (!(violation >= 0)) return failed('a metric that is constrained is no number', []);
  return { state: 'completed', reports: [], losses, violation, metrics: result.metrics };
}

const MOST_REASON = 500;

export const failed = (reason: string, reports: readonly Report[]): Measurement => ({
  state: 'failed',
  reports,
  losses: [],
  metrics: {},
  reason: reason.slice(0, MOST_REASON),
});
