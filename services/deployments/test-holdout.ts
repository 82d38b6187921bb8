import type { PairedEvidence, PairedMeasure, RolloutVerdict } from '../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE, type RolloutRule } from '../../core/decisions/rollout-rule.js';
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
import { keepVerdict } from './evaluate-window.js';
import type { OpenDeployment, RolloutSettings } from './open-deployment.js';
import { measuredHeads } from './rollout-measures.js';
import { recordStep } from './switch-route.js';

/** The test stands before all windows. */
const HOLDOUT_WINDOW = 0;
/** Bounds that hold at every look are wide enough for so few rows. */
const RULE: RolloutRule = { ...DEFAULT_ROLLOUT_RULE, leastPairs: 100 };

export interface HoldoutResult {
  /** False when the rollout ends here, before the version has had any traffic. */
  mayGoOn: boolean;
  reason: string;
}

/** Why there is nothing to judge by. */
class NotTestable {
  constructor(readonly reason: string) {}
}

/**
 * Compares the version with the present one on labelled rows that neither has learnt from, before it gets any traffic, and keeps evidence
 * and verdict as window 0 of the rollout. The rows are those that were held out of the one and those that were held out of the other: data that
 * went wrong upstream speak for the version that learnt from them, and only the older rows tell. Repeatable.
 */
export async function testHoldout(
  deployment: OpenDeployment,
  context: { database: Database; modelStoragePath: string; signal: AbortSignal },
): Promise<HoldoutResult> {
  const { prisma } = context.database;
  const { deploymentId, holdout: mode } = deployment;
  if (mode === 'off') return { mayGoOn: true, reason: 'Not asked for.' };
  const key = { deploymentId_window: { deploymentId, window: HOLDOUT_WINDOW } };
  const known = await prisma.deploymentEvidence.findUnique({ where: key });
  if (known) return resultOf(deployment, known.verdict as unknown as RolloutVerdict);
  const evidence = await collect(deployment, context);
  if (evidence instanceof NotTestable) {
    const { reason } = evidence;
    await recordStep(prisma, deployment, 'holdout', { tested: false, reason });
    const mayGoOn = mode === 'stop_on_harm';
    return { mayGoOn, reason: mayGoOn ? reason : `The holdout test must be passed, and cannot be made: ${reason}` };
  }
  const verdict = await keepVerdict(context.database, deployment, HOLDOUT_WINDOW, evidence, RULE);
  await recordStep(prisma, deployment, 'holdout', { tested: true, rows: evidence.pairs, verdict: verdict.verdict });
  return resultOf(deployment, verdict);
}

function resultOf(
  { holdout: mode, plan }: OpenDeployment,
  { verdict, reason, findings }: RolloutVerdict,
): HoldoutResult {
  const harmful = findings.filter(({ finding }) => finding === 'harmful');
  // Rows of before may be of a world that is gone: where live traffic will be looked at anyway, that decides.
  const areOfBefore = harmful.every(({ measure }) => measure.includes(OF_BEFORE));
  const isLeftToTraffic = areOfBefore && plan.strategy !== 'immediate' && mode === 'stop_on_harm';
  if (verdict === 'ROLLBACK' && !isLeftToTraffic)
    return {
      mayGoOn: false,
      reason: `It does worse on rows that neither version has learnt from: ${reason}${areOfBefore ? ADVICE : ''}`,
    };
  if (verdict === 'PROMOTE' || mode === 'stop_on_harm') return { mayGoOn: true, reason };
  return { mayGoOn: false, reason: `The holdout test must be passed, and was not: ${reason}` };
}

/** Marks measures over the rows that were held out of the present version. */
const OF_BEFORE = ' on rows held out of ';
const ADVICE = ' If the world has changed since, let a canary tell by live traffic.';

async function collect(
  { deploymentId, model, version, digest, previousVersion }: OpenDeployment,
  { database, modelStoragePath, signal }: { database: Database; modelStoragePath: string; signal: AbortSignal },
): Promise<PairedEvidence | NotTestable> {
  if (previousVersion === undefined) return new NotTestable('There is no present version to compare with.');
  if (previousVersion === version) return new NotTestable('It is the present version itself.');
  const [candidate, present] = await Promise.all(
    [version, previousVersion].map((one) =>
      database.prisma.modelVersion.findUniqueOrThrow({ where: { model_version: { model, version: one } } }),
    ),
  );
  const folderOf = (one: string) => bundleFolder(modelStoragePath, model, one);
  const sets = [{ name: '', cases: await casesNewTo(present!, candidate!, folderOf) }];
  if (recordOf(candidate!)?.cases_sha256 !== recordOf(present!)?.cases_sha256)
    sets.push({ name: OF_BEFORE + previousVersion, cases: await casesNewTo(candidate!, present!, folderOf) });
  const { scorer: ours } = await loadScorer(modelStoragePath, model, digest);
  const { scorer: theirs } = await loadScorer(modelStoragePath, model, present!.digest);
  const { kind, heads: predicted } = ours.bundle.manifest;
  const { settings } = await database.prisma.deployment.findUniqueOrThrow({ where: { id: deploymentId } });
  const about = { heads: measuredHeads(kind, predicted), settings: settings as RolloutSettings };
  let pairs = 0;
  const measures: PairedMeasure[] = [];
  for (const { name, cases } of sets) {
    if (cases instanceof NotTestable) continue;
    const found = await collectHoldout(database, { ...about, cases: await answerCases(cases, ours, theirs, signal) });
    pairs += found.pairs;
    measures.push(...found.measures.map((measure) => ({ ...measure, measure: measure.measure + name })));
  }
  if (measures.length === 0) return sets[0]!.cases as NotTestable;
  return { strategy: 'holdout', windows: 1, seconds: 0, pairs, measures };
}

type Version = Prisma.ModelVersionGetPayload<object>;

const recordOf = ({ lineage }: Version) =>
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
  signal: AbortSignal,
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
    signal.throwIfAborted();
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
