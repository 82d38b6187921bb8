import { normalQuantile } from '../../ml/evaluate/normal-quantile.js';
import { createPrng } from '../../ml/random/prng.js';
import type { RolloutEnd } from './run-rollout.js';
import { SimulatedArm, type Crowd, type SimulatedMeasure } from './simulated-users.js';

/**
 * The rules that other tools publish as their example or default, on the same simulated users; a window stands for a minute. What of them
 * needs a cluster (probes, webhooks, retries) is left out: only the decision is compared.
 */
export interface OtherRule {
  tool: string;
  /** What was taken from where. */
  source: string;
  run: (crowd: Crowd, errors: SimulatedMeasure, seed: number, run: number) => RolloutEnd;
}

/** The error rate of each window that an arm is given. */
class ErrorRates {
  private requests = 0;
  private errors = 0;
  constructor(private readonly arm: SimulatedArm) {}

  /** NaN for a window without a request. */
  next(share: number, windows = 1): number {
    for (let window = 0; window < windows; window++) this.arm.addWindow(share);
    const { requests, total } = this.arm.sums[0]!;
    const rate = (total - this.errors) / (requests - this.requests);
    this.requests = requests;
    this.errors = total;
    return rate;
  }
}

/** Checks the success rate of the last minute; each pass raises the share by 10 % up to 50 %, the fifth failure of all rolls back. */
const flagger: OtherRule = {
  tool: 'Flagger',
  source: 'Istio tutorial: success rate >= 99 %, interval 1m, threshold 5, stepWeight 10, maxWeight 50',
  run: (crowd, errors, seed, run) => {
    const rates = new ErrorRates(new SimulatedArm(crowd, [errors], 'candidate', createPrng(seed, run)));
    let share = 10;
    let failed = 0;
    for (let windows = 1; ; windows++) {
      if (rates.next(share) <= 0.01) {
        if (share >= 50) return { end: 'promoted', windows };
        share += 10;
      } else if (++failed >= 5) return { end: 'rolled back', windows };
    }
  },
};

/** Measures the success rate of the last five minutes eight times over 20, 40, 60 and 80 %; the fourth failure aborts. */
const argo: OtherRule = {
  tool: 'Argo Rollouts',
  source: 'background analysis of its documentation: success rate >= 95 %, interval 5m, failureLimit 3, steps of 10m',
  run: (crowd, errors, seed, run) => {
    const rates = new ErrorRates(new SimulatedArm(crowd, [errors], 'candidate', createPrng(seed, run)));
    let failed = 0;
    for (let look = 0; look < 8; look++) {
      const isGood = rates.next(20 * (1 + Math.floor(look / 2)), 5) <= 0.05;
      if (!isGood && ++failed > 3) return { end: 'rolled back', windows: 5 * (look + 1) };
    }
    return { end: 'promoted', windows: 40 };
  },
};

/**
 * Compares a point a minute of two cohorts of 10 % by Mann and Whitney's test with its shift interval at 98 %, against a tolerance of a
 * quarter of the shift; one metric, so the score is 0 or 100. Judged every ten minutes for an hour, on all points so far.
 */
const kayenta: OtherRule = {
  tool: 'Kayenta',
  source: 'its judge: Mann-Whitney at 98 %, tolerance 0.25, pass 75, marginal 50; an hour, judged every 10 minutes',
  run: (crowd, errors, seed, run) => {
    const prng = createPrng(seed, run);
    const candidate = new ErrorRates(new SimulatedArm(crowd, [errors], 'candidate', prng));
    const baseline = new ErrorRates(new SimulatedArm(crowd, [errors], 'baseline', prng));
    const points: [number[], number[]] = [[], []];
    for (let windows = 1; windows <= 60; windows++) {
      points[0].push(candidate.next(10));
      points[1].push(baseline.next(10));
      if (windows % 10 === 0 && isHigh(points[0], points[1])) return { end: 'rolled back', windows };
    }
    return { end: 'promoted', windows: 60 };
  },
};

export const OTHER_RULES: readonly OtherRule[] = [flagger, argo, kayenta];

/** The shift between two samples, by the normal approximation of the rank sum: is all of its interval above a quarter of its size? */
function isHigh(experiment: readonly number[], control: readonly number[]): boolean {
  const shifts = experiment.flatMap((value) => control.map((other) => value - other)).sort((a, b) => a - b);
  const n = experiment.length;
  const rank = Math.floor((n * n) / 2 + normalQuantile(0.01) * Math.sqrt((n * n * (2 * n + 1)) / 12));
  const middle = (shifts[Math.floor((shifts.length - 1) / 2)]! + shifts[Math.floor(shifts.length / 2)]!) / 2;
  return shifts[Math.max(0, rank)]! > 0.25 * Math.abs(middle);
}
