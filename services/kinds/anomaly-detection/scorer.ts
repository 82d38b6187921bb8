import type { FieldProblem } from '../../../core/errors.js';
import { anomalyOptionsSchema, shapeAnomaly } from '../../../core/kinds/anomaly-detection.js';
import type { ScoreInput } from '../../../core/schemas/prediction.js';
import { anomalyScore, columnShares, judgeRow, type AnomalyDetector } from '../../../ml/anomaly/anomaly-detector.js';
import { extendedPValue, falseAlarmRate } from '../../../ml/anomaly/conformal-p-value.js';
import { decodeFile, type ModelBundle } from '../../artifacts/model-bundle.js';
import { invalidFeatures } from '../../serving/invalid-features.js';
import type { HeadExplanation, Scorer } from '../../serving/scorer.js';
import { loadDetector, type AnomalyBody } from './anomaly-model.js';
import { describeHistory, judgeHistory } from './judge-history.js';

type Features = ScoreInput['features'];

/** Judges single rows, and those with a history beside it. @throws ServiceError `artifact_corrupt` */
export function createAnomalyScorer(bundle: ModelBundle): Scorer {
  const body = bundle.manifest.body as AnomalyBody;
  const detector = loadDetector(body, (file, decode) => decodeFile(bundle, file, decode));
  const calibration = Float64Array.from(body.calibration);
  const names = new Set(body.features);
  return {
    bundle,
    isByEntity: false,
    predict({ features, options: given }) {
      const options = anomalyOptionsSchema.parse(given ?? {});
      const row = readRow(body, names, features);
      const { score, columns } = judgeRow(detector, row);
      const series = judgeHistory(body, options, row);
      const finding = {
        pValue: extendedPValue(calibration, score),
        alarmRate: falseAlarmRate(options.threshold),
        features: columns.map(({ score: out, side }, at) => ({ feature: body.features[at]!, score: out, side })),
        ...(series && { series }),
      };
      return shapeAnomaly(finding, body.settings);
    },
    outputs: ({ features }) => outputsOfRow(detector, body, features),
    explain: ({ features }) => explainRow(detector, body, readRow(body, names, features), features),
    warnings: ({ features, options }) => [
      ...describeGaps(body, features),
      ...describeHistory(anomalyOptionsSchema.parse(options ?? {})),
    ],
  };
}

/** The numbers behind an answer. */
export function outputsOfRow(
  detector: AnomalyDetector,
  body: AnomalyBody,
  features: Features,
): Record<string, number[]> {
  return { is_anomaly: [anomalyScore(detector, readRow(body, new Set(body.features), features))] };
}

function readRow(body: AnomalyBody, names: ReadonlySet<string>, features: Features): Float64Array {
  const problems: FieldProblem[] = Object.keys(features)
    .filter((name) => !names.has(name))
    .map((name) => ({
      path: `features.${name}`,
      message: 'the model knows no feature of this name: remove it or correct its spelling',
    }));
  const row = Float64Array.from(body.features, (name) => {
    const value = Object.hasOwn(features, name) ? features[name] : null;
    if (value === null || value === undefined) return NaN;
    if (typeof value === 'number') return value;
    problems.push({
      path: `features.${name}`,
      message: `must be a finite number or null, got ${JSON.stringify(value)}`,
    });
    return NaN;
  });
  if (problems.length > 0) throw invalidFeatures(problems, body.features);
  return row;
}

/** How much odder the row is than one of medians, parted by each feature's part in its oddity. */
function explainRow(
  detector: AnomalyDetector,
  body: AnomalyBody,
  row: Float64Array,
  features: Features,
): Record<string, HeadExplanation> {
  const output = anomalyScore(detector, row);
  const base = anomalyScore(detector, Float64Array.from(body.medians));
  const shares = columnShares(detector, row);
  const total = shares.reduce((sum, share) => sum + share, 0);
  return {
    is_anomaly: {
      base_value: total > 0 ? base : output,
      output,
      contributions: body.features
        .map((feature, at) => ({
          feature,
          value: (Object.hasOwn(features, feature) ? features[feature] : null) ?? null,
          contribution: total > 0 ? ((output - base) * shares[at]!) / total : 0,
        }))
        .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)),
    },
  };
}

function describeGaps(body: AnomalyBody, features: Features): FieldProblem[] {
  const missing = body.features.filter((name) => !Object.hasOwn(features, name) || features[name] === null);
  if (missing.length === body.features.length)
    return [{ path: 'features', message: 'no feature of the model was given, so nothing can be odd about the row' }];
  return missing.map((name) => ({
    path: `features.${name}`,
    message: 'was not given and is left out of the judgement',
  }));
}
