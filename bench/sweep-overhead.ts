/**
 * Measures what the durable machinery adds to a trial, and where it goes, as JSON lines. `one_by_one`: trials one after another, so that
 * what a trial takes beyond its own fit is all overhead. Of that, `dispatch_ms` lies between the workflow's wish and the worker's start,
 * `record_ms` in the worker (the draw, and its rows in PostgreSQL), `decide_ms` until the workflow wishes for the next. `side_by_side`:
 * trials that were all measured before, 16 at once: how many a second the machinery can carry.
 *
 * Run: node dist/bench/sweep-overhead.js [--trials 200] [--many 1000]
 */
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { runSweep, startSweepStack, type SweepTimes } from './sweep-stack.js';

const { values } = parseArgs({
  options: { trials: { type: 'string', default: '200' }, many: { type: 'string', default: '1000' } },
});
/** A fit of a few milliseconds. */
const QUICK = {
  pruner: 'none',
  space: {
    algorithm: { type: 'categorical', choices: ['linear'] },
    l2_regularization: { type: 'float', low: 1e-4, high: 100, log: true },
  },
};
/** Two configurations in all: each other trial is equal to one that has been measured. */
const KNOWN = {
  pruner: 'none',
  sampler: 'random',
  space: {
    algorithm: { type: 'categorical', choices: ['linear'] },
    l2_regularization: { type: 'categorical', choices: [0.1, 1] },
  },
};

interface HistoryTimes {
  dispatch: number;
  run: number;
  decide: number;
  events: number;
  runs: number;
}

/** Sums over the trials of a sweep, in milliseconds, from the histories of all runs of its workflow. */
async function readHistories(address: string, sweepId: string): Promise<HistoryTimes> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const times: HistoryTimes = { dispatch: 0, run: 0, decide: 0, events: 0, runs: 0 };
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${sweepId}'` })) {
    const history = await client.workflow.getHandle(sweepId, runId).fetchHistory();
    const events = history.events ?? [];
    times.runs++;
    times.events = Math.max(times.events, events.length);
    const msOf = (at: number) => {
      const { seconds, nanos } = events[at]!.eventTime!;
      return Number(seconds) * 1000 + (nanos ?? 0) / 1e6;
    };
    let endedMs = NaN;
    for (const [at, event] of events.entries()) {
      const scheduledAt = Number(event.activityTaskCompletedEventAttributes?.scheduledEventId ?? 0) - 1;
      const startedAt = Number(event.activityTaskCompletedEventAttributes?.startedEventId ?? 0) - 1;
      if (scheduledAt < 0) continue;
      const scheduled = events[scheduledAt]!.activityTaskScheduledEventAttributes;
      if (scheduled?.activityType?.name !== 'runTrial') continue;
      times.dispatch += msOf(startedAt) - msOf(scheduledAt);
      times.run += msOf(at) - msOf(startedAt);
      if (!Number.isNaN(endedMs)) times.decide += msOf(scheduledAt) - endedMs;
      endedMs = msOf(at);
    }
  }
  await connection.close();
  return times;
}

const rounded = (value: number) => Math.round(value * 10) / 10;

function describe(mode: string, times: SweepTimes, history: HistoryTimes, parallelism: number) {
  const { trials, wallSeconds, trialSeconds } = times;
  const each = (ms: number) => rounded(ms / trials);
  return {
    name: 'sweep-overhead',
    mode,
    trials,
    wall_ms_a_trial: each(wallSeconds * 1000),
    fit_ms_a_trial: each(trialSeconds * 1000),
    overhead_ms_a_trial: each(Math.max(0, wallSeconds - trialSeconds / parallelism) * 1000),
    dispatch_ms: each(history.dispatch),
    record_ms: each(history.run - trialSeconds * 1000),
    ...(parallelism === 1 ? { decide_ms: each(history.decide) } : {}),
    workflow_runs: history.runs,
    most_events_a_run: history.events,
  };
}

const { stack, stop } = await startSweepStack(200, { MAX_CONCURRENT_JOBS: '16' });
try {
  for (const [mode, search] of [
    ['one_by_one', { ...QUICK, trials: Number(values.trials), parallelism: 1 }],
    ['one_by_one, known', { ...KNOWN, trials: Number(values.trials), parallelism: 1 }],
    ['side_by_side, known', { ...KNOWN, trials: Number(values.many), parallelism: 16 }],
  ] as const) {
    // Data and processes are there for the one that is measured.
    await runSweep(stack.api, { ...search, trials: 5, seed: 1 });
    const times = await runSweep(stack.api, { ...search, seed: 2 });
    const history = await readHistories(stack.addresses.temporal, times.sweepId);
    process.stdout.write(`${JSON.stringify(describe(mode, times, history, search.parallelism))}\n`);
  }
} finally {
  await stop();
}
