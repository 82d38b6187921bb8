import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  isCancellation,
  proxyActivities,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import type { JobType } from '../core/names.js';
import { NOTE } from './activity-options.js';
import { pause, progress, resume } from './messages.js';

const { beginJob, finishJob } = proxyActivities<Activities>(NOTE);

/** Names the step that comes next, and waits while the job is paused. */
export type EnterStage = (stage: string) => Promise<void>;

/**
 * What every job does around its own steps: it is written down as running, can be queried, paused, resumed and
 * cancelled, and its end is written down whatever happens.
 * @param check looks at the input first, so that a job started from the command line is held to the same rules.
 */
export async function runJob<Result>(
  type: JobType,
  request: unknown,
  steps: (enterStage: EnterStage) => Promise<Result>,
): Promise<Result> {
  const jobId = workflowInfo().workflowId;
  const state = { stage: 'queued', paused: false };
  setHandler(progress, () => ({ ...state }));
  setHandler(pause, () => void (state.paused = true));
  setHandler(resume, () => void (state.paused = false));
  const enterStage: EnterStage = async (stage) => {
    if (state.paused) await condition(() => !state.paused);
    state.stage = stage;
    upsertMemo({ stage });
  };
  try {
    await beginJob({ jobId, type, request });
    const result = await steps(enterStage);
    await CancellationScope.nonCancellable(() => finishJob({ jobId, status: 'completed', result }));
    state.stage = 'done';
    return result;
  } catch (error) {
    const status = isCancellation(error) ? ('cancelled' as const) : ('failed' as const);
    await CancellationScope.nonCancellable(() =>
      finishJob({ jobId, status, error: status === 'failed' ? describeFailure(error) : undefined }),
    );
    throw error;
  }
}

/** The innermost failure that one of our activities named, without stack traces. */
export function describeFailure(error: unknown): {
  code: string;
  detail: string;
  problems?: { path: string; message: string }[];
} {
  let failure: unknown = error;
  while ((failure instanceof ActivityFailure || failure instanceof ChildWorkflowFailure) && failure.cause)
    failure = failure.cause;
  if (failure instanceof ApplicationFailure) {
    const problems = failure.details?.[0] as { path: string; message: string }[] | undefined;
    return {
      code: failure.type ?? 'internal_error',
      detail: failure.message,
      ...(problems?.length ? { problems } : {}),
    };
  }
  return { code: 'internal_error', detail: failure instanceof Error ? failure.message : String(failure) };
}
