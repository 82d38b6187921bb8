import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { SANDBOX_MODEL } from '../../core/names.js';
import type { RolloutDrillRequest } from '../../core/schemas/drill.js';
import {
  BUNDLE_MANIFEST,
  bundleFolder,
  loadModelBundle,
  sha256,
  type InjectedFault,
} from '../artifacts/model-bundle.js';
import type { Container } from '../container.js';
import type { Prisma } from '../database/database.js';
import { nextVersion } from '../registry/register-version.js';
import { releaseVersion } from '../release-version.js';
import { atRest } from '../encryption/file-keys.js';
import { STAGED } from '../training/training-plan.js';
import { loadScorer } from '../serving/load-scorer.js';
import { writeStaged } from '../storage/staged-file.js';
import { prepareSandboxTable } from './sandbox-table.js';
import { sendFolder } from '../storage/shared-files.js';

/** The versions that are trained: two good ones that differ by chance only, and one that learned the opposite. */
export type TrainedVersion = 'good' | 'twin' | 'wrong';

const SEEDS: Record<TrainedVersion, number> = { good: 1, twin: 2, wrong: 1 };

export interface SandboxTraining {
  /** The version of an earlier drill, where it can still be used. */
  version?: string;
  /** What trains it otherwise: the body of `POST /models/train`. */
  request: { model_type: string; training_data: { source: string }; hyperparameters: { seed: number } };
}

/** Makes the tables, and says which versions are there already and how the others are trained. Repeatable. */
export async function prepareSandbox(
  container: Container,
  attempt: string,
): Promise<Record<TrainedVersion, SandboxTraining>> {
  const tables = await Promise.all(
    [false, true].map((isFlipped) =>
      prepareSandboxTable(isFlipped, { ...container, attempt: `${attempt}-${Number(isFlipped)}` }),
    ),
  );
  const of = async (name: TrainedVersion): Promise<SandboxTraining> => {
    const request = {
      model_type: SANDBOX_MODEL,
      training_data: { source: tables[name === 'wrong' ? 1 : 0]! },
      hyperparameters: { seed: SEEDS[name] },
    };
    const version = await findTrained(request, container);
    return { request, ...(version ? { version } : {}) };
  };
  return { good: await of('good'), twin: await of('twin'), wrong: await of('wrong') };
}

/** A version of this release, from this table and seed, whose files are as they should be. */
async function findTrained(
  { training_data: { source }, hyperparameters: { seed } }: SandboxTraining['request'],
  { database, config }: Container,
): Promise<string | undefined> {
  const rows = await database.prisma.modelVersion.findMany({
    where: { model: SANDBOX_MODEL, jobId: { not: { startsWith: FAULTY } } },
    orderBy: { createdAt: 'desc' },
    take: 50,
  });
  for (const { version, digest, lineage, parameters } of rows) {
    const { dataset_id: dataset, code_version: code } = lineage as { dataset_id?: string; code_version?: string };
    const { hyperparameters } = parameters as { hyperparameters?: { seed?: number } };
    if (dataset !== source || code !== releaseVersion() || hyperparameters?.seed !== seed) continue;
    if (await canBeLoaded(digest, config.modelStoragePath)) return version;
  }
  return undefined;
}

const canBeLoaded = (digest: string, path: string) =>
  loadScorer(path, SANDBOX_MODEL, digest).then(
    () => true,
    () => false,
  );

const FAULTY = 'sandbox-fault-';

/**
 * The good version with a fault put into it: the files are the same, and the manifest says what is wrong with it. Made once a fault.
 * @param good a version of the sandbox
 */
export async function makeFaultyVersion(
  good: string,
  fault: InjectedFault,
  { database, config }: Pick<Container, 'database' | 'config'>,
): Promise<string> {
  const { prisma } = database;
  const where = { model_version: { model: SANDBOX_MODEL, version: good } };
  const source = await prisma.modelVersion.findUnique({ where });
  if (!source) throw new ServiceError('version_not_found', `The sandbox has no version ${good}.`);
  const bundle = await loadModelBundle(
    bundleFolder(config.modelStoragePath, SANDBOX_MODEL, source.digest),
    source.digest,
  );
  const text = JSON.stringify({ ...bundle.manifest, fault });
  const digest = sha256(text);
  const jobId = `${FAULTY}${digest.slice(0, 20)}`;
  await publishCopy(
    source.digest,
    { digest, text, files: bundle.manifest.files.map(({ file }) => file) },
    config.modelStoragePath,
  );
  return prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`version:${SANDBOX_MODEL}`}))`;
    const known = await transaction.modelVersion.findUnique({ where: { jobId } });
    if (known) return known.version;
    const last = await transaction.modelVersion.findFirst({
      where: { model: SANDBOX_MODEL },
      orderBy: { createdAt: 'desc' },
    });
    const reason = `Made by a drill to be bad on purpose: ${describeFault(fault)}.`;
    const { createdAt: _created, ...copied } = source;
    const data = { ...copied, jobId, digest, promotable: false, verdict: { promotable: false, reason } };
    const version = nextVersion(last ?? undefined, bundle.manifest.signature);
    await transaction.modelVersion.create({ data: { ...data, version } as Prisma.ModelVersionCreateInput });
    return version;
  });
}

const describeFault = (fault: InjectedFault) =>
  fault.kind === 'slow' ? `it takes ${fault.milliseconds} ms for an answer` : 'it cannot answer';

/** Beside the good version, whole or not at all. */
async function publishCopy(
  of: string,
  { digest, text, files }: { digest: string; text: string; files: readonly string[] },
  modelStoragePath: string,
): Promise<void> {
  const from = bundleFolder(modelStoragePath, SANDBOX_MODEL, of);
  const final = bundleFolder(modelStoragePath, SANDBOX_MODEL, digest);
  const partial = join(modelStoragePath, '.staging', `fault-${digest}-${process.pid}`);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  for (const file of [...files, STAGED.report]) await copyFile(join(from, file), join(partial, file));
  await writeStaged(join(partial, BUNDLE_MANIFEST), atRest(Buffer.from(text)));
  try {
    await rename(partial, final);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  await sendFolder(final);
}

/** The faults that are put into a version; the one that answers wrongly is trained. */
export function faultOf(fault: 'slow' | 'error', { slow_ms: milliseconds }: RolloutDrillRequest): InjectedFault {
  return fault === 'slow' ? { kind: 'slow', milliseconds } : { kind: 'error' };
}
