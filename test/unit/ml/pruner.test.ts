import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { createPruner, PRUNERS, type PrunerName } from '../../../ml/search/create-pruner.js';
import { bracketSizes } from '../../../ml/search/halving-pruner.js';
import type { Pruner } from '../../../ml/search/pruner.js';
import { visibleTrials, type Report, type Trial } from '../../../ml/search/trial.js';

const ended = (index: number, losses: Record<number, number>, state: 'completed' | 'pruned' | 'failed'): Trial => {
  const reports = Object.entries(losses).map(([resource, loss]) => ({ resource: Number(resource), loss }));
  if (state === 'completed')
    return {
      index,
      configuration: {},
      reports,
      outcome: { state, losses: [Object.values(losses).at(-1)!], violation: 0 },
    };
  return { index, configuration: {}, reports, outcome: state === 'failed' ? { state, reason: 'memory' } : { state } };
};
const judge = (pruner: Pruner, history: readonly Trial[], losses: Record<number, number>, index = history.length) =>
  pruner.decide({ history, index, reports: ended(0, losses, 'pruned').reports, seed: 0 });

/** What a sweep does with a pruner, trial after trial: curves are by trial, then by resource from 1. */
function sweep(
  pruner: Pruner,
  curves: readonly Float64Array[],
  parallelism: number,
): { trials: Trial[]; cost: number } {
  const trials: Trial[] = [];
  let cost = 0;
  curves.forEach((curve, index) => {
    const history = visibleTrials(trials, index, parallelism);
    const reports: Report[] = [];
    let isPruned = false;
    for (let resource = 1; resource <= curve.length && !isPruned; resource++) {
      reports.push({ resource, loss: curve[resource - 1]! });
      isPruned =
        resource < curve.length && pruner.decide({ history, index, reports: [...reports], seed: 0 }) === 'prune';
    }
    cost += reports.length;
    const losses = [reports.at(-1)!.loss];
    const outcome: Trial['outcome'] = isPruned ? { state: 'pruned' } : { state: 'completed', losses, violation: 0 };
    trials.push({ index, configuration: {}, reports, outcome });
  });
  return { trials, cost };
}

/** Curves of training that fall to a level of their own as a power of the rounds, some fast, some slowly, with noise on the way. */
function drawCurves(seed: number, count: number, rounds: number): Float64Array[] {
  const prng = createPrng(seed, 0x6375727665);
  const normal = () => Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
  return Array.from({ length: count }, () => {
    const level = 0.1 + 0.03 * Math.abs(normal()) + 0.02 * prng.next();
    const height = 0.3 + 0.2 * prng.next();
    const speed = 0.5 + 0.7 * prng.next();
    return Float64Array.from({ length: rounds }, (_, t) => level + height * (t + 1) ** -speed + 0.003 * normal());
  });
}

describe('pruners', () => {
  it.each(PRUNERS)('%s judges a trial only at its levels, and alike when asked again', (name) => {
    const pruner = createPruner(name, { maxResource: 81 });
    const { trials } = sweep(pruner, drawCurves(1, 40, 81), 4);
    for (const { index, reports, outcome } of trials) {
      const levels = pruner.levelsOf(index);
      expect(levels.every((level) => level >= 3 && level < 81)).toBe(true);
      if (outcome.state === 'pruned') expect(levels).toContain(reports.at(-1)!.resource);
      const request = { history: visibleTrials(trials, index, 4), index, reports, seed: 0 };
      expect(pruner.decide(request)).toBe(outcome.state === 'pruned' ? 'prune' : 'continue');
    }
  });

  it.each(PRUNERS)('%s judges at the first report past a level where none comes exactly at it', (name) => {
    const pruner = createPruner(name, { maxResource: 50 });
    const history = Array.from({ length: 9 }, (_, index) => ended(index, { 4: 1, 12: 1, 28: 1 }, 'completed'));
    // As trial 12 of Hyperband is in its first bracket, too.
    expect(judge(pruner, history, { 4: 2 }, 11)).toBe(name === 'none' ? 'continue' : 'prune');
    expect(judge(pruner, history, { 4: 0.5, 5: 2 }, 11)).toBe('continue');
  });

  it('none lets every trial go on', () => {
    const history = [ended(0, { 3: 0 }, 'completed')];
    expect(judge(createPruner('none', { maxResource: 9 }), history, { 3: Infinity })).toBe('continue');
  });

  it('refuses options that make no levels', () => {
    expect(() => createPruner('asha', { maxResource: 0 })).toThrow('the most resource is 0');
    expect(() => createPruner('asha', { maxResource: 9, eta: 1 })).toThrow('eta is 1');
    expect(() => createPruner('hyperband', { maxResource: 9, minResource: 0.5 })).toThrow('least resource is 0.5');
    expect(() => createPruner('median', { maxResource: 9, minResource: 0 })).toThrow('least resource is 0');
  });
});

