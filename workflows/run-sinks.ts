import type { Sinks } from '@temporalio/workflow';

/** What workflows tell the worker that runs them, outside their history. */
export interface RunSinks extends Sinks {
  runs: { ended(run: EndedRun): void };
}

export interface EndedRun {
  /** As the call that has started it sent it. */
  traceparent?: string;
  isFailed: boolean;
  startMs: number;
  endMs: number;
}
