import type { ModelKind } from '../../core/names.js';
import type { SignatureFeature, SignatureHead } from '../artifacts/model-bundle.js';
import { jsonPointer, quoteText } from '../duckdb.js';
import { filledCell } from './read-samples.js';

/** Which rows of the log a column is read from: all, those of the version, those whose truth is known, or an item of an answer each. */
export const COLUMN_GROUPS = ['inputs', 'predictions', 'labels', 'items'] as const;
export type ColumnGroup = (typeof COLUMN_GROUPS)[number];

/** One thing whose distribution is watched. */
export interface WatchedColumn {
  /** As findings name it: `input:{column}`, `prediction:{head}`, `label:{target}`. */
  subject: string;
  name: string;
  group: ColumnGroup;
  /** `presence`: values that are different for each row, such as ids, so that only whether there is one is watched. */
  kind: 'number' | 'category' | 'presence';
  /** SQL over a row of the group that gives a text. */
  cell: string;
}

/** Types of a signature, as what is watched of them. */
const KIND_OF_TYPE: Record<string, WatchedColumn['kind']> = {
  number: 'number',
  boolean: 'category',
  category: 'category',
  // A date moves by itself, and texts and ids are new in each row.
  date: 'presence',
  text: 'presence',
  id: 'presence',
};

/** Columns that training found empty, constant or without use are in the signature, too; a model never looks at them. */
const inputOf = ({ name, type }: SignatureFeature): WatchedColumn[] => {
  const kind = KIND_OF_TYPE[type];
  if (!kind) return [];
  return [
    { subject: `input:${name}`, name, group: 'inputs', kind, cell: `features ->> ${quoteText(jsonPointer(name))}` },
  ];
};

const predictionAt = (name: string, kind: WatchedColumn['kind'], cell: string): WatchedColumn => ({
  subject: `prediction:${name}`,
  name,
  group: 'predictions',
  kind,
  cell,
});

const answerCell = (document: 'predictions' | 'outcome', name: string) =>
  `${document} ->> ${quoteText(jsonPointer(name))}`;

function headColumns(kind: ModelKind, { name, task, classes = [] }: SignatureHead): WatchedColumn[] {
  // The answer of two classes is a probability, its truth one of them.
  const isNumber = task === 'regression' || (task === 'binary' && kind !== 'classification');
  const found = [predictionAt(name, isNumber ? 'number' : 'category', answerCell('predictions', name))];
  if (kind === 'classification') {
    const paths = classes.map((one) => quoteText(`/probabilities${jsonPointer(String(one))}`)).join(', ');
    const chances = `list_transform(json_extract_string(predictions, [${paths}]), lambda p: TRY_CAST(p AS DOUBLE))`;
    if (classes.length > 0) found.push(predictionAt('confidence', 'number', `CAST(list_max(${chances}) AS VARCHAR)`));
  }
  const label: WatchedColumn = {
    subject: `label:${name}`,
    name,
    group: 'labels',
    kind: task === 'regression' ? 'number' : 'category',
    cell: filledCell(answerCell('outcome', name)),
  };
  return [...found, label];
}

const ANOMALIES: readonly WatchedColumn[] = [
  predictionAt('anomaly_score', 'number', answerCell('predictions', 'anomaly_score')),
  predictionAt('is_anomaly', 'category', answerCell('predictions', 'is_anomaly')),
];
const RECOMMENDATIONS: readonly WatchedColumn[] = [
  { subject: 'prediction:items', name: 'items', group: 'items', kind: 'category', cell: 'item' },
  predictionAt(
    'cold_users',
    'category',
    `CASE WHEN contains(predictions::VARCHAR, '"popular_new_user"') THEN 'cold' ELSE 'known' END`,
  ),
];

/** The mean of the steps: a level that moves, whatever the number of steps that callers ask for. */
function forecastColumn({ name }: SignatureHead): WatchedColumn {
  const steps = `CAST(json_extract(predictions, ${quoteText(jsonPointer(`${name}_forecast`))}) AS DOUBLE[])`;
  return predictionAt(name, 'number', `CAST(list_avg(${steps}) AS VARCHAR)`);
}

/** What is watched of a version: its inputs, its answers, and what turned out to be true. */
export function watchedColumns(
  kind: ModelKind,
  { signature, heads }: { signature: readonly SignatureFeature[]; heads: readonly SignatureHead[] },
): WatchedColumn[] {
  switch (kind) {
    case 'recommendation':
      return [...RECOMMENDATIONS];
    case 'anomaly_detection':
      return [...signature.flatMap(inputOf), ...ANOMALIES];
    case 'resource_usage':
      return [...signature.flatMap(inputOf), ...heads.map(forecastColumn)];
    default:
      return [...signature.flatMap(inputOf), ...heads.flatMap((head) => headColumns(kind, head))];
  }
}
