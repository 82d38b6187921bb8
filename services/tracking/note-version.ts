import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256AtRest } from '../encryption/file-keys.js';
import { BUNDLE_MANIFEST, bundleFolder, loadManifest } from '../artifacts/model-bundle.js';
import type { Database, Prisma } from '../database/database.js';
import type { Evaluation } from '../kinds/recipe.js';
import { STAGED } from '../training/training-plan.js';
import { paramsOf } from './begin-run.js';

export interface RunArtifact {
  path: string;
  sha256: string;
  bytes: number;
}

/** Metrics by flat names: `roc_auc` where there is one head, `label.roc_auc` where there are several. */
export function metricsOf(heads: Evaluation['metrics']): Record<string, number> {
  const names = Object.keys(heads);
  return Object.fromEntries(
    names.flatMap((head) =>
      Object.entries(heads[head]!).flatMap(([metric, { value }]) =>
        typeof value === 'number' && Number.isFinite(value)
          ? [[names.length === 1 ? metric : `${head}.${metric}`, value] as const]
          : [],
      ),
    ),
  );
}

/** Writes down what came of a run: parameters as they were used, metrics, and every file with its digest. Repeatable. */
export async function noteVersionOfRun(
  runId: string,
  { model, version }: { model: string; version: string },
  { database, modelStoragePath }: { database: Database; modelStoragePath: string },
): Promise<void> {
  const { prisma } = database;
  const row = await prisma.modelVersion.findUnique({ where: { model_version: { model, version } } });
  const run = await prisma.run.findUnique({ where: { id: runId } });
  // A version that somebody has deleted since, or the run of an earlier release.
  if (!row || !run) return;
  const parameters = row.parameters as { algorithm: string; hyperparameters: Record<string, unknown> };
  const before = run.params as { seed?: number; validation_split?: number };
  const params = paramsOf(
    { algorithm: parameters.algorithm, seed: before.seed, validationSplit: before.validation_split },
    parameters.hyperparameters,
  );
  const artifacts = await listArtifacts(bundleFolder(modelStoragePath, model, row.digest), row.digest);
  const { heads } = row.metrics as unknown as { heads: Evaluation['metrics'] };
  await prisma.run.update({
    where: { id: runId },
    data: { version, params, metrics: metricsOf(heads), artifacts: artifacts as unknown as Prisma.InputJsonArray },
  });
}

async function listArtifacts(folder: string, digest: string): Promise<RunArtifact[]> {
  const manifest = await loadManifest(folder, digest);
  const sizeOf = async (path: string) => (await stat(join(folder, path))).size;
  const report = join(folder, STAGED.report);
  return [
    { path: BUNDLE_MANIFEST, sha256: digest, bytes: await sizeOf(BUNDLE_MANIFEST) },
    ...(await Promise.all(
      manifest.files.map(async ({ file, sha256 }) => ({ path: file, sha256, bytes: await sizeOf(file) })),
    )),
    { path: STAGED.report, sha256: await sha256AtRest(report), bytes: await sizeOf(STAGED.report) },
  ];
}
