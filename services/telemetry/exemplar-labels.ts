import { currentTraceId } from './tracing.js';

/** What an exemplar of the call under way says; undefined for a call that is not traced. */
export function exemplarLabels(): { trace_id: string } | undefined {
  const traceId = currentTraceId();
  return traceId === undefined ? undefined : { trace_id: traceId };
}
