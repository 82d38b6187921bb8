import { createPrng } from '../../ml/random/prng.js';
import type { PresentedRun } from '../../services/tracking/run-store.js';

/** Made-up runs whose `roc_auc` follows from the depth, a little from the rate, and not at all from the colour. */
export function sampleRuns(count: number, seed = 3): PresentedRun[] {
  const prng = createPrng(seed, 1);
  return Array.from({ length: count }, (_, at) => {
    const depth = 1 + Math.floor(prng.next() * 12);
    const rate = 10 ** (-3 + 2 * prng.next());
    const value = 0.9 - 0.004 * (depth - 6) ** 2 - 0.01 * Math.abs(Math.log10(rate) + 2) + 0.004 * prng.next();
    return {
      run_id: `train-${at}`,
      kind: 'training',
      parent_id: null,
      model: 'customers',
      status: at % 10 === 9 ? 'failed' : 'completed',
      params: {
        algorithm: 'gradient_boosting',
        max_depth: depth,
        learning_rate: rate,
        colour: prng.next() < 0.5 ? 'red' : 'blue',
        hidden_units: [64, 32],
      },
      metrics: (at % 10 === 9 ? {} : { roc_auc: value, log_loss: 1 - value }) as Record<string, number>,
      artifacts: [],
      version: null,
      dataset_id: 'ds_1',
      dataset_digest: 'd',
      code_version: '0.1.0',
      environment: {},
      cost: { wall_seconds: 1 + at, cpu_seconds: 2, peak_memory_bytes: 2 ** 28 },
      error: null,
      created_at: new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString(),
      finished_at: null,
    };
  });
}
