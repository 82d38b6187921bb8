import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anomalySettingsSchema } from '../../../core/kinds/anomaly-detection.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { BundleManifest, GoldenCase } from '../../../services/artifacts/model-bundle.js';
import type { DatasetManifest } from '../../../services/datasets/manifest.js';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';
import { anomalyDetectionRecipe } from '../../../services/kinds/anomaly-detection/recipe.js';
import { createAnomalyScorer } from '../../../services/kinds/anomaly-detection/scorer.js';
import type { Evaluation, FitOutcome, PlanInput } from '../../../services/kinds/recipe.js';
import { selfTest } from '../../../services/serving/self-test.js';
import { STAGED, type TrainingPlan } from '../../../services/training/training-plan.js';

const NORMAL = 3000;
const ODD = 200;
/** Narrow enough for what is common to all three and nothing else. */
const NETWORK = { hidden_units: [16, 1, 16], epochs: 30, learning_rate: 0.01, batch_size: 128 };
const FEATURES = ['left', 'right', 'third'];

/** Three measurements that move together; in the known anomalies one goes against the others, within its own usual range. */
function drawRows(): string[] {
  const prng = createPrng(4, 2);
  return Array.from({ length: NORMAL + ODD }, (_, row) => {
    const common = prng.nextGaussian();
    const near = () => (common + 0.15 * prng.nextGaussian()).toFixed(6);
    const isOdd = row >= NORMAL;
    const right = isOdd ? (-Math.sign(common) * (0.8 + 0.4 * prng.next())).toFixed(6) : near();
    return `(${isOdd ? "'contradiction'" : 'NULL'}, NULL, NULL, ${near()}, ${right}, ${near()})`;
  });
}

interface Trained {
  fit: FitOutcome;
  evaluation: Evaluation;
  golden: GoldenCase[];
  report: unknown;
  files: Map<string, Uint8Array>;
}

let folder: string;
let plain: Trained;
let rebuilt: Trained;

async function train(algorithm: 'auto' | 'autoencoder'): Promise<Trained> {
  const staging = mkdtempSync(join(folder, 'run-'));
  await withDuckDb((connection) =>
    queryRows(
      connection,
      `COPY (SELECT * FROM (VALUES ${drawRows().join(', ')}) AS t(_label, _entity, _time, ${FEATURES.map((name) => `"${name}"`).join(', ')})) TO ${quoteText(join(staging, STAGED.table))} (FORMAT parquet)`,
    ),
  );
  const manifest = {
    columns: [...FEATURES.map((name) => ({ name, type: 'number' })), { name: 'kind', type: 'string' }],
  } as unknown as DatasetManifest;
  const planned = anomalyDetectionRecipe.plan({
    definition: {
      name: 'pumps',
      kind: 'anomaly_detection',
      algorithm,
      exclude: [],
      hyperparameters: { n_estimators: 30, ...(algorithm === 'autoencoder' ? NETWORK : {}) },
      anomaly: anomalySettingsSchema.parse({ label: 'kind' }),
    },
    request: {},
    manifest,
    autoMl: true,
    gpuEnabled: false,
  } as unknown as PlanInput);
  expect(planned.problems).toEqual([]);
  const plan = {
    ...planned,
    model: 'pumps',
    kind: 'anomaly_detection',
    datasetId: 'ds_1',
    datasetDigest: '0123456789abcdef',
    validationSplit: 0.2,
    codeVersion: '0.1.0',
  } as unknown as TrainingPlan;
  const fit = await anomalyDetectionRecipe.fit(plan, staging, () => {});
  writeFileSync(join(staging, STAGED.fit), JSON.stringify(fit));
  const judged = await anomalyDetectionRecipe.evaluate(plan, staging, () => {});
  const files = new Map(fit.files.map((file) => [file, new Uint8Array(readFileSync(join(staging, file)))]));
  return { fit, files, report: undefined, ...judged };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reconstruction-'));
  plain = await train('auto');
  rebuilt = await train('autoencoder');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As a deployed version has it: from bytes and plain JSON. */
function scorerOf({ fit, golden, files }: Trained) {
  const manifest = { model: 'pumps', golden, body: fit.body, signature: fit.signature } as unknown as BundleManifest;
  return createAnomalyScorer({
    digest: '0',
    bytes: 0,
    files,
    manifest: JSON.parse(JSON.stringify(manifest)) as BundleManifest,
  });
}

describe('a detector with an autoencoder', () => {
  it('finds measurements that contradict each other, which the other views miss, at the stated false alarm rate', () => {
    const [before, after] = [plain, rebuilt].map(({ evaluation }) => evaluation.metrics['is_anomaly']!);
    expect(after!['detection_rate']!.value!).toBeGreaterThan(before!['detection_rate']!.value! + 0.2);
    expect(after!['false_alarm_rate']!.lower!).toBeLessThan(0.01);
  });

  it('answers from its stored files as it did when it was judged', () => {
    expect(rebuilt.fit.files).toEqual(['detector.model', 'autoencoder.model']);
    expect(selfTest(scorerOf(rebuilt))).toEqual({ rows: 16 });
  });

  it('explains the oddity by the measurement that goes against the others', () => {
    const features = { left: 1.1, right: -1, third: 1 };
    const scorer = scorerOf(rebuilt);
    const { base_value, output, contributions } = scorer.explain({ features })!['is_anomaly']!;
    expect(contributions.reduce((sum, one) => sum + one.contribution, base_value)).toBeCloseTo(output, 10);
    expect(contributions[0]!.feature).toBe('right');
    expect(scorer.predict({ features }).predictions).toMatchObject({ is_anomaly: true });
  });

  it('is the same to the bit for the same seed', async () => {
    expect((await train('autoencoder')).files).toEqual(rebuilt.files);
  });

  it('reports its training and the device, and without one nothing of either', () => {
    const text = JSON.stringify(rebuilt.report);
    expect(text).toContain('How the autoencoder was learnt');
    expect(text).toContain('network trained on');
    expect(plain.fit.files).toEqual(['detector.model']);
    expect(JSON.stringify(plain.report)).not.toContain('trained on"');
  });
});