describe('the median rule', () => {
  const pruner = createPruner('median', { maxResource: 20 });
  const history = [1, 2, 3, 4].map((loss, index) => ended(index, { 3: loss }, index % 2 ? 'pruned' : 'completed'));

  it('ends a trial whose best is worse than the median of the others at that level', () => {
    const five = [...history, ended(4, { 3: 5 }, 'completed')];
    expect(judge(pruner, five, { 1: 9, 2: 9, 3: 3 })).toBe('continue');
    expect(judge(pruner, five, { 1: 9, 2: 9, 3: 3.01 })).toBe('prune');
    expect(judge(pruner, five, { 1: 9, 2: 2.9, 3: 3.01 })).toBe('continue');
  });

  it('waits until five others came so far, and does not count those that failed or run', () => {
    const running: Trial = { index: 4, configuration: {}, reports: [], outcome: { state: 'running' } };
    expect(judge(pruner, [...history, running], { 3: 9 })).toBe('continue');
    expect(judge(pruner, [...history, ended(4, { 3: 5 }, 'failed')], { 3: 9 })).toBe('continue');
  });
});

describe('successive halving', () => {
  it('has levels that rise by eta from the least resource', () => {
    expect(createPruner('asha', { maxResource: 81 }).levelsOf(0)).toEqual([3, 9, 27]);
    expect(createPruner('asha', { maxResource: 82, minResource: 1, eta: 4 }).levelsOf(5)).toEqual([1, 4, 16, 64]);
    expect(createPruner('asha', { maxResource: 3 }).levelsOf(0)).toEqual([]);
  });

  it('lets go on who is among the best third of those that reached the level, and always the best', () => {
    const pruner = createPruner('asha', { maxResource: 81 });
    const history = [1, 2, 3, 4, 5].map((loss, index) => ended(index, { 3: loss }, 'pruned'));
    expect(judge(pruner, [], { 3: 7 })).toBe('continue');
    expect(judge(pruner, history.slice(0, 1), { 3: 1.5 })).toBe('prune');
    expect(judge(pruner, history, { 3: 1.5 })).toBe('continue');
    expect(judge(pruner, history, { 3: 2.5 })).toBe('prune');
    expect(judge(pruner, history, { 3: NaN })).toBe('prune');
  });

  it('of equal trials lets the earlier ones go on, so that a measure that never moves costs no full trials', () => {
    const flat = Array.from({ length: 27 }, () => new Float64Array(81).fill(1));
    const { trials } = sweep(createPruner('asha', { maxResource: 81 }), flat, 1);
    expect(trials.filter(({ outcome }) => outcome.state === 'completed')).toHaveLength(1);
  });

  it('holds a trial only against its own round, as many as leave one', () => {
    const [rounds, all] = (['successive_halving', 'asha'] as const).map((name) =>
      createPruner(name, { maxResource: 81 }),
    );
    const history = Array.from({ length: 27 }, (_, index) => ended(index, { 3: index }, 'pruned'));
    expect(judge(rounds!, history, { 3: 99 })).toBe('continue');
    expect(judge(all!, history, { 3: 99 })).toBe('prune');
    expect(judge(rounds!, history, { 3: 99 }, 26)).toBe('prune');
  });

  it('leaves of n trials in falling order of worth about a third on each level', () => {
    const falling = Array.from({ length: 81 }, (_, index) => new Float64Array(81).fill(index));
    const { trials } = sweep(createPruner('asha', { maxResource: 81 }), falling, 1);
    const reached = (level: number) => trials.filter(({ reports }) => reports.length > level).length;
    expect([reached(3), reached(9), reached(27)]).toEqual([1, 1, 1]);
    const { trials: rising } = sweep(createPruner('asha', { maxResource: 81 }), falling.toReversed(), 1);
    // Each is the best so far, so none may be stopped: the price of not waiting for the others.
    expect(rising.every(({ outcome }) => outcome.state === 'completed')).toBe(true);
  });
});

