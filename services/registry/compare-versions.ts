import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { judgeRollout } from '../../core/decisions/judge-rollout.js';
import type { GuardrailFinding } from '../../core/decisions/rollout-evidence.js';
import { betterDirection, compareMetric, type Measured } from '../../core/policy/compare-metric.js';
import { HOLDOUT_RULE } from '../../core/decisions/rollout-rule.js';
import { bringBundle, bundleFolder, type SignatureFeature, type SignatureHead } from '../artifacts/model-bundle.js';
import type { Database, Prisma } from '../database/database.js';
import { compareOnHoldout, NotTestable, recordOf } from '../deployments/compare-on-holdout.js';

type VersionRow = Prisma.ModelVersionGetPayload<object>;

/** One property of both, side by side. */
interface Side {
  name: string;
  a: unknown;
  b: unknown;
  differs: boolean;
}

interface Parameters {
  algorithm: string;
  hyperparameters: Record<string, unknown>;
  validation_split: unknown;
  settings?: unknown;
}

const parametersOf = (row: VersionRow) => row.parameters as unknown as Parameters;
const lineageOf = (row: VersionRow) => row.lineage as Record<string, unknown>;
const signatureOf = (row: VersionRow) =>
  row.signature as unknown as { features?: SignatureFeature[]; heads?: SignatureHead[] };
const metricsOf = (row: VersionRow) =>
  (row.metrics as { heads?: Record<string, Record<string, Measured>> }).heads ?? {};

/**
 * Two versions of a model side by side, from what is stored of them.
 * @param a what is compared with
 * @param b what is compared: differences and verdicts are its own
 */
export async function compareVersions(
  a: VersionRow,
  b: VersionRow,
  context: { database: Database; modelStoragePath: string },
) {
  const unlike = whyOtherRows(a, b);
  const paired = await compareByPairs(a, b, context);
  return {
    model: a.model,
    a: await describeSide(a, context),
    b: await describeSide(b, context),
    hyperparameters: [
      ...sides({ algorithm: parametersOf(a).algorithm }, { algorithm: parametersOf(b).algorithm }),
      ...sides(parametersOf(a).hyperparameters, parametersOf(b).hyperparameters),
    ],
    features: compareFeatures(signatureOf(a).features ?? [], signatureOf(b).features ?? []),
    data: sides(
      { ...lineageOf(a), job_id: undefined, validation_split: parametersOf(a).validation_split },
      { ...lineageOf(b), job_id: undefined, validation_split: parametersOf(b).validation_split },
    ),
    same_rows: unlike.length === 0,
    basis:
      unlike.length === 0
        ? 'Both were judged on the same held-out rows. The intervals of the differences follow from those of the figures: they are wider than those of `paired`, and a difference that they show is one.'
        : `They were judged on different held-out rows (${unlike.join(', ')} differ): a difference may come from the rows as well as from the model, so no verdict is given.`,
    metrics: compareMetrics(metricsOf(a), metricsOf(b), unlike.length === 0),
    paired,
  };
}

/** Rows of each version that both are asked about: as many as are answered within a blink of the API. */
const MOST_PAIRED_ROWS = 2000;

/** Both asked about the same rows, which neither has learnt from: harm is that of the second version. */
async function compareByPairs(
  a: VersionRow,
  b: VersionRow,
  context: { database: Database; modelStoragePath: string },
): Promise<{ rows: number; verdict: string; reason: string; findings: readonly GuardrailFinding[] }> {
  const evidence = await compareOnHoldout(b, a, { ...context, settings: {}, mostRows: MOST_PAIRED_ROWS });
  if (evidence instanceof NotTestable) return { rows: 0, verdict: 'unknown', reason: evidence.reason, findings: [] };
  const { verdict, reason, findings } = judgeRollout(evidence, HOLDOUT_RULE);
  const said = { PROMOTE: 'safe', ROLLBACK: 'worse', HOLD: 'undecided', ASK: 'undecided' }[verdict];
  return { rows: evidence.pairs, verdict: said, reason, findings };
}

