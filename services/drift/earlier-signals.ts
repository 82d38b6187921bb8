import type { WindowSignals } from '../../core/decisions/judge-drift.js';
import type { KeptFinding } from '../monitors/monitor-findings.js';
import type { Period } from '../../core/monitoring/choose-reference.js';

/**
 * What the windows before one have reported, the latest last. Windows that share rows with a later one do not count: what they report is the
 * same rows again.
 * @param key how a finding is called among the columns that are judged together; undefined of those that are not
 */
export function earlierSignals(
  findings: readonly KeptFinding[],
  window: Period,
  most: number,
  key: (finding: KeptFinding) => string | undefined,
): WindowSignals[] {
  const byEnd = new Map<number, { start: number; reported: string[] }>();
  for (const finding of findings) {
    const name = key(finding);
    const { state } = finding;
    if (name === undefined || state === 'unknown') continue;
    const end = Number(finding.window.end);
    const known = byEnd.get(end) ?? { start: Number(finding.window.start), reported: [] };
    byEnd.set(end, known);
    if (state === 'suspect' || state === 'alarm') known.reported.push(name);
  }
  const signals: WindowSignals[] = [];
  let before = Number(window.start);
  for (const [end, { start, reported }] of [...byEnd].sort(([a], [b]) => b - a)) {
    if (end > before || signals.length === most) continue;
    signals.unshift({ reported });
    before = start;
  }
  return signals;
}
