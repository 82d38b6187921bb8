import { describe, expect, it } from 'vitest';
import type { HeadOutput } from '../../../core/kinds/heads.js';
import { projectSettingsSchema, shapeProjectSuccess } from '../../../core/kinds/project-success.js';

const settings = projectSettingsSchema.parse({
  overrun: { risk: 'schedule_overrun', recommendation: 'extend_timeline' },
  most_factors: 2,
  rules: [
    { feature: 'team_size', when: 'low', risk: 'understaffed_team', recommendation: 'add_team_members' },
    { feature: 'team_size', when: 'high', risk: 'oversized_team', recommendation: 'split_the_team' },
    { feature: 'complexity_score', risk: 'high_complexity', recommendation: 'reduce_scope' },
  ],
});
const medians = { team_size: 5, complexity_score: 0.5 };
const heads = (probability: number, days = 40, lower = 30): HeadOutput[] => [
  {
    head: 'success_probability',
    task: 'binary',
    classes: [false, true],
    probabilities: [1 - probability, probability],
  },
  { head: 'completion_time_estimate', task: 'regression', value: days, interval: { lower, upper: 60, level: 0.9 } },
];
const effect = (feature: string, value: number, contribution: number) => ({ feature, value, contribution });

describe('an answer about a project', () => {
  it('says that all is well when nothing lowers the success probability by enough', () => {
    const { predictions, confidence_scores } = shapeProjectSuccess(
      heads(0.7),
      [effect('team_size', 3, -0.02), effect('complexity_score', 0.2, 0.3)],
      settings,
      medians,
      45,
    );
    expect(predictions).toEqual({
      success_probability: 0.7,
      completion_time_estimate: 40,
      completion_time_interval: { lower: 30, upper: 60, level: 0.9 },
      risk_factors: ['no_major_risks'],
      recommendations: ['project_looks_good'],
    });
    expect(confidence_scores).toEqual({ success_probability: 0.7, completion_time_estimate: 0.9 });
  });

  it('names the strongest factors first, by the rule that fits the side of the median, and no more than asked', () => {
    const effects = [effect('team_size', 3, -0.1), effect('complexity_score', 0.9, -0.3), effect('other', 1, -0.05)];
    const { predictions } = shapeProjectSuccess(heads(0.4), effects, settings, medians, undefined);
    expect(predictions).toMatchObject({
      risk_factors: ['high_complexity', 'understaffed_team'],
      recommendations: ['reduce_scope', 'add_team_members'],
    });
    const large = shapeProjectSuccess(heads(0.4), [effect('team_size', 9, -0.1)], settings, medians, undefined);
    expect(large.predictions['risk_factors']).toEqual(['oversized_team']);
  });

  it('names a factor after its feature where no rule fits', () => {
    const { predictions } = shapeProjectSuccess(heads(0.4), [effect('weather', 1, -0.2)], settings, {}, undefined);
    expect(predictions).toMatchObject({
      risk_factors: ['unfavourable_weather'],
      recommendations: ['review_weather'],
    });
  });

  it('has no factor from the safe probability on, but tells an overrun of the plan', () => {
    const effects = [effect('complexity_score', 0.9, -0.3)];
    expect(shapeProjectSuccess(heads(0.82), effects, settings, medians, 45).predictions['risk_factors']).toEqual([
      'no_major_risks',
    ]);
    expect(shapeProjectSuccess(heads(0.82, 70, 50), effects, settings, medians, 45).predictions).toMatchObject({
      risk_factors: ['schedule_overrun'],
      recommendations: ['extend_timeline'],
    });
  });
});
