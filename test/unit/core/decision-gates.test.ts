import { describe, expect, it } from 'vitest';
import { DECISION_GATES, pairsToRollback, type DecisionGate } from '../../../bench/decisions/decision-gates.js';
import { PAIRED_GATES } from '../../../bench/decisions/paired-gates.js';
import { EXPERIMENT_GATES } from '../../../bench/decisions/experiment-gates.js';
import { judgeRollout } from '../../../core/decisions/judge-rollout.js';
import type { ArmSums, CanaryEvidence } from '../../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE } from '../../../core/decisions/rollout-rule.js';
import { createPrng } from '../../../ml/random/prng.js';

/** Runs a gate of `npm run bench:decisions` costs too much for here. */
const SLOW = /peeking|windows|looked at each/;

/**
 * How often something that is allowed with probability `limit` may happen in `runs` before it is no chance any more: three standard errors
 * and one more, so that a sound rule fails one gate in about a thousand, and the seeds make it fail always or never.
 */
function allowed(limit: number, runs: number): number {
  return limit * runs + 3 * Math.sqrt(limit * (1 - limit) * runs) + 1;
}

function count({ happens }: DecisionGate, runs: number): number {
  let times = 0;
  for (let run = 0; run < runs; run++) if (happens(run)) times++;
  return times;
}

describe('the promises of the decisions, in fewer runs than the benchmark has', () => {
  const quick = [...DECISION_GATES, ...PAIRED_GATES, ...EXPERIMENT_GATES].filter(({ gate }) => !SLOW.test(gate));

  it('are most of the promises', () => {
    expect(quick.length).toBeGreaterThan(12);
  });

  for (const gate of quick)
    it(`${gate.gate}: ${gate.promise} ${gate.limit * 100} %`, () => {
      const runs = gate.gate.includes('ten healthy') ? 10 : gate.gate.includes('heavy') ? 20 : 50;
      const times = count(gate, runs);
      if (gate.limit === 0) expect(times).toBe(0);
      else if (gate.promise === 'at most') expect(times).toBeLessThanOrEqual(allowed(gate.limit, runs));
      else expect(runs - times).toBeLessThanOrEqual(allowed(1 - gate.limit, runs));
    });

  it('peeking after every request rolls back no more healthy versions than looking once', () => {
    const peeking = DECISION_GATES.find(({ gate }) => gate.startsWith('peeking') && gate.includes('healthy'))!;
    expect(count(peeking, 10)).toBeLessThanOrEqual(allowed(peeking.limit, 10));
  });

  it('would be broken by a rule that tests each look as if it were the only one', () => {
    // The same shadow without an effect under a fixed 1 % bound (2.33 standard errors) at every look, which a sequence must not be.
    let alarms = 0;
    for (let run = 0; run < 60; run++) {
      const prng = createPrng(113, run);
      let sum = 0;
      let squares = 0;
      for (let pairs = 1; pairs <= 5000; pairs++) {
        const place = prng.next();
        const value = place < 0.03 ? 1 : place < 0.06 ? -1 : 0;
        sum += value;
        squares += value * value;
        if (pairs >= 500 && sum > 2.33 * Math.sqrt(squares)) {
          alarms++;
          break;
        }
      }
    }
    expect(alarms).toBeGreaterThan(allowed(0.01, 60));
  });

  it('a worse shadow is found the sooner the worse it is', () => {
    const at = (lost: number) => pairsToRollback(lost, 0.015, 5000, createPrng(9));
    expect(at(0.1)).toBeLessThan(at(0.045));
  });
});

describe('one bot with most of the requests', () => {
  it('is no reason to roll back or to promote, whichever cohort its errors fall in', () => {
    expect(verdictWithBot('candidate')).not.toBe('ROLLBACK');
    expect(verdictWithBot('baseline')).not.toBe('PROMOTE');
    expect(verdictWithBot('baseline', 60)).not.toBe('PROMOTE');
  });
});

/** 2,000 entities an arm with 1 % errors, and in one arm a bot whose 4,000 requests all fail. */
function verdictWithBot(where: 'candidate' | 'baseline', errors = 20) {
  const crowd: ArmSums = {
    entities: 2000,
    requests: 2000,
    total: 20,
    requestsSquared: 2000,
    totalSquared: 20,
    crossed: 20,
    entitiesWithEvents: 20,
  };
  const withBot: ArmSums = {
    entities: 2001,
    requests: 6000,
    total: 4020,
    requestsSquared: 2000 + 4000 ** 2,
    totalSquared: 20 + 4000 ** 2,
    crossed: 20 + 4000 ** 2,
    entitiesWithEvents: 21,
  };
  const evidence: CanaryEvidence = {
    strategy: 'canary',
    step: 4,
    share: 50,
    isLastStep: true,
    windows: 10,
    seconds: 600,
    measures: [
      {
        measure: 'error_rate',
        kind: 'rate',
        harm: 'rises',
        candidate:
          where === 'candidate'
            ? withBot
            : { ...crowd, total: errors, totalSquared: errors, crossed: errors, entitiesWithEvents: errors },
        baseline: where === 'baseline' ? withBot : crowd,
      },
    ],
    assignment: { candidate: 2001, baseline: 2000, both: 0 },
  };
  return judgeRollout(evidence, DEFAULT_ROLLOUT_RULE).verdict;
}
