/** The ids of a trace and of a span in it, as W3C Trace Context has them: 32 and 16 hexadecimal digits. */
export interface TraceOfRun {
  traceId: string;
  /** Of the run itself; what it does is below it. */
  spanId: string;
  /** Of the call that started it, where that was traced. */
  parentSpanId?: string;
  isSampled: boolean;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * The trace that a run of a workflow belongs to: that of the call that has started it, else one of its own. The ids follow from the id of the
 * run, so that a replay comes to the same and nothing has to be drawn or kept.
 * @param runId a UUID
 */
export function traceOfRun(runId: string, traceparent: string | undefined): TraceOfRun {
  const digits = runId.replaceAll('-', '').toLowerCase();
  const spanId = digits.slice(16);
  const [, traceId, parentSpanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || parentSpanId === undefined || flags === undefined)
    return { traceId: digits, spanId, isSampled: true };
  return { traceId, spanId, parentSpanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export const traceparentOf = ({ traceId, spanId, isSampled }: TraceOfRun) =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
