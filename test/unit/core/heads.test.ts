import { describe, expect, it } from 'vitest';
import { indexOfLargest, shapePrediction } from '../../../core/kinds/heads.js';

describe('the answer of a kind', () => {
  it('of user_behavior: churn as a probability with the confidence of what is answered', () => {
    expect(
      shapePrediction('user_behavior', [
        { head: 'churn_probability', task: 'binary', classes: ['false', 'true'], probabilities: [0.85, 0.15] },
        {
          head: 'engagement_level',
          task: 'multiclass',
          classes: ['low', 'medium', 'high'],
          probabilities: [0.2, 0.3, 0.5],
        },
      ]),
    ).toEqual({
      predictions: { churn_probability: 0.15, engagement_level: 'high' },
      confidence_scores: { churn_probability: 0.85, engagement_level: 0.5 },
    });
  });

  it('of a classification: the label in its own type, and every probability by name', () => {
    expect(
      shapePrediction('classification', [
        { head: 'label', task: 'multiclass', classes: [0, 1, 'two', true], probabilities: [0.1, 0.7, 0.1, 0.1] },
      ]),
    ).toEqual({
      predictions: { label: 1, probabilities: { '0': 0.1, '1': 0.7, two: 0.1, true: 0.1 } },
      confidence_scores: { label: 0.7 },
    });
  });

  it('of a regression: the value and its interval, with the level as the confidence', () => {
    expect(
      shapePrediction('regression', [
        { head: 'value', task: 'regression', value: 1 / 3, interval: { lower: -0.5, upper: 1.25, level: 0.9 } },
      ]),
    ).toEqual({
      predictions: { value: 0.333333, interval: { lower: -0.5, upper: 1.25, level: 0.9 } },
      confidence_scores: { value: 0.9 },
    });
  });
});

it('of equal probabilities the first class is the answer', () => {
  expect([indexOfLargest([0.5, 0.5]), indexOfLargest([0.2, 0.4, 0.4]), indexOfLargest([])]).toEqual([0, 1, 0]);
});
