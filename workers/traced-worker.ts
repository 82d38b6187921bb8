import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, InjectedSinks } from '@temporalio/worker';
import type { Context } from '@temporalio/activity';
import { traceOfRun, traceparentOf } from '../core/policy/trace-of-run.js';
import { loadedTracing, sendSpan } from '../services/telemetry/tracing.js';
import type { RunSinks } from '../workflows/run-sinks.js';

/** Where Temporal's interceptors for OpenTelemetry keep the trace. */
const TRACE_HEADER = '_tracer-data';

type ActivityInterceptorFactory = (context: Context) => { inbound: ActivityInboundCallsInterceptor };

/** Interceptors that give each activity a span below that of its run. None while nothing is traced. */
export function tracedActivityInterceptors(): ActivityInterceptorFactory[] {
  const tracing = loadedTracing();
  if (!tracing) return [];
  return [
    (context) => {
      const traced = new tracing.temporal.OpenTelemetryActivityInboundInterceptor(context);
      // Without a traced call that has started the workflow, the run has a trace of its own.
      const traceparent = traceparentOf(traceOfRun(context.info.workflowExecution?.runId ?? '', undefined));
      const own = { [TRACE_HEADER]: defaultPayloadConverter.toPayload({ traceparent }) };
      return {
        inbound: {
          execute: (input, next) => traced.execute({ ...input, headers: { ...own, ...input.headers } }, next),
        },
      };
    },
  ];
}

const timeOf = (ms: number): [number, number] => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];

/** Takes what workflows tell of their runs; a run of which somebody asked for a trace becomes a span. */
export const runSinks: InjectedSinks<RunSinks> = {
  runs: {
    ended: {
      // Not in a replay, or a run would have ended several times.
      callDuringReplay: false,
      fn(info, { traceparent, isFailed, startMs, endMs }) {
        const tracing = loadedTracing();
        if (!tracing) return;
        const { traceId, spanId, parentSpanId, isSampled } = traceOfRun(info.runId, traceparent);
        if (!isSampled) return;
        const { SpanKind, SpanStatusCode, TraceFlags } = tracing.api;
        sendSpan({
          name: `RunWorkflow:${info.workflowType}`,
          kind: SpanKind.INTERNAL,
          spanContext: () => ({ traceId, spanId, traceFlags: TraceFlags.SAMPLED }),
          parentSpanId,
          startTime: timeOf(startMs),
          endTime: timeOf(endMs),
          duration: timeOf(endMs - startMs),
          status: { code: isFailed ? SpanStatusCode.ERROR : SpanStatusCode.OK },
          attributes: { temporalWorkflowId: info.workflowId, run_id: info.runId },
          links: [],
          events: [],
          ended: true,
          droppedAttributesCount: 0,
          droppedEventsCount: 0,
          droppedLinksCount: 0,
        });
      },
    },
  },
};
