import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../services/project-root.js';
import { Service, type ProblemBody } from './support/service.js';

/** The entry that the project itself comes with, and one for data without days. */
const SHIPPED = readFileSync(join(projectRoot(), 'models', 'config.yaml'), 'utf8');
const MODELS = `${SHIPPED}
without_days:
  kind: project_success
  source: projects
  target: outcome
  exclude: [actual_days, created_at, project_id]
  project: { duration: days_that_nobody_counted }
wrong_value:
  kind: project_success
  source: projects
  target: outcome
  features: [team_size]
  project: { success_value: won }
`;

interface Prediction {
  predictions: {
    success_probability: number;
    completion_time_estimate: number;
    completion_time_interval: { lower: number; upper: number; level: number };
    risk_factors: string[];
    recommendations: string[];
  };
  confidence_scores: Record<string, number>;
  explanations: Record<string, { feature: string; contribution: number }[]>;
  explanation_base_values: Record<string, number>;
}

let service: Service;
const predict = (features: object, more: object = {}) =>
  service.post<Prediction>('/predict/project-success', { project_id: 'proj_456', features, ...more });

beforeAll(async () => {
  service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'true' });
  copyFileSync(join(projectRoot(), 'data', 'samples', 'projects.csv'), join(service.inbox, 'projects.csv'));
  await service.run('/data/ingest', { source: 'projects.csv', data_type: 'projects' });
});
afterAll(() => service?.stop());

describe('project success', () => {
  it('learns chance and days from the finished projects, and beats base rate and median', async () => {
    const trained = await service.run('/models/train', {
      model_type: 'project_success',
      auto_deploy: true,
      search: false,
    });
    expect(trained).toMatchObject({ promotable: true, deployment: { state: 'promoted' } });
    const metrics = trained['metrics'] as Record<string, Record<string, { value: number }>>;
    // The laws of the simulator allow 0.93 at best (npm run ceiling).
    expect(metrics['success_probability']!['accuracy']!.value).toBeGreaterThan(0.87);
    expect(metrics['success_probability']!['ece']!.value).toBeLessThan(0.06);
    // A spread of 12 % is chance.
    expect(metrics['completion_time_estimate']!['r2']!.value).toBeGreaterThan(0.8);
    expect(metrics['completion_time_estimate']!['coverage']!.value).toBeGreaterThan(0.84);
  });

  it('answers the request of the original as it asks', async () => {
    const { status, body } = await predict({
      complexity_score: 0.7,
      team_size: 3,
      duration_estimate: 45,
      technology_maturity: 0.8,
    });
    expect(status).toBe(200);
    expect(body.predictions.success_probability).toBeGreaterThan(0.8);
    expect(body.predictions.completion_time_estimate).toBeGreaterThan(35);
    expect(body.predictions.completion_time_estimate).toBeLessThan(65);
    expect(body.predictions.risk_factors).toEqual(['no_major_risks']);
    expect(body.predictions.recommendations).toEqual(['project_looks_good']);
    expect(Object.keys(body.confidence_scores)).toEqual(['success_probability', 'completion_time_estimate']);
  });

  it('names what endangers a project by its own attributions, which add up to the answer', async () => {
    const { body } = await predict(
      { complexity_score: 0.95, team_size: 2, duration_estimate: 60, technology_maturity: 0.15 },
      { explain: true },
    );
    expect(body.predictions.success_probability).toBeLessThan(0.2);
    expect(body.predictions.risk_factors).toEqual(expect.arrayContaining(['high_complexity', 'immature_technology']));
    expect(body.predictions.recommendations).toEqual(
      expect.arrayContaining(['reduce_scope', 'choose_proven_technology']),
    );
    const effects = body.explanations['success_probability']!;
    const sum = effects.reduce((total, effect) => total + effect.contribution, 0);
    expect(body.explanation_base_values['success_probability']! + sum).toBeCloseTo(
      body.predictions.success_probability,
      5,
    );
  });

  it('answers without any feature, and says that it rests on nothing', async () => {
    const { status, body } = await service.post<Prediction & { warnings: { path: string }[] }>(
      '/predict/project-success',
      { features: {} },
    );
    expect([status, body.warnings[0]?.path]).toEqual([200, 'features']);
  });

  it('refuses unknown features and fields with their paths', async () => {
    const features = await service.post<ProblemBody>('/predict/project-success', { features: { colour: 'red' } });
    expect([features.status, features.body.errors?.[0]?.path]).toEqual([422, 'features.colour']);
    const field = await service.post<ProblemBody>('/predict/project-success', { features: {}, user_id: 'u' });
    expect([field.status, field.body.errors?.[0]?.path]).toEqual([422, 'user_id']);
  });

  it('learns the chance alone where nobody counted days, and says so', async () => {
    const trained = await service.run('/models/train', { model_type: 'without_days', search: false });
    expect(Object.keys(trained['metrics'] as object)).toEqual(['success_probability']);
    expect(trained['warnings']).toEqual([expect.objectContaining({ path: 'project.duration' })]);
  });

  it('fails with the values it found where none is a success', async () => {
    expect(await service.fail('/models/train', { model_type: 'wrong_value' })).toMatchObject({
      code: 'training_data_insufficient',
      detail: expect.stringMatching(/both won and another value .* success|failed/) as string,
    });
  });
});
