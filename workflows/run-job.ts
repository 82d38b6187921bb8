import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  isCancellation,
  log,
  proxyActivities,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { Activities } from '../activities/index.js';
import { SEARCH_ATTRIBUTES, type JobType } from '../core/names.js';
import { NOTE } from './activity-options.js';
import { pause, progress, resume } from './messages.js';

const { beginJob, notePaused, finishJob } = proxyActivities<Activities>(NOTE);

/** What the steps of a job tell of themselves. */
export interface JobRun {
  /** Names the step that comes next, and waits while the job is paused. */
  enterStage(stage: string): Promise<void>;
  /** Names the step that is under way; one that goes on while the job is paused. */
  nameStage(stage: string): void;
  /** Whether someone has paused the job; steps that go on by themselves have to ask. */
  isPaused(): boolean;
  setPaused(isPaused: boolean): void;
  /** Makes the job findable by what it works on, in the Web UI and in `temporal workflow list`. */
  label(about: { model?: string; datasetId?: string }): void;
}

const keyOf = (name: string) => defineSearchAttributeKey(name, 'KEYWORD');
const LABELS = {
  jobType: keyOf(SEARCH_ATTRIBUTES.jobType),
  model: keyOf(SEARCH_ATTRIBUTES.model),
  datasetId: keyOf(SEARCH_ATTRIBUTES.datasetId),
};

/**
 * What every job does around its own steps: it is written down as running, can be queried, paused, resumed and
 * cancelled, and its end is written down whatever happens.
 * @param request the input as it came: the first step of each job checks it, so that one which was started from the command
 * line is held to the same rules.
 */
export async function runJob<Result>(
  type: JobType,
  request: unknown,
  steps: (run: JobRun) => Promise<Result>,
): Promise<Result> {
  const jobId = workflowInfo().workflowId;
  const state = { stage: 'queued', paused: false };
  setHandler(progress, () => ({ ...state }));
  const nameStage = (stage: string) => {
    if (state.stage !== stage) log.info(`stage ${stage}`);
    state.stage = stage;
    upsertMemo({ stage });
  };
  const isPaused = () => state.paused;
  const setPaused = (paused: boolean) => {
    if (state.paused !== paused) log.info(paused ? 'paused: it waits before its next stage' : 'resumed');
    state.paused = paused;
  };
  setHandler(pause, () => setPaused(true));
  setHandler(resume, () => setPaused(false));
  const enterStage = async (stage: string) => {
    if (state.paused) {
      await notePaused({ jobId });
      await condition(() => !state.paused);
    }
    nameStage(stage);
  };
  const label: JobRun['label'] = ({ model, datasetId }) =>
    upsertSearchAttributes([
      ...(model ? [{ key: LABELS.model, value: model }] : []),
      ...(datasetId ? [{ key: LABELS.datasetId, value: datasetId }] : []),
    ]);
  try {
    await beginJob({ jobId, type, request });
    upsertSearchAttributes([{ key: LABELS.jobType, value: type }]);
    const result = await steps({ enterStage, nameStage, isPaused, setPaused, label });
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
