/**
 * Measures what the durable machinery adds to a trial, and where it goes, as JSON lines. `one_by_one`: trials one after another, so that
 * what a trial takes beyond its own fit is all overhead. Of that, `dispatch_ms` lies between the workflow's wish for a lane and the worker's
 * start, `record_ms` in the worker (the draw, and its rows in PostgreSQL), `decide_ms` until the workflow wishes for the next lane.
 * `side_by_side`: trials that were all measured before, 16 at once: how many a second the machinery can carry. `cpu_ms` is what each
 * process used for a trial, fits included: by it runs compare on a machine that does other things, too.
 *
 * Run: node dist/bench/sweep-overhead.js [--trials 200] [--many 1000] [--write]
 */
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { PARTS } from '../infra/local/local-stack.js';
import { cpuSecondsOfTree } from './capacity/process-usage.js';
import { writeFigures } from './write-figures.js';
import { runSweep, startSweepStack, type SweepTimes } from './sweep-stack.js';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '200' },
    many: { type: 'string', default: '1000' },
    write: { type: 'boolean', default: false },
  },
});
/** A fit of a few milliseconds, drawn by chance: a draw of the default sampler costs more than all else. */
const QUICK = {
  pruner: 'none',
  sampler: 'random',
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
  lanes: number;
  events: number;
  runs: number;
}

/** Sums over the trials of a sweep, in milliseconds, from the histories of all runs of its workflow. */
async function readHistories(address: string, sweepId: string): Promise<HistoryTimes> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const times: HistoryTimes = { dispatch: 0, run: 0, decide: 0, lanes: 0, events: 0, runs: 0 };
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
      if (scheduled?.activityType?.name !== 'runTrials') continue;
      times.lanes++;
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

/** CPU seconds that each part of the stack has used, and all that it has started. */
const usage = () => PARTS.map((part): [string, number] => [part, cpuSecondsOfTree(stack.pid(part)!)]);
type Usage = ReturnType<typeof usage>;

interface Run {
  mode: string;
  times: SweepTimes;
  history: HistoryTimes;
  parallelism: number;
  used: Usage;
}

function describe({ mode, times, history, parallelism, used }: Run) {
  const { trials, wallSeconds, trialSeconds } = times;
  const each = (ms: number) => rounded(ms / trials);
  return {
    name: 'sweep-overhead',
    mode,
    trials,
    lanes: history.lanes,
    wall_ms_a_trial: each(wallSeconds * 1000),
    fit_ms_a_trial: each(trialSeconds * 1000),
    overhead_ms_a_trial: each(Math.max(0, wallSeconds - trialSeconds / parallelism) * 1000),
    dispatch_ms: each(history.dispatch),
    record_ms: each(history.run - trialSeconds * 1000),
    ...(parallelism === 1 ? { decide_ms: each(history.decide) } : {}),
    cpu_ms: Object.fromEntries(used.map(([part, seconds]) => [part, each(seconds * 1000)])),
    workflow_runs: history.runs,
    most_events_a_run: history.events,
  };
}

function tableOf(lines: readonly ReturnType<typeof describe>[]) {
  return [
    [
      'trials',
      'a trial, ms',
      'its fit',
      'overhead',
      'CPU of worker and trials',
      'of Temporal',
      'of PostgreSQL',
      'activities',
    ],
    ...lines.map((line) => [
      `${line.trials}, ${line.mode.replaceAll('_', ' ')}`,
      line.wall_ms_a_trial,
      line.fit_ms_a_trial,
      line.overhead_ms_a_trial,
      line.cpu_ms['training-worker']!,
      line.cpu_ms['temporal']!,
      line.cpu_ms['postgres']!,
      line.lanes,
    ]),
  ];
}

const lines: ReturnType<typeof describe>[] = [];
const { stack, stop } = await startSweepStack(200, { MAX_CONCURRENT_JOBS: '16' });
try {
  for (const [mode, search] of [
    ['one_by_one', { ...QUICK, trials: Number(values.trials), parallelism: 1 }],
    ['one_by_one, default sampler', { ...QUICK, sampler: 'auto', trials: Number(values.trials), parallelism: 1 }],
    ['one_by_one, known', { ...KNOWN, trials: Number(values.trials), parallelism: 1 }],
    ['side_by_side, known', { ...KNOWN, trials: Number(values.many), parallelism: 16 }],
  ] as const) {
    // Data and processes are there for the one that is measured.
    await runSweep(stack.api, { ...search, trials: 5, seed: 1 });
    const before = new Map(usage());
    const times = await runSweep(stack.api, { ...search, seed: 2 });
    const used = usage().map(([part, seconds]): [string, number] => [part, seconds - before.get(part)!]);
    const history = await readHistories(stack.addresses.temporal, times.sweepId);
    const line = describe({ mode, times, history, parallelism: search.parallelism, used });
    lines.push(line);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  if (values.write) writeFigures('docs/reference/benchmarks.md', 'sweep-overhead', tableOf(lines));
} finally {
  await stop();
}
