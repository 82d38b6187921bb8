import type { Finding } from '../../core/monitoring/finding.js';
import type { Database } from '../database/database.js';
import { writeFindings } from '../monitors/monitor-findings.js';
import type { MonitoringPlan } from '../monitors/plan-monitoring.js';
import { decayFindings } from './decay-findings.js';
import { estimateFindings } from './estimate-findings.js';
import { fairnessFindings } from './fairness-findings.js';
import { lastWindow, readWindows } from './performance-windows.js';

export interface PerformanceResult {
  version: string | null;
  window_end: string;
  findings: Record<Finding['state'], number>;
}

/**
 * Judges realised metrics, estimates and gaps between groups over the windows whose truths are due, and keeps what it finds. The version that
 * answered most in the last of them is judged. Running it again for the same window replaces the findings.
 */
export async function measurePerformance(
  plan: MonitoringPlan,
  { database }: { database: Database },
): Promise<PerformanceResult> {
  const judged = await readWindows(plan, database);
  const findings = judged
    ? [...decayFindings(judged), ...estimateFindings(judged), ...fairnessFindings(judged)]
    : [nothingAnswered(plan)];
  await writeFindings(database, findings);
  const states = { ok: 0, suspect: 0, alarm: 0, unknown: 0 };
  for (const { state } of findings) states[state]++;
  const end = judged?.window.end ?? lastWindow(plan).end;
  return { version: judged?.version ?? null, window_end: end.toISOString(), findings: states };
}

function nothingAnswered(plan: MonitoringPlan): Finding {
  const { start, end } = lastWindow(plan);
  return {
    model: plan.model,
    monitor: 'performance',
    subject: 'metrics',
    segment: '',
    window: { start, end },
    state: 'unknown',
    severity: 'none',
    summary: `Nothing was answered by ${plan.model} from ${start.toISOString()} to ${end.toISOString()}, so there is nothing to judge.`,
    evidence: { reason: 'no_answers' },
  };
}
