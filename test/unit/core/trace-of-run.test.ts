import { describe, expect, it } from 'vitest';
import { traceOfRun, traceparentOf } from '../../../core/policy/trace-of-run.js';

const RUN = '019ac7f0-1d2e-7abc-8def-0123456789ab';
const CALLER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the trace of a run', () => {
  it('is that of the call that has started it, with a span of its own that follows from the run', () => {
    const trace = traceOfRun(RUN, CALLER);
    expect(trace).toEqual({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      parentSpanId: '00f067aa0ba902b7',
      spanId: '8def0123456789ab',
      isSampled: true,
    });
    expect(traceparentOf(trace)).toBe('00-4bf92f3577b34da6a3ce929d0e0e4736-8def0123456789ab-01');
  });

  it('keeps that nobody wants it', () => {
    expect(traceparentOf(traceOfRun(RUN, CALLER.replace(/01$/, '00')))).toMatch(/-00$/);
  });

  it.each([undefined, '', 'nonsense', `${CALLER}-more`])(
    'is one of its own without a call that is traced: %j',
    (given) => {
      expect(traceOfRun(RUN, given)).toEqual({
        traceId: '019ac7f01d2e7abc8def0123456789ab',
        spanId: '8def0123456789ab',
        isSampled: true,
      });
    },
  );
});
