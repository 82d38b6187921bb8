import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import { withDatabase } from '../database/database.js';
import type { VersionStore } from '../registry/version-store.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { OnlineFeatures } from '../features/online-features.js';
import { drawArm, layerBucketOf } from '../experiments/experiment-arms.js';
import { fillFeatures, hasViews, type FilledInput } from './fill-features.js';
import { loadScorer } from './load-scorer.js';
import { armOfInput, createShadowScorer, failureCode } from './answer-in-rollout.js';
import type { CachedAnswer, PredictionCache } from './prediction-cache.js';
import type { Cohort, PredictionLog } from './prediction-log.js';
import type { ActiveExperiment, ActiveRollout, RoutingTable, ServedModel } from './routing-table.js';
import type { HeadExplanation, Scorer } from './scorer.js';

export interface PredictionAnswer extends ShapedPrediction {
  prediction_id: string;
  model: string;
  model_version: string;
  cached: boolean;
  /** While a canary or an experiment is under way: the arm of the entity, and what it is an arm of. */
  arm?: string;
  deployment_id?: string;
  experiment_id?: string;
  /** Of an experiment: the chance with which the arm was drawn. */
  propensity?: number;
  /** Features that the caller left out and the online feature store had. */
  features_from_store?: readonly string[];
  /** Values that count as not known, with their paths. */
  warnings?: FieldProblem[];
  explanations?: Record<string, HeadExplanation['contributions']>;
  /** Per head: the answer without any feature; with the contributions it adds up to the answer. */
  explanation_base_values?: Record<string, number>;
}

export interface PredictDependencies {
  routing: RoutingTable;
  versions: VersionStore;
  cache: PredictionCache;
  log: PredictionLog;
  metrics: Metrics;
  modelStoragePath: string;
  onlineFeatures: OnlineFeatures;
}

/** Versions that were asked for by name, besides the deployed ones. */
const MOST_PINNED = 8;

/**
 * Answers one prediction from memory. Only a `model_version` that is not loaded yet needs the database, once.
 * @throws ServiceError `version_not_deployed`, `version_not_found` or `request_invalid`.
 */
