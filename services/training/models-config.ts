import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { USER_BEHAVIOR_HEADS } from '../../core/kinds/heads.js';
import { canonicalModelName, MODEL_KINDS, SANDBOX_MODEL, type ModelKind } from '../../core/names.js';
import {
  dataTypesFileSchema,
  modelsFileSchema,
  type Algorithm,
  type DataType,
  type ModelEntry,
} from '../../core/schemas/model-config.js';
import { retentionFileSchema, type RetentionPolicy } from '../../core/schemas/retention.js';
import { featuresFileSchema, type FeatureView } from '../../core/schemas/feature-view.js';
import { USER_BEHAVIOR_FEATURES } from '../features/user-behavior-features.js';

/** One model of the config, completed: its kind is known and its source has a name. */
export interface ModelDefinition extends ModelEntry {
  name: string;
  kind: ModelKind;
  source: string;
}

/** The model of drills: the service's own, and so not among those of the file. It learns a small table within a second or two. */
const SANDBOX: ModelDefinition = {
  name: SANDBOX_MODEL,
  kind: 'classification',
  description: 'The sandbox of rollout drills: bad versions are tried on it on purpose.',
  algorithm: 'random_forest',
  hyperparameters: { n_estimators: 20, max_depth: 6 },
  source: SANDBOX_MODEL,
  entity: 'unit',
  target: 'outcome',
  features: ['load', 'size'],
  exclude: [],
  split: 'random',
};

export interface ModelsConfig {
  models: ReadonlyMap<string, ModelDefinition>;
  dataTypes: ReadonlyMap<string, DataType>;
  /** Those that `features.yaml` declares; others are declared over HTTP. */
  featureViews: ReadonlyMap<string, FeatureView>;
  /** `retention.yaml`; without it nothing is deleted but what no job has taken over. */
  retention: RetentionPolicy;
}

/** A config file that cannot be used; the message names the file, the line and the path of each problem. */
export class ModelsConfigError extends Error {
  override readonly name = 'ModelsConfigError';
}

/**
 * Reads `models/config.yaml` and, beside it, `data-types.yaml`, `features.yaml` and `retention.yaml`. A file that changed is read again on the next call,
 * so that a new entry needs no restart.
 * @throws ModelsConfigError with file, line and path of every bad entry.
 */
export function createModelsConfigReader(path: string): () => Promise<ModelsConfig> {
  const beside = (name: string) => join(dirname(path), name);
  const paths = {
    models: path,
    dataTypes: beside('data-types.yaml'),
    features: beside('features.yaml'),
    retention: beside('retention.yaml'),
  };
  let known: { stamp: string; config: ModelsConfig } | undefined;
  return async () => {
    const stamp = (await Promise.all(Object.values(paths).map(fileStamp))).join(' ');
    if (known?.stamp !== stamp) known = { stamp, config: await readModelsConfig(paths) };
    return known.config;
  };
}

async function fileStamp(path: string): Promise<string> {
  try {
    const { mtimeMs, size } = await stat(path);
    return `${mtimeMs}:${size}`;
  } catch {
    return 'absent';
  }
}

interface ConfigPaths {
  models: string;
  dataTypes: string;
  features: string;
  retention: string;
}

async function readModelsConfig(paths: ConfigPaths): Promise<ModelsConfig> {
  const entries = await readYaml(paths.models, modelsFileSchema);
  const problems: string[] = [];
  const models = new Map<string, ModelDefinition>();
  for (const [name, entry] of Object.entries(entries.value)) {
    const definition = completeEntry(name, entry);
    const found = 'problem' in definition ? definition : checkEntry(definition);
    if (found) problems.push(entries.locate([name, ...found.path], found.problem));
    else if (!('problem' in definition)) models.set(name, definition);
  }
  if (problems.length > 0) throw new ModelsConfigError(problems.join('\n'));
  return {
    models,
    dataTypes: new Map(Object.entries(await readOptional(paths.dataTypes, dataTypesFileSchema))),
    featureViews: new Map(Object.entries(await readOptional(paths.features, featuresFileSchema))),
    retention: retentionFileSchema.parse(await readOptional(paths.retention, retentionFileSchema)),
  };
}

/** A file that may be absent. */
async function readOptional<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | object> {
  return (await fileStamp(path)) === 'absent' ? {} : (await readYaml(path, schema)).value;
}

type Problem = { path: string[]; problem: string };

function completeEntry(name: string, entry: ModelEntry): ModelDefinition | Problem {
  if (name === SANDBOX_MODEL) return { path: [], problem: 'is the name of the sandbox of drills: choose another' };
  const implied = (MODEL_KINDS as readonly string[]).includes(name) ? (name as ModelKind) : undefined;
  const kind = entry.kind ?? implied;
  if (!kind) return { path: [], problem: `needs a kind: one of ${MODEL_KINDS.join(', ')}` };
  return { ...entry, name, kind, source: entry.source ?? SOURCE_OF_KIND[kind] ?? name };
}

/** Where a kind finds its data when the entry does not say; anyone's own table is called like its model. */
const SOURCE_OF_KIND: Partial<Record<ModelKind, string>> = {
  user_behavior: 'user_events',
  project_success: 'projects',
  resource_usage: 'resource_metrics',
  anomaly_detection: 'resource_metrics',
  recommendation: 'item_interactions',
};

