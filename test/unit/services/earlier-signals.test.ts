import { describe, expect, it } from 'vitest';
import type { FindingState } from '../../../core/monitoring/finding.js';
import { earlierSignals } from '../../../services/drift/earlier-signals.js';
import type { KeptFinding } from '../../../services/monitors/monitor-findings.js';

const hour = (at: number) => new Date(Date.UTC(2024, 0, 1, at));
const finding = (endHour: number, hours: number, state: FindingState, subject = 'input:a') =>
  ({
    subject,
    segment: '',
    state,
    window: { start: hour(endHour - hours), end: hour(endHour) },
  }) as KeptFinding;
const read = (findings: KeptFinding[], end: number, hours: number) =>
  earlierSignals(findings, { start: hour(end - hours), end: hour(end) }, 2, ({ subject }) => subject).map(
    ({ reported }) => reported,
  );

describe('what earlier windows have reported', () => {
  it('comes from the last windows, in their order', () => {
    const findings = [finding(24, 24, 'alarm'), finding(48, 24, 'suspect'), finding(72, 24, 'ok')];
    expect(read(findings, 96, 24)).toEqual([['input:a'], []]);
  });

  it('counts the same rows once: windows of a day that are judged by the hour persist over days', () => {
    const findings = Array.from({ length: 37 }, (_, at) => finding(at + 24, 24, 'suspect'));
    const hourly = read(findings, 61, 24);
    expect(hourly).toHaveLength(1);
    expect(read(findings.slice(-20), 61, 24), 'all of them share rows with this one').toEqual([]);
  });

  it('leaves out windows that could not be judged, and those of other columns', () => {
    const findings = [finding(24, 24, 'suspect'), finding(48, 24, 'unknown')];
    expect(read(findings, 72, 24)).toEqual([['input:a']]);
    expect(earlierSignals(findings, { start: hour(48), end: hour(72) }, 2, () => undefined)).toEqual([]);
  });
});
