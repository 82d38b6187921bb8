import { canonicalJson } from '../canonical-json.js';
import type { PresentedRun } from './run-store.js';

/** One parameter, metric or cost of several runs, in the order of the runs; null where a run has none. */
export interface ComparedRow {
  name: string;
  values: unknown[];
  differs: boolean;
}

/** Runs side by side: what differs first, then by name. */
export function compareRuns(runs: readonly PresentedRun[]) {
  const rows = (of: (run: PresentedRun) => Record<string, unknown>): ComparedRow[] => {
    const names = new Set(runs.flatMap((run) => Object.keys(of(run))));
    return [...names]
      .map((name) => {
        const values = runs.map((run) => of(run)[name] ?? null);
        return { name, values, differs: new Set(values.map(canonicalJson)).size > 1 };
      })
      .sort((a, b) => Number(b.differs) - Number(a.differs) || (a.name < b.name ? -1 : 1));
  };
  return {
    runs: runs.map(({ run_id, model, kind, status, version, dataset_id, code_version, created_at }) => ({
      run_id,
      model,
      kind,
      status,
      version,
      dataset_id,
      code_version,
      created_at,
    })),
    params: rows((run) => run.params),
    metrics: rows((run) => run.metrics),
    cost: rows((run) => run.cost),
  };
}
