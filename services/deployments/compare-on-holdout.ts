import type { PairedEvidence, PairedMeasure } from '../../core/decisions/rollout-evidence.js';
import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';
import type { ScoreInput } from '../../core/schemas/prediction.js';
import {
  readHoldoutCases,
  readTrainedUnits,
  type HoldoutCase,
  type HoldoutRecord,
} from '../artifacts/frozen-holdout.js';
import { bundleFolder } from '../artifacts/model-bundle.js';
import type { Database, Prisma } from '../database/database.js';
import { failureCode } from '../serving/answer-in-rollout.js';
import { loadScorer } from '../serving/load-scorer.js';
import type { Scorer } from '../serving/scorer.js';
import { collectHoldout, type AnsweredCase } from './collect-evidence.js';
import type { RolloutSettings } from './open-deployment.js';
import { measuredHeads } from './rollout-measures.js';

/** Why there is nothing to judge by. */
export class NotTestable {
  constructor(readonly reason: string) {}
}

/** Marks measures over the rows that were held out of the present version. */
export const OF_BEFORE = ' on rows held out of ';

/**
 * Asks two versions of a model about labelled rows that neither has learnt from: those that were held out of the one and, where they are
 * others, those that were held out of the other.
 * @param context `mostRows` of each; all that were kept by default
 * @throws ServiceError `artifact_corrupt`
 */
export async function compareOnHoldout(
  candidate: Version,
  present: Version,
  context: {
    database: Database;
    modelStoragePath: string;
    settings: RolloutSettings;
    signal?: AbortSignal;
    mostRows?: number;
  },
): Promise<PairedEvidence | NotTestable> {
  const { database, modelStoragePath, settings, signal, mostRows } = context;
  const { model } = candidate;
  const folderOf = (one: string) => bundleFolder(modelStoragePath, model, one);
  const sets = [{ name: '', cases: await casesNewTo(present, candidate, folderOf) }];
  if (recordOf(candidate)?.cases_sha256 !== recordOf(present)?.cases_sha256)
    sets.push({ name: OF_BEFORE + present.version, cases: await casesNewTo(candidate, present, folderOf) });
  if (sets.every(({ cases }) => cases instanceof NotTestable)) return sets[0]!.cases as NotTestable;
  const { scorer: ours } = await loadScorer(modelStoragePath, model, candidate.digest);
  const { scorer: theirs } = await loadScorer(modelStoragePath, model, present.digest);
  const { kind, heads: predicted } = ours.bundle.manifest;
  const heads = measuredHeads(kind, predicted);
  let pairs = 0;
  const measures: PairedMeasure[] = [];
  for (const { name, cases } of sets) {
    if (cases instanceof NotTestable) continue;
    const answered = await answerCases(cases.slice(0, mostRows), ours, theirs, signal);
    const found = await collectHoldout(database, { heads, settings, cases: answered });
    pairs += found.pairs;
    measures.push(...found.measures.map((measure) => ({ ...measure, measure: measure.measure + name })));
  }
  return { strategy: 'holdout', windows: 1, seconds: 0, pairs, measures };
}

/**
 * Asks two versions about the rows that were held out of the new one alone: those are of the world as it is now.
 * @param context `isNewToPresent`: the present version cannot have learnt from any of them, whatever their entities
 * @throws ServiceError `artifact_corrupt`
 */
export async function compareOnFreshRows(
  candidate: Version,
  present: Version,
  context: {
    database: Database;
    modelStoragePath: string;
    settings: RolloutSettings;
    signal?: AbortSignal;
    isNewToPresent: boolean;
  },
): Promise<PairedEvidence | NotTestable> {
  const { database, modelStoragePath, settings, signal, isNewToPresent } = context;
  const { model } = candidate;
  const folderOf = (one: string) => bundleFolder(modelStoragePath, model, one);
  const cases = isNewToPresent
    ? await casesHeldOutOf(candidate, folderOf)
    : await casesNewTo(present, candidate, folderOf);
  if (cases instanceof NotTestable) return cases;
  const { scorer: ours } = await loadScorer(modelStoragePath, model, candidate.digest);
  const { scorer: theirs } = await loadScorer(modelStoragePath, model, present.digest);
  const { kind, heads: predicted } = ours.bundle.manifest;
  const answered = await answerCases(cases, ours, theirs, signal);
  const found = await collectHoldout(database, { heads: measuredHeads(kind, predicted), settings, cases: answered });
  return { strategy: 'holdout', windows: 1, seconds: 0, ...found };
}

