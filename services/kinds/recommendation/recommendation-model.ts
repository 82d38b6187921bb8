import { createHash } from 'node:crypto';
import type { FieldProblem } from '../../../core/errors.js';
import type { RecommendedItem, RecommendOptions } from '../../../core/kinds/recommendation.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { Exploration } from '../../../ml/recommend/explore-list.js';
import type { History } from '../../../ml/recommend/history.js';
import { decodeInteractions } from '../../../ml/recommend/interactions-format.js';
import type { Interactions } from '../../../ml/recommend/interactions.js';
import { recommendItems } from '../../../ml/recommend/recommend-items.js';
import { decodeRecommender } from '../../../ml/recommend/recommender-format.js';
import { ItemScorer, type Recommender } from '../../../ml/recommend/recommender.js';
import type { RecommendationBody } from './fit-recommender.js';
import type { Catalogue } from './interaction-table.js';

/** An item with its number, as golden answers are compared by. */
export interface NumberedItem extends RecommendedItem {
  item: number;
}

/** A recommender with the names of users and items, and what the users had taken. */
export class RecommendationModel {
  private readonly recommender: Recommender;
  private readonly histories: Interactions;
  private readonly scorer: ItemScorer;
  private readonly userOf: ReadonlyMap<string, number>;
  private readonly itemOf: ReadonlyMap<string, number>;
  /** Numbers of the attributes by column and value. */
  private readonly attributeOf = new Map<string, Map<string, number>>();
  /** From when on items count as taken since the training. */
  private readonly trainedUntil: number;

  /** @throws Error where the files do not fit together, ModelFormatError where one is damaged */
  constructor(
    files: { model: Uint8Array; histories: Uint8Array },
    private readonly catalogue: Catalogue,
    private readonly body: RecommendationBody,
  ) {
    this.recommender = decodeRecommender(files.model);
    this.histories = decodeInteractions(files.histories);
    this.userOf = new Map(catalogue.users.map((id, user) => [id, user]));
    this.itemOf = new Map(catalogue.items.map((id, item) => [id, item]));
    checkParts(this.recommender, this.histories, catalogue);
    catalogue.attributes.forEach(({ column, value }, attribute) => {
      const values = this.attributeOf.get(column) ?? new Map<string, number>();
      this.attributeOf.set(column, values.set(value, attribute));
    });
    this.scorer = new ItemScorer(this.recommender);
    this.trainedUntil = this.histories.time.reduce((last, time) => Math.max(last, time), 0);
  }

  /** Recommends to a user by what they had taken when the model was trained, and what the request adds to it. */
  recommend(userId: string | undefined, options: RecommendOptions): NumberedItem[] {
    const { limit, exclude, context, recent_items: recent } = options;
    const { includeSeen, diversity, mostPerAttribute } = this.body;
    const isDiverse = diversity > 0 || mostPerAttribute !== null;
    const list = recommendItems(this.recommender, this.scorer, this.historyOf(userId, recent), {
      limit,
      exclude: exclude.map((id) => this.itemOf.get(id) ?? -1),
      attributes: this.wantedAttributes(context),
      includeSeen,
      diversity: isDiverse ? { strength: diversity, mostPerAttribute: mostPerAttribute ?? Infinity } : undefined,
      exploration: this.explorationOf(userId, options),
    });
    return list.map(({ item, score, reason, propensity }) => ({
      item,
      itemId: this.catalogue.items[item]!,
      score,
      reason: reason.kind,
      becauseOf: 'item' in reason ? this.catalogue.items[reason.item] : undefined,
      propensity,
    }));
  }

  /** Draws that depend on the version, the user and the request alone: a repeated request gets the same answer. */
  private explorationOf(userId: string | undefined, options: RecommendOptions): Exploration | undefined {
    const { exploration: share = 0, drawsOf = '' } = this.body;
    if (share === 0) return undefined;
    const { limit, exclude, context, recent_items: recent } = options;
    const wanted = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([drawsOf, userId ?? null, limit, exclude, wanted, recent]);
    const hash = createHash('sha256').update(key).digest();
    return { share, prng: createPrng(hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8)) };
  }

  private historyOf(userId: string | undefined, recent: readonly string[]): History {
    const user = userId === undefined ? undefined : this.userOf.get(userId);
    const { offsets, item, weight, time } = this.histories;
    const [start, end] = user === undefined ? [0, 0] : [offsets[user]!, offsets[user + 1]!];
    const items = [...item.subarray(start, end)];
    const weights = [...weight.subarray(start, end)];
    const times = [...time.subarray(start, end)];
    for (const id of recent) {
      items.push(this.itemOf.get(id) ?? -1);
      weights.push(1);
      times.push(this.trainedUntil);
    }
    return { items, weights, times };
  }

  private wantedAttributes(context: RecommendOptions['context']): number[] {
    return Object.entries(context).flatMap(([column, value]) => {
      const attribute = value === null ? undefined : this.attributeOf.get(column)?.get(String(value));
      return attribute === undefined ? [] : [attribute];
    });
  }

  /** Values of a context that no item has, though other items have values of that attribute. */
  contextProblems(context: RecommendOptions['context']): FieldProblem[] {
    return Object.entries(context).flatMap(([column, value]) => {
      const known = this.attributeOf.get(column);
      if (!known || value === null || known.has(String(value))) return [];
      const examples = [...known.keys()].slice(0, 20).join(', ');
      return [
        { path: `context.${column}`, message: `no item has the value ${JSON.stringify(value)}; values: ${examples}` },
      ];
    });
  }

  /** What of a request counts for nothing. */
  warnings(userId: string | undefined, { context, recent_items: recent }: RecommendOptions): FieldProblem[] {
    const warnings: FieldProblem[] = [];
    const isKnown = userId !== undefined && this.userOf.has(userId);
    if (!isKnown && !recent.some((id) => this.itemOf.has(id)))
      warnings.push({
        path: 'user_id',
        message: 'nothing is known of this user, so the answer holds the popular items',
      });
    for (const column of Object.keys(context)) {
      if (this.attributeOf.has(column)) continue;
      const known = [...this.attributeOf.keys()].join(', ') || 'none';
      warnings.push({
        path: `context.${column}`,
        message: `is no attribute of the items and was not used; known: ${known}`,
      });
    }
    recent.forEach((id, at) => {
      if (!this.itemOf.has(id))
        warnings.push({ path: `recent_items.${at}`, message: 'is an item that the model does not know' });
    });
    return warnings;
  }
}

function checkParts(recommender: Recommender, histories: Interactions, catalogue: Catalogue): void {
  const { users, items, attributes } = catalogue;
  const counts = [
    ['items of the model', recommender.items, items.length],
    ['items of the histories', histories.items, items.length],
    ['users of the histories', histories.users, users.length],
    ['attributes of the model', recommender.attributes?.attributes ?? attributes.length, attributes.length],
  ] as const;
  for (const [what, found, named] of counts)
    if (found !== named) throw new Error(`there are ${found} ${what}, but ${named} names of them`);
}
