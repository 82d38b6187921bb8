import { describe, expect, it } from 'vitest';
import { drawProjectPlan, projectSuccessChance } from '../../../simulator/project-model.js';
import { RandomSource } from '../../../simulator/random-source.js';

describe('the shifted world of projects', () => {
  it('lets the same plans end otherwise, so that who knows the usual one is mostly wrong', () => {
    const random = new RandomSource(1, 'plans');
    const plans = Array.from({ length: 2000 }, () => drawProjectPlan(random));
    const isLikely = (chance: number) => chance > 0.5;
    const same = plans.filter(
      (plan) => isLikely(projectSuccessChance(plan)) === isLikely(projectSuccessChance(plan, 'shifted')),
    );
    expect(same.length / plans.length).toBeLessThan(0.5);
    expect(projectSuccessChance(plans[0]!, 'usual')).toBe(projectSuccessChance(plans[0]!));
  });
});
