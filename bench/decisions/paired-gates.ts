import { judgeRollout } from '../../core/decisions/judge-rollout.js';
import type { ArmSums, MeasureEvidence, PairedEvidence, Verdict } from '../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE, HOLDOUT_RULE } from '../../core/decisions/rollout-rule.js';
import { createPrng, type Prng } from '../../ml/random/prng.js';
import type { DecisionGate } from './decision-gates.js';
import { addEntity, noSums } from './simulated-users.js';

/** The rule of the frozen holdout: see services/deployments/test-holdout.ts. */

/** How the losses of two versions differ on a row, new minus present. */
type Difference = (prng: Prng) => number;

/** 5 % of the rows are true; the one version says 8 % of each and the other 2 %, which costs both the same on average. */
const rarelyRight: Difference = (prng) => {
  const truth = Number(prng.next() < 0.05);
  return (0.08 - truth) ** 2 - (0.02 - truth) ** 2;
};
/** Absolute errors with a long tail: usually a little worse, now and then far better. */
const seldomFarBetter: Difference = (prng) => Math.exp(0.5) - Math.exp(normal(prng));
/** Probabilities of 0.8 that are right in 80 % and, of the worse version, in fewer of the rows. */
const lessAccurate =
  (points: number): Difference =>
  (prng) => {
    const present = prng.next() < 0.8 ? 0.04 : 0.64;
    const isLost = present === 0.04 && prng.next() < points / 80;
    return isLost ? 0.6 : 0;
  };

export const PAIRED_GATES: readonly DecisionGate[] = [
  ...[100, 500].flatMap((rows): DecisionGate[] => [
    holdout(`holdout of ${rows} rows, rare truths, equally good, refused`, 'at most', 0.01, rows, rarelyRight, 301),
    holdout(
      `holdout of ${rows} rows, skewed errors, equally good, refused`,
      'at most',
      0.01,
      rows,
      seldomFarBetter,
      302,
    ),
  ]),
  holdout('holdout of 500 rows, 10 points less accurate, refused', 'at least', 0.95, 500, lessAccurate(10), 303),
  holdout('holdout of 2,000 rows, 3 points less accurate, refused', 'at least', 0.95, 2000, lessAccurate(3), 304),
  calibration('calibration, both off by 5 points, rolled back', 'at most', 0.01, 0.05, 0.05, 'ROLLBACK', 305),
  calibration('calibration, off by 10 points instead of none, rolled back', 'at least', 0.99, 0.1, 0, 'ROLLBACK', 306),
  calibration(
    'calibration, off by none instead of 10 points, rolled back or asked',
    'at most',
    0.01,
    0,
    0.1,
    'NOT',
    307,
  ),
];

function holdout(
  gate: string,
  promise: DecisionGate['promise'],
  limit: number,
  rows: number,
  differenceOf: Difference,
  seed: number,
): DecisionGate {
  const happens = (run: number) => {
    const prng = createPrng(seed + rows, run);
    const difference = noSums();
    for (let row = 0; row < rows; row++) addEntity(difference, differenceOf(prng));
    const measures = [{ measure: 'loss:head', harm: 'rises' as const, difference, baselineMean: 0.05 }];
    const evidence: PairedEvidence = { strategy: 'holdout', windows: 1, seconds: 0, pairs: rows, measures };
    return judgeRollout(evidence, HOLDOUT_RULE).verdict === 'ROLLBACK';
  };
  return { gate, promise, limit, happens };
}

/** Cohorts whose answers are off by so much, looked at after each 100 of 5,000 labelled entities. */
function calibration(
  gate: string,
  promise: DecisionGate['promise'],
  limit: number,
  candidateOff: number,
  baselineOff: number,
  wanted: Verdict | 'NOT',
  seed: number,
): DecisionGate {
  const happens = (run: number) => {
    const prng = createPrng(seed, run);
    const [candidate, baseline] = [noSums(), noSums()];
    for (let entities = 1; entities <= 5000; entities++) {
      addEntity(candidate, 0.2 + candidateOff - Number(prng.next() < 0.2));
      addEntity(baseline, 0.2 + baselineOff - Number(prng.next() < 0.2));
      if (entities % 100 > 0) continue;
      const { verdict } = judgeCalibration(candidate, baseline, entities);
      if (wanted === 'NOT' ? verdict === 'ROLLBACK' || verdict === 'ASK' : verdict === wanted) return true;
    }
    return false;
  };
  return { gate, promise, limit, happens };
}

function judgeCalibration(candidate: ArmSums, baseline: ArmSums, entities: number) {
  const measure: MeasureEvidence = {
    measure: 'calibration:head',
    kind: 'mean',
    harm: 'either',
    ideal: 0,
    margin: 0.05,
    candidate,
    baseline,
  };
  return judgeRollout(
    {
      strategy: 'canary',
      step: 0,
      share: 50,
      isLastStep: true,
      windows: 3,
      seconds: 600,
      measures: [measure],
      assignment: { candidate: entities, baseline: entities, both: 0 },
    },
    DEFAULT_ROLLOUT_RULE,
  );
}

/** Box and Muller. */
function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}
