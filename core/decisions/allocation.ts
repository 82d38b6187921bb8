/** A feature by which entities are told apart before an arm is drawn: by its values, or by the bins between edges. */
export type ContextFeature =
  { feature: string; values: readonly string[] } | { feature: string; edges: readonly number[] };

/** How the entities of an adaptive experiment are drawn: each belongs to one of several batches, which are opened one after the other. */
export interface AdaptiveAllocation {
  batches: number;
  /** Least chance of an arm that takes part. */
  floor: number;
  context: readonly ContextFeature[];
  /** The batches that were opened, in order. What was opened never changes. */
  opened: readonly OpenedBatch[];
}

export interface OpenedBatch {
  /** The window whose evidence the chances are made of; 0 for the first batch, which has none. */
  window: number;
  /** When it was opened, as ISO time. */
  at: string;
  /** Chances by context, in the order of the arms. Without contexts there is one, named ''. */
  chances: Readonly<Record<string, readonly number[]>>;
}

/** What every feature has besides its declared levels: other values, and none. */
const OTHER = 'other';

function levelsOf(context: ContextFeature): string[] {
  if ('values' in context) return [...context.values, OTHER];
  const { edges } = context;
  return [`<${edges[0]}`, ...edges.slice(1).map((edge, at) => `${edges[at]}-${edge}`), `>=${edges.at(-1)}`, OTHER];
}

function levelOf(context: ContextFeature, value: unknown): string {
  if ('values' in context) return context.values.includes(String(value)) ? String(value) : OTHER;
  if (typeof value !== 'number' || Number.isNaN(value)) return OTHER;
  const bin = context.edges.findIndex((edge) => value < edge);
  return levelsOf(context)[bin < 0 ? context.edges.length : bin]!;
}

/** All contexts that there can be, such as `plan=pro, usage=<10`. */
export function contextKeys(context: readonly ContextFeature[]): string[] {
  return context.reduce<string[]>(
    (keys, feature) =>
      keys.flatMap((key) => levelsOf(feature).map((level) => `${key ? `${key}, ` : ''}${feature.feature}=${level}`)),
    [''],
  );
}

/** The context of an entity with these features. */
export function contextKeyOf(context: readonly ContextFeature[], features: Readonly<Record<string, unknown>>): string {
  return context.map((item) => `${item.feature}=${levelOf(item, features[item.feature])}`).join(', ');
}

/** Names the batch and the context whose chances an entity was drawn by. */
export const stratumOf = (batch: number, key: string): string => (key ? `${batch}: ${key}` : String(batch));
/** The context in the name of a stratum. */
export const contextOfStratum = (stratum: string): string => stratum.replace(/^\d+(: )?/, '');
