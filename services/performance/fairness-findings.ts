import type { Finding } from '../../core/monitoring/finding.js';
import { judgeGap, ratesOf, type GapVerdict } from '../../core/monitoring/judge-fairness.js';
import { addUp } from '../../core/monitoring/tally.js';
import { FALSE_ALARMS_A_YEAR, findingOf } from './decay-findings.js';
import { headsOf, type PerformanceWindows, type WindowTally } from './performance-windows.js';

/** Windows that rates are taken over. */
const WINDOWS = 30;
const HOURS_A_YEAR = 8760;

/** A finding for each rate of each declared group, against all others of its feature. */
export function fairnessFindings(judged: PerformanceWindows): Finding[] {
  const { plan, segments } = judged;
  const { fairness, least_rows: leastRows } = plan.settings.performance;
  const heads = headsOf(segments.get('') ?? []);
  const gaps = fairness.groups.flatMap((feature) => {
    const groups = [...segments].filter(([segment]) => segment.startsWith(`${feature}=`));
    return groups.flatMap(([segment, own]) =>
      heads.flatMap((head) => {
        const group = ratesOf(sumOf(own), head);
        const rest = groups.filter(([name]) => name !== segment).map(([, windows]) => sumOf(windows));
        const others = ratesOf(together(rest), head);
        return Object.keys(group).map((rate) => ({
          segment,
          head,
          rate,
          group: group[rate]!,
          others: others[rate] ?? { hits: 0, rows: 0 },
        }));
      }),
    );
  });
  const looks = ((HOURS_A_YEAR / plan.settings.every_hours) * gaps.length) / FALSE_ALARMS_A_YEAR;
  const rule = { leastRows, mostGap: fairness.most_gap, alpha: Math.min(0.05, 1 / looks) };
  return gaps.map(({ segment, head, rate, group, others }) => {
    const verdict = judgeGap(group, others, rule);
    return {
      ...findingOf(judged, segment),
      subject: `fairness:${head}.${rate}`,
      state: verdict.state,
      severity: verdict.severity,
      ...(verdict.gap === null ? {} : { value: verdict.gap }),
      threshold: fairness.most_gap,
      summary: sentence(`${rate} of ${head}`, segment, verdict),
      evidence: { ...verdict, rule, windows: WINDOWS, advice: 'ignore' },
    };
  });
}

const sumOf = (windows: readonly WindowTally[]) => together(windows.slice(-WINDOWS));
const together = (windows: readonly WindowTally[]): WindowTally => {
  const sum: WindowTally = { answers: {}, outcomes: {} };
  for (const { answers, outcomes } of windows) {
    addUp(sum.answers, answers);
    addUp(sum.outcomes, outcomes);
  }
  return sum;
};

function sentence(what: string, segment: string, { state, gap, group, others }: GapVerdict): string {
  if (gap === null) return `${what} where ${segment} cannot be compared: ${group.rows} rows, ${others.rows} of others.`;
  const percent = (rate: number) => `${(100 * rate).toFixed(1)} %`;
  const figures = `${percent(group.hits / group.rows)} against ${percent(others.hits / others.rows)} of all others`;
  if (state === 'ok') return `${what} where ${segment} is near that of others: ${figures}.`;
  return state === 'alarm'
    ? `${what} where ${segment} differs from that of others by more than is allowed: ${figures}.`
    : `${what} where ${segment} may differ from that of others by more than is allowed: ${figures}.`;
}
