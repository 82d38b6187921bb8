import type { FindingState } from '../monitoring/finding.js';
import type { MetricCondition } from '../schemas/alert-rule.js';

/** Fewer requests in a window say too little of their share or their slowest. */
const LEAST_REQUESTS = 50;

/** What the service has seen of itself in the window of a rule. Only what the metric of the rule needs has to be there. */
export interface PlatformView {
  /** Of each model; under the empty name all of them together, with jobs of no model. */
  failedJobs?: readonly { model: string; failed: number }[];
  /** Answers and failures of each model, and the slowest hundredth of its answers in microseconds. */
  requests?: readonly { model: string; requests: number; errors: number; slow_us: number }[];
  dependencies?: Readonly<Record<string, { status: 'up' | 'down'; affects: string; error?: string }>>;
}

/** One judgement of the window of a rule. */
export interface PlatformJudgement {
  /** Empty for what is of no model. */
  model: string;
  subject: string;
  /** `unknown` where too little was seen. */
  state: FindingState;
  value: number | null;
  threshold: number;
  /** One sentence for a person. */
  summary: string;
}

type Judgement = Omit<PlatformJudgement, 'state' | 'threshold' | 'value'> & { value?: number };

/** Holds what was seen to the limit of a rule. Above it is an alarm; at it is none. */
export function judgePlatform(when: MetricCondition, view: PlatformView): PlatformJudgement[] {
  return JUDGE[when.metric](view, when).map(({ value, ...more }) => ({
    ...more,
    state: value === undefined ? 'unknown' : value > when.above ? 'alarm' : 'ok',
    value: value ?? null,
    threshold: when.above,
  }));
}

const JUDGE: Record<MetricCondition['metric'], (view: PlatformView, when: MetricCondition) => Judgement[]> = {
  failed_jobs({ failedJobs = [] }, { window_minutes: minutes }) {
    // Also where none failed: an alert of before is resolved by it.
    const all = failedJobs.some(({ model }) => model === '') ? [] : [{ model: '', failed: 0 }];
    return [...all, ...failedJobs].map(({ model, failed }) => ({
      model,
      subject: 'jobs',
      value: failed,
      summary: `${failed} jobs failed within ${minutes} minutes.`,
    }));
  },

  error_share: ({ requests = [] }) =>
    requests.map((row) =>
      judgeRequests(row, 'requests:errors', {
        value: row.errors / row.requests,
        summary: `${row.errors} of ${row.requests} requests could not be answered by the version that they were for.`,
      }),
    ),

  p99_ms: ({ requests = [] }) =>
    requests.map((row) => {
      const slowMs = row.slow_us / 1000;
      return judgeRequests(row, 'requests:latency', {
        value: slowMs,
        summary: `Of ${row.requests} answers one in a hundred took longer than ${slowMs.toFixed(1)} ms.`,
      });
    }),

  dependency_down: ({ dependencies = {} }) =>
    Object.entries(dependencies).map(([name, { status, affects, error }]) => ({
      model: '',
      subject: `dependency:${name}`,
      value: status === 'up' ? 0 : 1,
      summary:
        status === 'up' ? `${name} is up.` : `${name} is down (${error ?? 'no answer'}). It affects: ${affects}.`,
    })),
};

function judgeRequests(
  { model, requests }: { model: string; requests: number },
  subject: string,
  judged: { value: number; summary: string },
): Judgement {
  if (requests >= LEAST_REQUESTS) return { model, subject, ...judged };
  return { model, subject, summary: `${requests} requests are too few to judge.` };
}
