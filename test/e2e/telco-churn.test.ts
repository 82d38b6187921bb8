import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from '../../infra/local/test-stack.js';
import { projectRoot } from '../../services/project-root.js';
import { createApiClient } from '../support/api-client.js';

/** A public data set: real customers of a telephone company, with churn (IBM, Apache-2.0). */
const FILE = join(projectRoot(), 'data/samples/telco_churn.csv.gz');
/** What scikit-learn's random forest reaches on it in five folds. */
const PEER_AUC = 0.841;
const ENTRY = `telco_churn:
  kind: classification
  source: telco_churn
  entity: customerID
  target: Churn
`;

let stack: TestStack;
const api = createApiClient(() => stack.api);

describe('anyone’s own table, over HTTP only', () => {
  beforeAll(async () => {
    const inbox = join(projectRoot(), 'dist', 'test-inbox');
    mkdirSync(inbox, { recursive: true });
    copyFileSync(FILE, join(inbox, 'telco_churn.csv.gz'));
    writeFileSync(join(inbox, 'config.yaml'), ENTRY);
    stack = await TestStack.start({ DATA_SOURCE_ROOTS: inbox, MODELS_CONFIG: join(inbox, 'config.yaml') });
  });
  afterAll(() => stack?.stop());

  it('goes from a config entry to an explained prediction, as good as scikit-learn’s forest', async () => {
    const dataset = await api.run('/data/ingest', { source: 'telco_churn.csv.gz', data_type: 'telco_churn' }, 'ingest');
    expect(dataset).toMatchObject({ rows: 7043, quarantined_rows: 0 });

    const trained = await api.run(
      '/models/train',
      { model_type: 'telco_churn', cross_validation: true, search: false },
      'train',
    );
    expect(trained).toMatchObject({ model: 'telco_churn', version: 'v1.0.0', promotable: true });

    const version = (
      await api.call<{
        cross_validation: {
          folds: number;
          heads: { label: Record<string, { value: number; lower: number; upper: number; rows: number }> };
        };
      }>('GET', '/models/telco_churn/versions/v1.0.0')
    ).body;
    const { roc_auc: auc, ece } = version.cross_validation.heads.label;
    expect(version.cross_validation.folds).toBe(5);
    expect(auc!.rows).toBe(7043);
    expect(auc!.value).toBeGreaterThan(PEER_AUC - 0.01);
    expect(auc!.lower).toBeLessThan(auc!.value);
    expect(ece!.value).toBeLessThan(0.02);

    await api.run('/models/telco-churn/deploy', { version: 'v1.0.0' }, 'deploy');
    const request = {
      entity_id: '7590-VHVEG',
      features: {
        tenure: 1,
        Contract: 'Month-to-month',
        MonthlyCharges: 89.5,
        InternetService: 'Fiber optic',
        PaymentMethod: 'Electronic check',
        TotalCharges: '89.5',
      },
      explain: true,
    };
    const { status, body } = await api.call<{
      predictions: { label: string; probabilities: { Yes: number; No: number } };
      explanations: { label: { feature: string; contribution: number }[] };
      explanation_base_values: { label: number };
    }>('POST', '/predict/telco-churn', request);
    expect(status).toBe(200);
    expect(body.predictions.label).toBe('Yes');
    expect(body.predictions.probabilities.Yes).toBeGreaterThan(0.5);
    const sum = body.explanations.label.reduce(
      (total, item) => total + item.contribution,
      body.explanation_base_values.label,
    );
    expect(sum).toBeCloseTo(body.predictions.probabilities.Yes, 5);
    expect(body.explanations.label.slice(0, 5).map((item) => item.feature)).toContain('Contract');

    // What a caller gets wrong is said, not swallowed.
    const misspelt = await api.call<{ prediction_id: string; warnings: { path: string; message: string }[] }>(
      'POST',
      '/predict/telco-churn',
      {
        features: { Contract: 'Two years' },
      },
    );
    expect(misspelt.body.warnings).toEqual([
      {
        path: 'features.Contract',
        message:
          '"Two years" did not occur in training and counts as not known; known: Month-to-month, One year, Two year',
      },
    ]);
    const nothing = await api.call('POST', '/predict/telco-churn', { features: {} });
    expect(nothing.body['warnings']).toMatchObject([{ path: 'features' }]);
    const feedback = `/predictions/${misspelt.body.prediction_id}/feedback`;
    expect(await api.call('POST', feedback, { outcome: { lable: 'Yes' } })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'outcome.lable' }] },
    });
    expect(await api.call('POST', feedback, { outcome: { label: 'Yes' } })).toMatchObject({
      status: 200,
      body: { outcome: { label: 'Yes' } },
    });
  });
});
