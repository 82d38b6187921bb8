import { expect, it } from 'vitest';
import { judgePromotion, type SkillEvidence } from '../../../core/policy/promotion.js';

const head = (name: string, lower: number): SkillEvidence => ({
  head: name,
  loss: 'log_loss',
  difference: 0.1,
  lower,
  upper: 0.2,
  entities: 100,
});

it('a version whose every head beats its base answer by more than chance may be promoted', () => {
  expect(judgePromotion([head('a', 0.01), head('b', 1e-9)])).toMatchObject({ promotable: true });
});

it('one head without skill is enough to refuse it, and is named', () => {
  const verdict = judgePromotion([head('good', 0.01), head('idle', 0), head('worse', -0.2)]);
  expect(verdict.promotable).toBe(false);
  expect(verdict.reason).toContain('idle, worse');
  expect(verdict.reason).not.toContain('good');
});

it('no evidence, and evidence that is no number, are never success', () => {
  expect(judgePromotion([])).toMatchObject({ promotable: false, reason: expect.stringContaining('no evidence') });
  expect(judgePromotion([head('a', NaN)])).toMatchObject({ promotable: false });
});
