import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FieldProblem } from '../../core/errors.js';
import type { ModelKind } from '../../core/names.js';
import {
  BUNDLE_MANIFEST,
  bundleFolder,
  sha256,
  type BundleManifest,
  type GoldenCase,
  type SignatureFeature,
} from '../artifacts/model-bundle.js';
import { HOLDOUT_FILES, type HoldoutRecord } from '../artifacts/frozen-holdout.js';
import type { Database, Prisma } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { CrossValidation, Evaluation, FitOutcome } from '../kinds/recipe.js';
import { readStaged, readStagedJson, writeStaged } from '../storage/staged-file.js';
import { atRest, copyToRest } from '../encryption/file-keys.js';
import { syncPath } from '../storage/sync-path.js';
import type { SweepChoice } from '../search/search-plan.js';
import { STAGED, type TrainingPlan } from '../training/training-plan.js';
import { bringFolder, sendFolder } from '../storage/shared-files.js';

export interface RegisteredVersion {
  model: string;
  version: string;
  digest: string;
  promotable: boolean;
  reason: string;
  metrics: Evaluation['metrics'];
  /** What was asked for and had no effect. */
  warnings?: readonly FieldProblem[];
  /** Of a search with several objectives: the trials that none betters in all, the first of which it went on with. */
  search?: Pick<SweepChoice, 'sweep_id' | 'trial' | 'front'>;
  /** Only where it was asked for. */
  cross_validation?: CrossValidation;
}

/**
 * Turns a staged run into an immutable version: its files under the digest of their content, then one row. Both can be
 * repeated: the same job always has the same version.
 */
export async function registerVersion(
  plan: TrainingPlan,
  context: { database: Database; modelStoragePath: string; staging: string; failPoint: FailPoint },
): Promise<RegisteredVersion> {
  const { database, staging } = context;
  const known = await database.prisma.modelVersion.findUnique({ where: { jobId: plan.jobId } });
  if (known) return toRegistered(known);
  const fit = await readStagedJson<FitOutcome>(join(staging, STAGED.fit));
  const evaluation = await readStagedJson<Evaluation>(join(staging, STAGED.evaluation));
  const crossValidation = plan.crossValidation
    ? await readStagedJson<CrossValidation>(join(staging, STAGED.crossValidation))
    : null;
  const manifest = await describeBundle(plan, fit, staging);
  // A run that an earlier release has evaluated kept none.
  const staged = await readStaged(join(staging, STAGED.holdout));
  const holdout = staged ? (JSON.parse(staged.toString('utf8')) as HoldoutRecord | null) : null;
  const digest = await publishBundle(manifest, context.modelStoragePath, staging, holdout !== null);
  context.failPoint('register:after-files');
  const row = await insertVersion(database, plan, {
    digest,
    modelStoragePath: context.modelStoragePath,
    manifest,
    fit,
    evaluation,
    crossValidation,
    holdout,
  });
  context.failPoint('register:after-row');
  return toRegistered(row);
}

function toRegistered(row: Prisma.ModelVersionGetPayload<object>): RegisteredVersion {
  const { heads: metrics, cross_validation: crossValidation } = row.metrics as unknown as {
    heads: Evaluation['metrics'];
    cross_validation: CrossValidation | null;
  };
  const { warnings = [] } = row.parameters as { warnings?: FieldProblem[] };
  const { sweep } = row.lineage as { sweep?: SweepChoice };
  return {
    model: row.model,
    version: row.version,
    digest: row.digest,
    promotable: row.promotable,
    reason: (row.verdict as { reason: string }).reason,
    metrics,
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(sweep?.front ? { search: { sweep_id: sweep.sweep_id, trial: sweep.trial, front: sweep.front } } : {}),
    ...(crossValidation ? { cross_validation: crossValidation } : {}),
  };
}

async function describeBundle(plan: TrainingPlan, fit: FitOutcome, staging: string): Promise<BundleManifest> {
  const digestOf = async (file: string) => ({ file, sha256: sha256(await readFile(join(staging, file))) });
  return {
    format_version: 2,
    model: plan.model,
    kind: plan.kind,
    algorithm: fit.algorithm,
    code_version: plan.codeVersion,
    dataset_digest: plan.datasetDigest,
    hyperparameters: fit.hyperparameters,
    signature: fit.signature,
    heads: fit.heads,
    files: await Promise.all(fit.files.map(digestOf)),
    body: fit.body,
    golden: await readStagedJson<GoldenCase[]>(join(staging, STAGED.golden)),
    ...(plan.featureViews
      ? {
          feature_views: plan.featureViews.map(({ view, version, digest, definition }) => ({
            view,
            version,
            digest,
            definition,
          })),
        }
      : {}),
  };
}

