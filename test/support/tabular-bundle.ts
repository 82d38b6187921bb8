import { fitGradientBoosting, defaultGradientBoostingParameters } from '../../ml/ensemble/gradient-boosting.js';
import { defaultRandomForestParameters, fitRandomForest } from '../../ml/ensemble/random-forest.js';
import { fitLinear } from '../../ml/linear/fit-linear.js';
import { defaultLinearParameters } from '../../ml/linear/linear-parameters.js';
import { fitTabularNetwork } from '../../ml/neural/fit-tabular-network.js';
import { encodeTable, fitTableEncoder } from '../../ml/preprocess/table-encoder.js';
import { createPrng } from '../../ml/random/prng.js';
import type { ModelBundle } from '../../services/artifacts/model-bundle.js';
import type { StoredHead } from '../../services/kinds/tabular/fit-model.js';
import {
  blendedHead,
  boostingHead,
  forestHead,
  linearHead,
  type HeadModel,
} from '../../services/kinds/tabular/head-model.js';
import { networkHead } from '../../services/kinds/tabular/network-head.js';
import { selectNetworkBackend } from '../../services/training/network-backend.js';

const ROWS = 400;
const PLANS = ['basic', 'plus', 'pro', 'team', 'x y', 'é'];

/** Rows with numbers, truth values, categories and dates, some of each missing. */
export function mixedRows(rows: number, seed: number) {
  const prng = createPrng(seed);
  const or = <T>(value: T): T | null => (prng.next() < 0.12 ? null : value);
  return Array.from({ length: rows }, () => ({
    size: or(prng.next() * 100 - 20),
    spend: or(Math.exp(8 * prng.next())),
    plan: or(PLANS[Math.floor(prng.next() * PLANS.length)]!),
    city: or(`city ${Math.floor(prng.next() * 40)}`),
    paid: or(prng.next() < 0.5),
    since: or(new Date(Date.UTC(1960, 0, 1) + prng.next() * 80 * 365 * 86_400_000).toISOString()),
  }));
}
export type MixedRow = ReturnType<typeof mixedRows>[number];

function scoreOf({ size, spend, plan, paid }: MixedRow): number {
  return (size ?? 30) / 40 + Math.log(spend ?? 50) / 4 + (plan === 'pro' || plan === 'é' ? 1.5 : 0) - (paid ? 0.8 : 0);
}

export type TestedAlgorithm = 'random_forest' | 'gradient_boosting' | 'linear' | 'blend' | 'neural_network';

/** A version of a table, fitted on made-up rows. @param classes 0 for a regression */
export async function tabularBundle(
  algorithm: TestedAlgorithm,
  classes: number,
  more: Partial<StoredHead> = {},
  oneHotLimit = 0,
): Promise<ModelBundle> {
  const rows = mixedRows(ROWS, 5);
  const columns = Object.keys(rows[0]!).map((name) => ({
    name,
    values: rows.map((row) => row[name as keyof MixedRow]),
  }));
  const encoder = fitTableEncoder(columns, Uint32Array.from(rows.keys()), { oneHotLimit });
  const x = encodeTable(encoder, columns);
  const y = Float64Array.from(rows, (row) =>
    classes === 0 ? 1000 * scoreOf(row) : Math.min(classes - 1, Math.max(0, Math.floor(scoreOf(row) - 1))),
  );
  const categorical = encoder.features.filter(({ encoding }) => encoding === 'ordinal').map(({ start }) => start);
  const task = classes === 0 ? ({ kind: 'regression' } as const) : ({ kind: 'classification', classes } as const);
  const loss =
    classes === 0
      ? ({ kind: 'squared' } as const)
      : classes === 2
        ? ({ kind: 'logistic' } as const)
        : ({ kind: 'softmax', classes } as const);
  const fits: Record<TestedAlgorithm, () => HeadModel | Promise<HeadModel>> = {
    random_forest: () =>
      forestHead(
        fitRandomForest({ x, y, task, parameters: { ...defaultRandomForestParameters(task), nEstimators: 20 } }),
      ),
    gradient_boosting: () =>
      boostingHead(
        fitGradientBoosting({
          x,
          y,
          loss,
          categorical,
          parameters: { ...defaultGradientBoostingParameters(loss), nEstimators: 40, minSamplesLeaf: 5 },
        }),
      ),
    linear: () => linearHead(fitLinear({ x, y, task, categorical, parameters: defaultLinearParameters() })),
    blend: async () =>
      blendedHead([
        { weight: 0.3, model: await fits.linear() },
        { weight: 0.7, model: await fits.gradient_boosting() },
      ]),
    async neural_network() {
      await selectNetworkBackend({ gpuEnabled: false });
      const kind = classes === 0 ? 'regression' : classes === 2 ? 'binary' : 'ordered';
      const head = { name: 'label', kind, classes, truth: y } as const;
      const { network } = await fitTabularNetwork({
        matrix: x,
        categories: encoder.columns.map((_, column) =>
          categorical.includes(column) ? encoder.features.find(({ start }) => start === column)!.categories!.length : 0,
        ),
        heads: [head as never],
        validationRows: Uint32Array.from({ length: 50 }, (_, at) => at * 8),
        parameters: { epochs: 3, hidden: [16, 8] },
        seed: 1,
      });
      return networkHead(network, 0);
    },
  };
  const model = await fits[algorithm]();
  const names = Array.from({ length: classes }, (_, at) => `class ${at}`);
  const head: StoredHead = {
    name: classes === 0 ? 'value' : 'label',
    task: classes === 0 ? 'regression' : classes === 2 ? 'binary' : 'multiclass',
    classes: names,
    algorithm: model.algorithm,
    file: 'head.model',
    index: 0,
    ...more,
  };
  const manifest = {
    kind: classes === 0 ? 'regression' : 'classification',
    model: 'm',
    algorithm,
    signature: encoder.features.map(({ name, type }) => ({ name, type })),
    heads: [{ name: head.name, task: head.task, classes: names }],
    body: { encoder, heads: [head] },
  };
  const files = new Map([['head.model', model.encode()]]);
  return { digest: 'd', manifest, files, bytes: 0 } as unknown as ModelBundle;
}