describe('Hyperband', () => {
  it('has the brackets of the paper for 81 rounds', () => {
    expect(bracketSizes(4, 3)).toEqual([81, 34, 15, 8, 5]);
  });

  it('starts each bracket a level later than the one before, and judges none of the last', () => {
    const pruner = createPruner('hyperband', { maxResource: 81, minResource: 1 });
    const starts = [0, 80, 81, 114, 115, 129, 130, 137, 138, 142, 143].map((index) => pruner.levelsOf(index)[0]);
    expect(starts).toEqual([1, 1, 3, 3, 9, 9, 27, 27, undefined, undefined, 1]);
  });

  it('holds a trial only against those of its bracket', () => {
    const pruner = createPruner('hyperband', { maxResource: 81, minResource: 1 });
    const history = Array.from({ length: 81 }, (_, index) => ended(index, { 1: 0, 3: 0 }, 'pruned'));
    expect(judge(pruner, history, { 3: 9 })).toBe('continue');
    expect(judge(pruner, history, { 3: 9 }, 80)).toBe('prune');
  });
});

describe('what pruners save and lose', () => {
  /** Of 50 sweeps of 64 trials, 81 rounds each: the share of the full cost, and how far the choice is from the best curve. */
  function measure(name: PrunerName, options = {}) {
    let [cost, regret] = [0, 0];
    const pruner = createPruner(name, { maxResource: 81, ...options });
    for (let seed = 0; seed < 50; seed++) {
      const curves = drawCurves(seed, 64, 81);
      const run = sweep(pruner, curves, 4);
      cost += run.cost / (64 * 81) / 50;
      const ends = run.trials.filter(({ outcome }) => outcome.state === 'completed');
      const chosen = ends.reduce((a, b) => (b.reports.at(-1)!.loss < a.reports.at(-1)!.loss ? b : a));
      regret += (curves[chosen.index]!.at(-1)! - Math.min(...curves.map((curve) => curve.at(-1)!))) / 50;
    }
    return { name, cost, regret };
  }

  it('of a sweep of 64 ASHA costs about a fifth and loses a thousandth; with earlier levels it costs less and loses more', () => {
    const asha = measure('asha');
    const early = measure('asha', { eta: 4, minResource: 1 });
    expect(asha.cost).toBeLessThan(0.23);
    expect(asha.regret).toBeLessThan(0.001);
    expect(early.cost).toBeLessThan(0.14);
    expect(early.regret).toBeGreaterThan(2 * asha.regret);
  });

  it('the others cost more and lose no more than it does', () => {
    for (const name of ['median', 'successive_halving', 'hyperband'] as const) {
      const { cost, regret } = measure(name);
      expect(cost).toBeLessThan(0.45);
      expect(regret).toBeLessThan(0.001);
    }
  });
});