export function createPredictor(dependencies: PredictDependencies) {
  const pinned = new Map<string, ServedModel>();
  const shadow = createShadowScorer(dependencies);

  async function servedModel(model: string, wanted: string | undefined): Promise<ServedModel> {
    const current = dependencies.routing.served(model);
    // Who names a version gets that one, whatever is on trial.
    if (current && (wanted === current.version || wanted === 'production'))
      return { ...current, rollout: undefined, experiments: undefined };
    if (current?.rollout && wanted === current.rollout.candidate.version) return current.rollout.candidate;
    if (wanted === undefined) {
      if (current) return current;
      throw new ServiceError(
        'version_not_deployed',
        `No version of ${model} is deployed. Train one with POST /models/train and deploy it with POST /models/${model}/deploy.`,
      );
    }
    const row = await withDatabase(() => dependencies.versions.find(model, wanted));
    const known = pinned.get(row.digest);
    pinned.delete(row.digest);
    const loaded = known ?? (await loadPinned(model, row.version, row.digest));
    pinned.set(row.digest, loaded);
    if (pinned.size > MOST_PINNED) pinned.delete(pinned.keys().next().value!);
    return loaded;
  }

  async function loadPinned(model: string, version: string, digest: string): Promise<ServedModel> {
    const { scorer } = await loadScorer(dependencies.modelStoragePath, model, digest);
    return { model, version, scorer };
  }

  /**
   * Answers at once, but for what only Redis may know. The prediction is on disk after `log.written()`, and its answer must not go
   * out before that. In a canary the version of the entity's arm answers, and the present one in its place where it cannot.
   */
  function answerWith(
    served: ServedModel,
    input: PredictInput,
    correlationId: string,
  ): PredictionAnswer | Promise<PredictionAnswer> {
    const { rollout } = served;
    if (served.experiments) return answerInExperiment(served, served.experiments, input, correlationId);
    if (!rollout) return answerBy(served, input, { correlationId });
    if (rollout.phase === 'canary') return answerInCanary(served, rollout, input, correlationId);
    const mirror = (answer: PredictionAnswer) => {
      shadow(served, input, correlationId, answer.prediction_id);
      return answer;
    };
    const answer = answerBy(served, input, { correlationId });
    return answer instanceof Promise ? answer.then(mirror) : mirror(answer);
  }

  /** Who takes part in an experiment is answered by its arm, and by the present version where that cannot. */
  function answerInExperiment(
    present: ServedModel,
    experiments: readonly ActiveExperiment[],
    input: PredictInput,
    correlationId: string,
  ): PredictionAnswer | Promise<PredictionAnswer> {
    const { entityId } = input;
    const experiment = entityId === undefined ? undefined : experimentFor(entityId, experiments);
    if (!experiment) return answerBy(present, input, { correlationId });
    const { experimentId: id, arms, allocation } = experiment;
    const drawn = drawArm({ id, arms, allocation }, entityId!, input.features);
    if (!drawn) return answerBy(present, input, { correlationId });
    const { propensity, stratum } = drawn;
    const { arm, retired, served } = drawn.arm;
    if (retired) return answerBy(served ?? present, input, { correlationId });
    const cohort = { trialId: id, arm, propensity, stratum };
    const call = { correlationId, cohort, trial: { experiment_id: id, propensity } };
    return served
      ? answerOrStandIn(served, present, input, call)
      : answerBy(present, input, { ...call, error: 'version_not_loaded' });
  }

  function answerInCanary(
    present: ServedModel,
    { deploymentId, candidate }: ActiveRollout,
    input: PredictInput,
    correlationId: string,
  ): PredictionAnswer | Promise<PredictionAnswer> {
    const arm = armOfInput(present.rollout!, input);
    const call = { correlationId, cohort: { trialId: deploymentId, arm }, trial: { deployment_id: deploymentId } };
    if (arm !== 'candidate') return answerBy(present, input, call);
    return answerOrStandIn(candidate, present, input, call);
  }

  /** What a version on trial cannot answer the present one does, and the log says why. */
  function answerOrStandIn(
    onTrial: ServedModel,
    present: ServedModel,
    input: PredictInput,
    call: AnswerCall,
  ): PredictionAnswer | Promise<PredictionAnswer> {
    const standIn = (error: unknown) => answerBy(present, input, { ...call, error: failureCode(error) });
    try {
      const answer = answerBy(onTrial, input, call);
      return answer instanceof Promise ? answer.catch(standIn) : answer;
    } catch (error) {
      return standIn(error);
    }
  }

  /** A version that learnt from feature views waits for the store; all others answer at once. */
  function answerBy(
    served: ServedModel,
    input: PredictInput,
    call: AnswerCall,
  ): PredictionAnswer | Promise<PredictionAnswer> {
    if (!hasViews(served)) return answerFrom(served, input, call);
    return fillFeatures(dependencies.onlineFeatures, served, [input]).then(([filled]) =>
      answerFrom(served, filled!.input, { ...call, filled }),
    );
  }

  function answerFrom(
    served: ServedModel,
    input: PredictInput,
    call: AnswerCall,
  ): PredictionAnswer | Promise<PredictionAnswer> {
    const startMs = performance.now();
    const finish = (answer: CachedAnswer) =>
      completeAnswer(dependencies, served, input, call, answer, (performance.now() - startMs) / 1000);
    const { cache } = dependencies;
    if (!cache.isOn) return finish({ shaped: served.scorer.predict(input), cached: false });
    const answer = cache.answer(cacheKey(served.scorer, input), () => served.scorer.predict(input));
    return answer instanceof Promise ? answer.then(finish) : finish(answer);
  }

  /** As `answerWith`; a request of a canary that no version answers is evidence, too. */
  async function answerOrNote(served: ServedModel, input: PredictInput, correlationId: string) {
    try {
      return await answerWith(served, input, correlationId);
    } catch (error) {
      if (served.rollout?.phase === 'canary') noteFailure(served, served.rollout, input, correlationId, error);
      throw error;
    }
  }

  function noteFailure(
    { model, version }: ServedModel,
    rollout: ActiveRollout,
    input: PredictInput,
    correlationId: string,
    error: unknown,
  ): void {
    const { deploymentId, candidate } = rollout;
    // Without an entity each attempt is a unit of its own, in an arm of its own.
    const arm = armOfInput(rollout, input);
    dependencies.log.add(
      {
        model,
        version: arm === 'candidate' ? candidate.version : version,
        correlationId,
        cohort: { trialId: deploymentId, arm },
      },
      {
        entityId: input.entityId,
        features: {},
        predictions: {},
        latencyUs: 0,
        cached: false,
        error: failureCode(error),
        caller: input.caller,
      },
    );
  }

  async function predict(model: string, input: PredictInput, correlationId: string): Promise<PredictionAnswer> {
    const answered = await answerOrNote(await servedModel(model, input.modelVersion), input, correlationId);
    await dependencies.log.written();
    return answered;
  }
  // Batches ask for the version once and then answer many rows with it.
  return Object.assign(predict, { versionFor: servedModel, answerWith, answerOrNote });
}