/** The kinds that some fields belong to: elsewhere a field would be ignored in silence. */
const FIELDS_OF_KINDS: Partial<Record<keyof ModelEntry, readonly ModelKind[]>> = {
  target: ['user_behavior', 'project_success', 'classification', 'regression'],
  split: ['project_success', 'classification', 'regression'],
  positive_class: ['classification'],
  costs: ['classification'],
  optimize: ['user_behavior', 'project_success', 'classification', 'regression'],
  monotone: ['user_behavior', 'project_success', 'classification', 'regression'],
  preprocessing: ['user_behavior', 'project_success', 'classification', 'regression'],
  feature_views: ['project_success', 'classification', 'regression'],
  project: ['project_success'],
  forecast: ['resource_usage'],
  anomaly: ['anomaly_detection'],
  recommend: ['recommendation'],
};

const OF_TABLES: readonly Algorithm[] = ['random_forest', 'gradient_boosting', 'linear', 'neural_network'];
const ALGORITHMS_OF_KINDS: Record<ModelKind, readonly Algorithm[]> = {
  user_behavior: OF_TABLES,
  project_success: OF_TABLES,
  classification: OF_TABLES,
  regression: OF_TABLES,
  anomaly_detection: ['autoencoder'],
  resource_usage: [],
  recommendation: [],
};

function checkEntry(definition: ModelDefinition): Problem | undefined {
  const { kind, target, features } = definition;
  for (const [field, kinds] of Object.entries(FIELDS_OF_KINDS) as [keyof ModelEntry, readonly ModelKind[]][]) {
    const isSet = definition[field] !== undefined && !(field === 'split' && definition.split === 'random');
    if (isSet && !kinds.includes(kind))
      return { path: [field], problem: `has no effect for the kind ${kind}; it belongs to ${kinds.join(', ')}` };
  }
  if (definition.split === 'time' && !definition.timestamp)
    return { path: ['split'], problem: 'needs `timestamp: <column>`: the latest rows by it are held out' };
  if (definition.feature_views && !(definition.entity && definition.timestamp))
    return {
      path: ['feature_views'],
      problem: 'needs `entity` and `timestamp`: features are joined as they were known then',
    };
  if (definition.costs && definition.positive_class === undefined)
    return { path: ['costs'], problem: 'needs `positive_class`: the value of the target that counts as positive' };
  if (definition.algorithm && definition.algorithm !== 'auto') {
    const own = ALGORITHMS_OF_KINDS[kind];
    const problem = `is ${definition.algorithm}, which the kind ${kind} does not have; ${own.length > 0 ? `it has auto, ${own.join(', ')}` : 'leave it out'}`;
    if (!own.includes(definition.algorithm)) return { path: ['algorithm'], problem };
  }
  if (kind === 'user_behavior') return checkUserBehavior(definition);
  if (!FIELDS_OF_KINDS.target?.includes(kind)) return undefined;
  if (!target) return { path: [], problem: 'needs a target: the column to predict' };
  return features?.includes(target)
    ? { path: ['features'], problem: `lists the target ${target}, which would leak the answer` }
    : undefined;
}

function checkUserBehavior({ target, features }: ModelDefinition): Problem | undefined {
  const fixed = USER_BEHAVIOR_HEADS[0]!.column;
  if (target !== undefined && target !== fixed)
    return { path: ['target'], problem: `must be ${fixed} for the kind user_behavior` };
  const known = USER_BEHAVIOR_FEATURES.map((feature) => feature.name);
  const at = features?.findIndex((feature) => !known.includes(feature)) ?? -1;
  return at < 0
    ? undefined
    : {
        path: ['features', String(at)],
        problem: `there is no feature ${features?.[at]}; known ones: ${known.join(', ')}`,
      };
}

async function readYaml<Schema extends z.ZodType>(path: string, schema: Schema) {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ModelsConfigError(
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code}). Set MODELS_CONFIG to the file with the models.`,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const locate = (path_: readonly PropertyKey[], message: string) =>
    `${basename(path)}:${lineOf(document, lines, path_)}: ${path_.map(String).join('.') || 'file'}: ${message}`;
  const broken = document.errors[0];
  if (broken)
    throw new ModelsConfigError(
      `${basename(path)}:${lines.linePos(broken.pos[0]).line}: not valid YAML: ${broken.message.split('\n', 1)[0]}`,
    );
  const parsed = schema.safeParse(document.toJS() ?? {});
  if (!parsed.success)
    throw new ModelsConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue, locate)).join('\n'));
  return { value: parsed.data, locate };
}

/** For unknown keys, zod names the object; the reader wants each key and its line. */
function describeIssue(
  issue: z.core.$ZodIssue,
  locate: (path: readonly PropertyKey[], message: string) => string,
): string[] {
  if (issue.code !== 'unrecognized_keys') return [locate(issue.path, issue.message)];
  return issue.keys.map((key) => locate([...issue.path, key], 'is not a known field'));
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const keys = path.slice(0, depth).map((key) => (typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : key));
    const parent: unknown = depth === 1 ? document.contents : document.getIn(keys.slice(0, -1), true);
    const pair = (parent as { items?: { key?: { value?: unknown; range?: number[] } }[] } | undefined)?.items?.find(
      (item) => item.key?.value === keys.at(-1),
    );
    const node = document.getIn(keys, true) as { range?: number[] } | undefined;
    const start = pair?.key?.range?.[0] ?? node?.range?.[0];
    if (start !== undefined) return lines.linePos(start).line;
  }
  return 1;
}

/** The definition of a model, or a 404 that names the known ones. */
export function modelDefinition(config: ModelsConfig, name: string): ModelDefinition {
  const known = canonicalModelName(name);
  const definition = known === SANDBOX_MODEL ? SANDBOX : config.models.get(known);
  if (definition) return definition;
  throw new ServiceError(
    'model_not_found',
    `There is no model "${name.slice(0, 64)}". Known models: ${[...config.models.keys()].join(', ')}.`,
  );
}
