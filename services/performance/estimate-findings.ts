import type { Finding } from '../../core/monitoring/finding.js';
import { expectedMetrics } from '../../core/monitoring/metrics-of-tally.js';
import { pastErrors } from '../../core/monitoring/summarise-performance.js';
import { addUp, tallyOf, type Tally } from '../../core/monitoring/tally.js';
import { betterDirection } from '../../core/policy/compare-metric.js';
import { findingOf } from './decay-findings.js';
import { headTally, type PerformanceWindows } from './performance-windows.js';

/** How many of its past errors an estimate must lie beyond the reference: it is a hint, and hints that are mostly wrong are not read. */
const ERRORS_BEYOND = 3;
const LEAST_INTERVALS = 3;

/**
 * What the newest answers let expect before any truth is due. Never an alarm: an estimate sees a change of the inputs and is blind to a change of
 * what they mean. Unknown until the estimate has shown how far off it is.
 */
export function estimateFindings(judged: PerformanceWindows): Finding[] {
  const windows = judged.segments.get('') ?? [];
  const labelled = windows.reduce((sum: Tally, { outcomes }) => addUp(sum, outcomes), {});
  const errors = pastErrors(windows.map(({ outcomes }) => outcomes));
  return Object.keys(tallyOf(judged.newest, 'heads'))
    .sort()
    .flatMap((head) =>
      Object.entries(expectedMetrics(headTally(judged.newest, head), headTally(labelled, head))).flatMap(
        ([metric, estimate]) => {
          const own = judged.baseline[head]?.[metric];
          const direction = betterDirection(metric);
          if (estimate.value === null || own?.value === null || own === undefined || direction === null) return [];
          const past = errors[head]?.[metric];
          const worse = direction === 'higher' ? own.value - estimate.value : estimate.value - own.value;
          const isKnown = past !== undefined && past.intervals >= LEAST_INTERVALS;
          const allowed = isKnown ? ERRORS_BEYOND * past.mean_absolute_error : undefined;
          const state = allowed === undefined ? 'unknown' : worse > allowed ? 'suspect' : 'ok';
          const threshold = allowed === undefined ? undefined : own.value + (direction === 'higher' ? -1 : 1) * allowed;
          return [
            {
              ...findingOf(judged, ''),
              subject: `estimate:${head}.${metric}`,
              state,
              severity: state === 'suspect' ? 'low' : 'none',
              value: estimate.value,
              ...(threshold === undefined ? {} : { threshold }),
              summary: sentence(`${metric} of ${head}`, estimate.value, own.value, state),
              evidence: { estimate, baseline: own, past_error: past ?? null, advice: 'ignore' },
            } satisfies Finding,
          ];
        },
      ),
    );
}

function sentence(what: string, estimate: number, baseline: number, state: Finding['state']): string {
  const figures = `${Number(estimate.toPrecision(3))} is expected of the newest answers, ${Number(baseline.toPrecision(3))} was measured on the rows held out`;
  if (state === 'unknown') return `${what}: ${figures}; how far such estimates are off is not known yet.`;
  return state === 'suspect'
    ? `${what} may be about to fall behind: ${figures}.`
    : `${what} is expected to hold: ${figures}.`;
}