/** The experiment that an entity belongs to, if any: those of one layer share no entity. */
function experimentFor(entity: string, experiments: readonly ActiveExperiment[]): ActiveExperiment | undefined {
  return experiments.find(({ layer, firstBucket, endBucket }) => {
    const bucket = layerBucketOf(layer, entity);
    return bucket >= firstBucket && bucket < endBucket;
  });
}

export type Predictor = ReturnType<typeof createPredictor>;

/** What a prediction has besides its input. */
export interface AnswerCall {
  correlationId: string;
  cohort?: Cohort;
  /** How the answer names the trial. */
  trial?: { deployment_id: string } | { experiment_id: string; propensity: number };
  /** Why the version of the arm did not answer, where another one did in its place. */
  error?: string;
  /** What came from the feature store, of a version that learnt from views. */
  filled?: FilledInput;
}

/**
 * Counts and logs one prediction, and makes the answer of it.
 * @param seconds that it took
 */
export function completeAnswer(
  { metrics, log }: Pick<PredictDependencies, 'metrics' | 'log'>,
  served: ServedModel,
  input: PredictInput,
  { correlationId, cohort, trial, error, filled }: AnswerCall,
  { shaped, cached }: CachedAnswer,
  seconds: number,
): PredictionAnswer {
  const { model, version, scorer } = served;
  const { entityId, features, caller } = input;
  metrics.countPrediction(model, version, cached, seconds);
  const id = log.add(
    { model, version, correlationId, cohort },
    {
      entityId,
      features,
      predictions: shaped.predictions,
      latencyUs: Math.round(seconds * 1e6),
      cached,
      error,
      caller,
    },
  );
  const warnings = filled ? [...filled.warnings, ...scorer.warnings(input)] : scorer.warnings(input);
  return {
    prediction_id: id,
    model,
    model_version: version,
    ...shaped,
    cached,
    ...(filled ? { features_from_store: filled.fromStore } : {}),
    ...(cohort ? { arm: cohort.arm, ...trial } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(input.explain ? explain(served, input) : {}),
  };
}

/** Names are sorted so that the order in which a caller writes features does not matter. */
function cacheKey(scorer: Scorer, input: PredictInput): string {
  const features = JSON.stringify(input.features, Object.keys(input.features).sort());
  const options = input.options ? JSON.stringify(input.options) : '';
  const entity = scorer.isByEntity ? JSON.stringify(input.entityId ?? null) : '';
  return `${scorer.bundle.digest} ${features} ${options} ${entity}`;
}

function explain(served: ServedModel, input: PredictInput) {
  const heads = served.scorer.explain(input);
  if (!heads) return {};
  const explained = Object.entries(heads);
  return {
    explanations: Object.fromEntries(explained.map(([head, { contributions }]) => [head, contributions])),
    explanation_base_values: Object.fromEntries(explained.map(([head, { base_value: base }]) => [head, base])),
  };
}