/** Copies the files next to their final place, then renames the folder: it appears whole or not at all. */
async function publishBundle(
  manifest: BundleManifest,
  modelStoragePath: string,
  staging: string,
  hasHoldout: boolean,
): Promise<string> {
  const text = JSON.stringify(manifest);
  const digest = sha256(text);
  const final = bundleFolder(modelStoragePath, manifest.model, digest);
  const partial = join(modelStoragePath, '.staging', `publish-${digest}-${process.pid}`);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const beside = [STAGED.report, ...(hasHoldout ? Object.values(HOLDOUT_FILES) : [])];
  for (const file of [...manifest.files.map((one) => one.file), ...beside]) {
    await copyToRest(join(staging, file), join(partial, file));
  }
  await writeStaged(join(partial, BUNDLE_MANIFEST), atRest(Buffer.from(text)));
  await mkdir(join(modelStoragePath, manifest.model), { recursive: true });
  try {
    await rename(partial, final);
    await syncPath(join(modelStoragePath, manifest.model));
  } catch (error) {
    // The same content is there already, from an earlier attempt or an equal training.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  await sendFolder(final);
  return digest;
}

/** Takes the next free number for the model; the lock makes sure that two jobs never take one. */
async function insertVersion(
  database: Database,
  plan: TrainingPlan,
  found: {
    digest: string;
    modelStoragePath: string;
    manifest: BundleManifest;
    fit: FitOutcome;
    evaluation: Evaluation;
    crossValidation: CrossValidation | null;
    holdout: HoldoutRecord | null;
  },
) {
  const { evaluation, crossValidation, fit, manifest } = found;
  return database.prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`version:${plan.model}`}))`;
    const twin = await transaction.modelVersion.findUnique({ where: { jobId: plan.jobId } });
    if (twin) return twin;
    // A version of the same content may have been deleted since the files were found to be there: the next attempt puts them back.
    const folder = bundleFolder(found.modelStoragePath, plan.model, found.digest);
    await bringFolder(folder);
    await stat(join(folder, BUNDLE_MANIFEST));
    const last = await findLast(transaction, plan.model);
    const version = nextVersion(last, manifest.signature);
    return transaction.modelVersion.create({
      data: {
        model: plan.model,
        version,
        kind: plan.kind satisfies ModelKind,
        jobId: plan.jobId,
        digest: found.digest,
        promotable: evaluation.verdict.promotable,
        verdict: jsonOf(evaluation.verdict),
        parameters: jsonOf({
          algorithm: manifest.algorithm,
          requested_algorithm: plan.algorithm,
          hyperparameters: manifest.hyperparameters,
          validation_split: plan.validationSplit,
          settings: plan.settings,
          warnings: [...plan.warnings, ...fit.warnings, ...(evaluation.warnings ?? [])],
        }),
        metrics: jsonOf({
          heads: evaluation.metrics,
          cross_validation: crossValidation,
          details: { ...fit.details, ...evaluation.details },
        }),
        signature: jsonOf({
          features: manifest.signature,
          heads: manifest.heads,
        }),
        lineage: jsonOf({
          job_id: plan.jobId,
          dataset_id: plan.datasetId,
          dataset_digest: plan.datasetDigest,
          code_version: plan.codeVersion,
          start_date: plan.startDate ?? null,
          end_date: plan.endDate ?? null,
          filters: plan.filters,
          feature_views: (plan.featureViews ?? []).map(({ view, version, digest: of, inputs }) => ({
            view,
            version,
            digest: of,
            inputs,
          })),
          training_rows: fit.trainingRows,
          holdout_rows: evaluation.holdoutRows,
          holdout: found.holdout,
          ...(plan.sweep ? { sweep: plan.sweep } : {}),
        }),
      },
    });
  });
}

/** The number that was given out last, even to a version that was deleted since, and what the newest version takes. */
async function findLast(transaction: Prisma.TransactionClient, model: string) {
  const newest = await transaction.modelVersion.findFirst({ where: { model }, orderBy: { createdAt: 'desc' } });
  const given = await transaction.versionEvent.findFirst({
    where: { model, fromState: null },
    orderBy: { id: 'desc' },
  });
  return given ? { version: given.version, signature: newest?.signature ?? {} } : undefined;
}

/** v1.0.0 first; the minor number counts trainings, the major one changes when callers must send other features. */
export function nextVersion(
  last: { version: string; signature: unknown } | undefined,
  signature: readonly SignatureFeature[],
): string {
  const match = last && /^v(\d+)\.(\d+)\.\d+$/.exec(last.version);
  if (!match) return 'v1.0.0';
  const names = (features: readonly SignatureFeature[]) =>
    features
      .map((feature) => `${feature.name}:${feature.type}`)
      .sort()
      .join('\n');
  const before = (last.signature as { features?: SignatureFeature[] }).features ?? [];
  const isSame = names(before) === names(signature);
  return isSame ? `v${match[1]}.${Number(match[2]) + 1}.0` : `v${Number(match[1]) + 1}.0.0`;
}
