import {
  defaultPayloadConverter,
  proxySinks,
  workflowInfo,
  type Headers,
  type WorkflowInterceptorsFactory,
} from '@temporalio/workflow';
import { traceOfRun, traceparentOf } from '../core/policy/trace-of-run.js';
import type { RunSinks } from './run-sinks.js';

/** The header in which activities get the correlation id of the call that started their workflow. */
const CORRELATION_HEADER = 'x-correlation-id';
/** Where Temporal's interceptors for OpenTelemetry keep the trace. */
const TRACE_HEADER = '_tracer-data';

function correlationId(): string {
  const { memo, workflowId } = workflowInfo();
  const id = memo?.['correlation_id'];
  return typeof id === 'string' ? id : workflowId;
}

/**
 * Copies the correlation id from the workflow's memo, and the trace from its headers, to each activity, child and log line of the workflow.
 * Temporal's own interceptors for workflows are not used: they await before each command, so that a run under way could not be
 * replayed once tracing is turned on or off. Here nothing but headers differs, which no replay looks at.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let traceparent: string | undefined;
  const traced = (headers: Headers): Headers => {
    if (traceparent === undefined) return headers;
    const below = traceparentOf(traceOfRun(workflowInfo().runId, traceparent));
    return { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload({ traceparent: below }) };
  };
  return {
    inbound: [
      {
        execute(input, next) {
          const header = input.headers[TRACE_HEADER];
          if (header) traceparent = defaultPayloadConverter.fromPayload<{ traceparent?: string }>(header).traceparent;
          const run = next(input);
          const { runs } = proxySinks<RunSinks>();
          const startMs = workflowInfo().runStartTime.getTime();
          const tell = (isFailed: boolean) => runs.ended({ traceparent, isFailed, startMs, endMs: Date.now() });
          run.then(
            () => tell(false),
            () => tell(true),
          );
          return run;
        },
      },
    ],
    outbound: [
      {
        scheduleActivity(input, next) {
          const headers = traced(input.headers);
          return next({
            ...input,
            headers: { ...headers, [CORRELATION_HEADER]: defaultPayloadConverter.toPayload(correlationId()) },
          });
        },
        startChildWorkflowExecution(input, next) {
          const memo = { ...input.options.memo, correlation_id: correlationId() };
          return next({ ...input, headers: traced(input.headers), options: { ...input.options, memo } });
        },
        getLogAttributes(input, next) {
          return next({ ...input, correlation_id: correlationId() });
        },
      },
    ],
  };
};
