import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { ImportRequest } from '../../core/schemas/exchange.js';
import { sha256, type GoldenCase } from '../artifacts/model-bundle.js';
import { digestOf } from '../canonical-json.js';
import type { Container } from '../container.js';
import type { Evaluation, FitOutcome } from '../kinds/recipe.js';
import type { ImportedBody } from '../kinds/imported/imported-model.js';
import { IMPORTED, readFeatures } from '../kinds/imported/scorer.js';
import type { MlflowClient } from '../mlflow/mlflow-client.js';
import { registerVersion, type RegisteredVersion } from '../registry/register-version.js';
import { releaseVersion } from '../release-version.js';
import { writeStaged } from '../storage/staged-file.js';
import type { ModelDefinition } from '../training/models-config.js';
import { STAGED, type TrainingPlan } from '../training/training-plan.js';
import { inspectOnnx, OnnxProblem, type OnnxDescription } from './inspect-onnx.js';
import { mapSignature } from './map-signature.js';
import { readModelFile } from './read-model-file.js';
import { tryModel } from './try-model.js';

/** An example may be of another runtime and machine. */
const EXAMPLE_TOLERANCE = 1e-4;
const IMPORTABLE = ['classification', 'regression'] as const;
type ImportableKind = (typeof IMPORTABLE)[number];

/**
 * Takes an ONNX file as a version of a model: looked at, tried, and held to its golden rows from then on like any other. The same file
 * with the same request is the same version, however often it is imported.
 * @throws ServiceError `import_rejected` with the reason; `request_invalid` with each place that does not fit the file
 */
export async function importVersion(
  definition: ModelDefinition,
  request: ImportRequest,
  context: Pick<Container, 'config' | 'database' | 'folders' | 'failPoint'> & { mlflow: MlflowClient | undefined },
): Promise<RegisteredVersion> {
  const { name: model } = definition;
  const kind = IMPORTABLE.find((one) => one === definition.kind);
  if (!kind)
    throw rejected(
      model,
      `a model of the kind ${definition.kind} answers with more than one number or class; imports are for ${IMPORTABLE.join(' and ')}`,
    );
  try {
    const { bytes, origin } = await readModelFile(request.source, context);
    const description = inspectOnnx(bytes);
    const mapped = mapSignature(request, kind, description);
    if ('problems' in mapped) throw invalid(mapped.problems);
    return await register({ model, kind, request, bytes, origin, body: mapped.body, description }, context);
  } catch (error) {
    throw error instanceof OnnxProblem ? rejected(model, error.message) : error;
  }
}

const rejected = (model: string, why: string) =>
  new ServiceError('import_rejected', `The file cannot be a version of ${model}: ${why}.`);
const invalid = (problems: readonly FieldProblem[]) =>
  new ServiceError('request_invalid', 'The request does not fit the file.', problems);

interface Import {
  model: string;
  kind: ImportableKind;
  request: ImportRequest;
  bytes: Uint8Array;
  origin: string;
  body: ImportedBody;
  description: OnnxDescription;
}

async function register(
  { model, kind, request, bytes, origin, body, description }: Import,
  context: Parameters<typeof importVersion>[2],
): Promise<RegisteredVersion> {
  const digest = sha256(bytes);
  const jobId = `import-${digestOf({ model, digest, body, examples: request.examples ?? null }).slice(0, 32)}`;
  // Of two at once each has its own files; the version is the same.
  const staging = join(context.folders.modelStaging, `${jobId}-${process.pid}-${Date.now()}`);
  const stage = (file: string, content: unknown) => writeStaged(join(staging, file), JSON.stringify(content));
  try {
    await mkdir(staging, { recursive: true });
    await writeStaged(join(staging, body.file), bytes);
    const golden = await makeGolden(request, body, join(staging, body.file));
    const { name, task, classes } = body.head;
    const fit: FitOutcome = {
      algorithm: IMPORTED,
      hyperparameters: {},
      signature: body.features.map((feature) => ({ name: feature.name, type: feature.type })),
      heads: [{ name, task, classes }],
      files: [body.file],
      body,
      trainingRows: 0,
      warnings: [],
    };
    const reason = 'It was imported: nothing here has measured it on rows that it has not seen.';
    const evaluation: Evaluation = {
      metrics: {},
      verdict: { promotable: false, reason, evidence: [] },
      trainingRows: 0,
      holdoutRows: 0,
    };
    await stage(STAGED.fit, fit);
    await stage(STAGED.evaluation, evaluation);
    await stage(STAGED.golden, golden);
    await stage(STAGED.report, null);
    await stage(STAGED.holdout, null);
    const plan: TrainingPlan = {
      ...NO_TRAINING,
      jobId,
      model,
      kind,
      features: body.features.map((feature) => feature.name),
      settings: { imported_from: origin, sha256: digest, opset: description.opset, nodes: description.nodes },
      codeVersion: releaseVersion(),
    };
    const { database, failPoint, config } = context;
    return await registerVersion(plan, { database, modelStoragePath: config.modelStoragePath, staging, failPoint });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

const NO_TRAINING = {
  algorithm: IMPORTED,
  hyperparameters: {},
  seed: 0,
  warnings: [],
  heads: [],
  datasetId: '',
  datasetDigest: '',
  filters: {},
  validationSplit: 0,
  crossValidation: false,
  autoDeploy: false,
  fitTimeoutSeconds: 0,
} as const;

/** The examples of the request, or a few rows that any model of these inputs can answer; with what it answers. */
async function makeGolden(request: ImportRequest, body: ImportedBody, path: string): Promise<GoldenCase[]> {
  const examples =
    request.examples ?? [0, 1, -2.5].map((value) => ({ features: plainRow(body, value), outputs: undefined }));
  const read = examples.map(({ features }) => readFeatures(body, features));
  const problems = read.flatMap((one, at) =>
    one.problems.map(({ path: place, message }) => ({ path: `examples.${at}.${place}`, message })),
  );
  if (problems.length > 0) throw invalid(problems);
  const rows = read.map(({ row }) => row);
  const answers = await tryModel({ path, body, rows });
  for (const [at, { outputs }] of examples.entries()) {
    const own = answers[at]!;
    const isEqual =
      outputs === undefined || (outputs.length === own.length && outputs.every((value, o) => isClose(value, own[o]!)));
    if (!isEqual)
      throw invalid([
        {
          path: `examples.${at}.outputs`,
          message: `are not what the model says: ${own
            .slice(0, 10)
            .map((value) => Number(value.toPrecision(7)))
            .join(', ')}`,
        },
      ]);
  }
  return examples.map(({ features }, at) => ({ input: { features }, outputs: { [body.head.name]: answers[at]! } }));
}

const isClose = (a: number, b: number) => Math.abs(a - b) <= EXAMPLE_TOLERANCE * Math.max(1, Math.abs(b));

const plainRow = (body: ImportedBody, value: number): Record<string, string | number | boolean> =>
  Object.fromEntries(
    body.features.map(({ name, type }) => [
      name,
      type === 'number' ? value : type === 'boolean' ? value > 0 : String(value),
    ]),
  );