async function casesHeldOutOf(
  heldOutOf: Version,
  folderOf: (digest: string) => string,
): Promise<HoldoutCase[] | NotTestable> {
  const held = recordOf(heldOutOf);
  const cases = held && (await readHoldoutCases(folderOf(heldOutOf.digest), held));
  return cases?.length ? cases : new NotTestable(`${heldOutOf.version} kept no held-out rows.`);
}

type Version = Prisma.ModelVersionGetPayload<object>;

/** What is kept of the rows that were held out of a version, where its kind keeps any. */
export const recordOf = ({ lineage }: Pick<Version, 'lineage'>) =>
  (lineage as unknown as { holdout?: HoldoutRecord | null }).holdout ?? undefined;

/** Rows that were held out of one version, without those that the other one learnt from. */
async function casesNewTo(
  other: Version,
  heldOutOf: Version,
  folderOf: (digest: string) => string,
): Promise<HoldoutCase[] | NotTestable> {
  const [held, learnt] = [recordOf(heldOutOf), recordOf(other)];
  const both = `${heldOutOf.version} and ${other.version}`;
  if (!held || !learnt)
    return new NotTestable(
      `${(held ? other : heldOutOf).version} kept no held-out rows: its kind has none with a truth of their own, or an earlier release trained it.`,
    );
  if (held.unit !== learnt.unit)
    return new NotTestable(`Of one of ${both} whole entities were held out, and of the other one rows.`);
  if (held.unit === 'row' && JSON.stringify(held.columns) !== JSON.stringify(learnt.columns))
    return new NotTestable(
      `${both} have other columns, so that their rows cannot be told apart. Name an entity in the config to have entities held out.`,
    );
  const isTrained = await readTrainedUnits(folderOf(other.digest), learnt);
  const cases = await readHoldoutCases(folderOf(heldOutOf.digest), held);
  if (!isTrained || !cases)
    return new NotTestable(
      `The held-out rows of ${(cases ? other : heldOutOf).version} are missing or were changed since it was registered.`,
    );
  const fresh = cases.filter(({ unit }) => isTrained(unit) === false);
  return fresh.length > 0
    ? fresh
    : new NotTestable(`${other.version} has learnt from every row that was held out of ${heldOutOf.version}.`);
}

/** Rows that are answered at once; between them the worker's heartbeats and other work go on. */
const ROWS_AT_ONCE = 32;
/** The rows stand in random order: of models that are too slow for all of them, those that were answered by then are judged. */
const LONGEST_MS = 60_000;

async function answerCases(
  cases: readonly HoldoutCase[],
  ours: Scorer,
  theirs: Scorer,
  signal: AbortSignal | undefined,
): Promise<AnsweredCase[]> {
  const answered: AnsweredCase[] = [];
  const [answersOf, presentOf] = [answererOf(ours), answererOf(theirs)];
  const endMs = performance.now() + LONGEST_MS;
  for (let at = 0; at < cases.length && performance.now() < endMs; at += ROWS_AT_ONCE) {
    const rows = cases.slice(at, at + ROWS_AT_ONCE);
    const inputs = rows.map(({ input }) => input);
    const [candidates, presents] = [answersOf(inputs), presentOf(inputs)];
    rows.forEach(({ unit, outcome }, row) =>
      answered.push({ entity: String(unit), candidate: candidates[row]!, present: presents[row]!, outcome }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
  return answered;
}

/** Each version is asked by its own features: what the other one knows besides is no mistake of the row. */
function answererOf(scorer: Scorer): (inputs: readonly ScoreInput[]) => AnsweredCase['candidate'][] {
  const known = new Set(scorer.bundle.manifest.signature.map(({ name }) => name));
  const own = ({ features, ...rest }: ScoreInput): ScoreInput => ({
    ...rest,
    features: Object.fromEntries(Object.entries(features).filter(([name]) => known.has(name))),
  });
  const answer = (input: ScoreInput) => {
    try {
      return scorer.predict(input);
    } catch (error) {
      return error;
    }
  };
  return (inputs) => {
    const owned = inputs.map(own);
    const answers = scorer.batch ? scorer.batch.predictRows(owned) : owned.map(answer);
    return answers.map((found) =>
      hasPredictions(found) ? { predictions: found.predictions } : { error: failureCode(found) },
    );
  };
}

const hasPredictions = (found: unknown): found is ShapedPrediction =>
  typeof found === 'object' && found !== null && 'predictions' in found;
