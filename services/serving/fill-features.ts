import { isDeepStrictEqual } from 'node:util';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import { viewChanges } from '../../core/policy/view-compatibility.js';
import { featureNameOf, type ViewVersion } from '../../core/schemas/feature-view.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import { featuresOf } from '../features/join-views.js';
import type { OnlineFeatures, ViewAnswer } from '../features/online-features.js';
import type { KnownView } from '../features/view-registry.js';
import type { ServedModel } from './routing-table.js';

/** What came from the feature store, and what could not. */
export interface FilledInput {
  input: PredictInput;
  fromStore: readonly string[];
  warnings: readonly FieldProblem[];
}

/** A view of the version, with its features that the model takes. */
interface UsedView extends ViewVersion {
  /** Names in the view. */
  used: readonly string[];
}

function usedViews({ scorer }: ServedModel): UsedView[] {
  const { feature_views: views = [], signature } = scorer.bundle.manifest;
  const taken = new Set(signature.map(({ name }) => name));
  return views.map((view) => ({
    ...view,
    used: featuresOf(view.definition).flatMap(({ name }) => (taken.has(featureNameOf(view.view, name)) ? [name] : [])),
  }));
}

/** Whether the version learnt from feature views at all. */
export const hasViews = ({ scorer }: ServedModel) => scorer.bundle.manifest.feature_views !== undefined;

/**
 * Gives requests the features that their callers left out, from the online store: those of views that the version learnt from, of the entity
 * of the request. A store that is away leaves them missing, and the answer says so.
 * @returns an entry a request, or the refusal of what no row can be answered for
 * @throws ServiceError `feature_view_changed` where a view that is needed means something else by now
 */
export async function fillFeatures(
  store: OnlineFeatures,
  served: ServedModel,
  inputs: readonly PredictInput[],
): Promise<FilledInput[]> {
  const views = usedViews(served);
  const isLeftOut = (input: PredictInput, { view, used }: UsedView) =>
    input.entityId !== undefined && used.some((name) => !Object.hasOwn(input.features, featureNameOf(view, name)));
  const needed = views.filter((view) => inputs.some((input) => isLeftOut(input, view)));
  const known = await Promise.all(needed.map(({ view }) => store.known(view)));
  for (const [at, view] of needed.entries()) if (known[at]) refuseChanged(view, known[at], served);
  const usable = needed.flatMap((view, at) => (known[at] ? [{ view, known: usableOf(view, known[at]) }] : []));
  const asking = inputs.flatMap((input, at) => (needed.some((view) => isLeftOut(input, view)) ? [at] : []));
  const { answers, isAway } = await store.lookUp(
    usable.map((one) => one.known),
    asking.map((at) => inputs[at]!.entityId!),
    asking.map((at) => inputs[at]!.features),
  );
  const rowOf = new Map(asking.map((at, row) => [at, row]));
  const signature = new Set(served.scorer.bundle.manifest.signature.map(({ name }) => name));
  return inputs.map((input, at) => {
    const plain = withoutRequestValues(input, views, signature);
    const row = rowOf.get(at);
    if (row === undefined) return { input: plain, fromStore: [], warnings: [] };
    const answerOf = (view: UsedView) => answers[row]?.[usable.findIndex((one) => one.view === view)];
    return fillOne(plain, needed, answerOf, isAway);
  });
}

function fillOne(
  input: PredictInput,
  needed: readonly UsedView[],
  answerOf: (view: UsedView) => ViewAnswer | undefined,
  isAway: boolean,
): FilledInput {
  const features = { ...input.features };
  const fromStore: string[] = [];
  const warnings: FieldProblem[] = [];
  for (const view of needed) {
    const answer = answerOf(view);
    const left = view.used.filter((name) => !Object.hasOwn(input.features, featureNameOf(view.view, name)));
    if (left.length === 0) continue;
    for (const name of left) {
      const value = answer?.values[name] ?? null;
      if (value === null) continue;
      features[featureNameOf(view.view, name)] = value;
      fromStore.push(featureNameOf(view.view, name));
    }
    const message = describeGap(answer, isAway);
    if (message !== undefined) warnings.push({ path: `features.${view.view}`, message });
  }
  return { input: { ...input, features }, fromStore, warnings };
}

function describeGap(answer: ViewAnswer | undefined, isAway: boolean): string | undefined {
  if (!answer || (isAway && answer.status === 'missing'))
    return 'the feature store cannot be asked at present, so what was left out counts as not known';
  if (answer.status === 'missing')
    return 'the feature store has nothing of this entity, so what was left out counts as not known';
  if (answer.status === 'fresh') return undefined;
  return `what the feature store has of this entity is ${Math.round(answer.age_seconds ?? 0)} s old and has expired, so it counts as not known`;
}

/** Values that only on-demand features are computed from are no features of the model. */
function withoutRequestValues(
  input: PredictInput,
  views: readonly UsedView[],
  signature: ReadonlySet<string>,
): PredictInput {
  const only = views
    .flatMap(({ definition }) => Object.keys(definition.request))
    .filter((name) => !signature.has(name));
  if (!only.some((name) => Object.hasOwn(input.features, name))) return input;
  const features = Object.fromEntries(Object.entries(input.features).filter(([name]) => !only.includes(name)));
  return { ...input, features };
}

/** A store that was filled by a definition that means something else is as good as empty. */
function usableOf({ definition, used }: UsedView, known: KnownView): KnownView {
  const isUsable =
    known.filled && viewChanges(definition, known.filled.definition, used, isDeepStrictEqual).length === 0;
  return isUsable ? known : { latest: known.latest };
}

function refuseChanged(
  { view, version, definition, used }: UsedView,
  { latest }: KnownView,
  served: ServedModel,
): void {
  if (latest.version === version) return;
  const changes = viewChanges(definition, latest.definition, used, isDeepStrictEqual);
  if (changes.length === 0) return;
  throw new ServiceError(
    'feature_view_changed',
    `${served.model} ${served.version} learnt from the feature view ${view} in version ${version}; in version ${latest.version} ${changes.join(', ')}. Train again, or send the features of the view with the request.`,
    [{ path: `features.${view}`, message: changes.join(', ') }],
  );
}