/** Why their figures are of different rows; empty where they are of the same. */
function whyOtherRows(a: VersionRow, b: VersionRow): string[] {
  const [ofA, ofB] = [recordOf(a), recordOf(b)];
  if (ofA && ofB && ofA.rows_sha256 === ofB.rows_sha256) return [];
  const unlike = whatTheDrawFollowsFrom(a, b);
  return ofA && ofB && unlike.length === 0 ? ['the rows themselves'] : unlike;
}

/** What both need to share for their held-out rows to be the same, where the rows themselves were not kept. */
function whatTheDrawFollowsFrom(a: VersionRow, b: VersionRow): string[] {
  const drawnFrom = (row: VersionRow) => {
    const { dataset_digest, start_date, end_date, filters, holdout_rows, code_version } = lineageOf(row);
    const { hyperparameters, validation_split, settings } = parametersOf(row);
    const { heads = [] } = signatureOf(row);
    return {
      dataset_digest,
      start_date,
      end_date,
      filters,
      validation_split,
      split: (settings as { split?: unknown } | null | undefined)?.split,
      seed: hyperparameters?.['seed'],
      holdout_rows,
      code_version,
      heads: heads.map(({ name, task, classes }) => [name, task, classes]),
    };
  };
  return sides(drawnFrom(a), drawnFrom(b))
    .filter(({ differs }) => differs)
    .map(({ name }) => name);
}

function sides(a: Record<string, unknown>, b: Record<string, unknown>): Side[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names
    .filter((name) => a[name] !== undefined || b[name] !== undefined)
    .map((name) => {
      const [ofA, ofB] = [a[name] ?? null, b[name] ?? null];
      return { name, a: ofA, b: ofB, differs: !isDeepStrictEqual(ofA, ofB) };
    });
}

function compareFeatures(a: readonly SignatureFeature[], b: readonly SignatureFeature[]) {
  const typesOf = (features: readonly SignatureFeature[]) => new Map(features.map(({ name, type }) => [name, type]));
  const [ofA, ofB] = [typesOf(a), typesOf(b)];
  const shared = [...ofA.keys()].filter((name) => ofB.has(name));
  return {
    only_a: [...ofA.keys()].filter((name) => !ofB.has(name)),
    only_b: [...ofB.keys()].filter((name) => !ofA.has(name)),
    shared,
    retyped: shared.filter((name) => ofA.get(name) !== ofB.get(name)),
  };
}

function compareMetrics(
  a: Record<string, Record<string, Measured>>,
  b: Record<string, Record<string, Measured>>,
  isSameRows: boolean,
) {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((head) =>
    [...new Set([...Object.keys(a[head] ?? {}), ...Object.keys(b[head] ?? {})])].map((metric) => {
      const [ofA, ofB] = [a[head]?.[metric], b[head]?.[metric]];
      const better = betterDirection(metric);
      return { head, metric, better, a: ofA ?? null, b: ofB ?? null, ...compareMetric(metric, ofA, ofB, isSameRows) };
    }),
  );
}

async function describeSide(
  row: VersionRow,
  { database, modelStoragePath }: { database: Database; modelStoragePath: string },
) {
  return {
    version: row.version,
    state: row.state,
    promotable: row.promotable,
    created_at: row.createdAt.toISOString(),
    bytes: await bytesOf(bundleFolder(modelStoragePath, row.model, row.digest)),
    latency: await latencyOf(database, row),
  };
}

/** @returns null when the files are not there */
async function bytesOf(folder: string): Promise<number | null> {
  try {
    await bringBundle(folder);
    const sizes = await Promise.all((await readdir(folder)).map(async (file) => (await stat(join(folder, file))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The newest of its answers of the last day that did not come from a cache; null without any. */
async function latencyOf({ prisma }: Database, { model, version }: VersionRow) {
  const [found] = await prisma.$queryRaw<{ answers: number; median: number | null; p99: number | null }[]>`
    SELECT count(*)::int AS answers, percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_us) AS median,
      percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_us) AS p99
    FROM (SELECT latency_us FROM predictions WHERE model = ${model} AND version = ${version} AND NOT cached
      AND created_at > now() - interval '1 day' ORDER BY created_at DESC LIMIT 10000) newest`;
  return found && found.answers > 0
    ? { answers: found.answers, median_us: found.median ?? 0, p99_us: found.p99 ?? 0 }
    : null;
}
