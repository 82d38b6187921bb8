import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { RedisCache } from './redis-cache.js';

const MOST_ENTRIES = 20_000;

interface Entry {
  answer: ShapedPrediction;
  expiresMs: number;
}

export interface CachedAnswer {
  shaped: ShapedPrediction;
  cached: boolean;
}

/**
 * Answers that were given lately, by version digest and features: in this process, where least recently used ones go first, and in
 * Redis where there is one. A new version has another digest, so a rollout leaves nothing behind that could be answered wrongly.
 */
export class PredictionCache {
  readonly #entries = new Map<string, Entry>();
  /** Answers under way, so that equal requests ask Redis, and the model, once. */
  readonly #underWay = new Map<string, Promise<CachedAnswer>>();

  /** @param options.ttlSeconds 0 turns the cache off. */
  constructor(private readonly options: { ttlSeconds: number; shared?: RedisCache; metrics: Metrics }) {}

  get isOn(): boolean {
    return this.options.ttlSeconds > 0;
  }

  /**
   * The answer to a key: known, or computed and kept. What `compute` throws is kept nowhere.
   * @returns at once, but for what only Redis may know
   */
  answer(key: string, compute: () => ShapedPrediction): CachedAnswer | Promise<CachedAnswer> {
    const { shared, metrics } = this.options;
    const known = this.#find(key);
    if (known) {
      metrics.countCache('memory');
      return { shaped: known, cached: true };
    }
    if (shared?.isUp) return this.#askShared(shared, key, compute);
    return { shaped: this.#compute(key, compute).answer, cached: false };
  }

  /** Forgets all answers of this process. @returns how many */
  clear(): number {
    const { size } = this.#entries;
    this.#entries.clear();
    return size;
  }

  #find(key: string): ShapedPrediction | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (entry.expiresMs <= Date.now()) return undefined;
    this.#entries.set(key, entry);
    return entry.answer;
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    if (this.#entries.size > MOST_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!);
  }

  #compute(key: string, compute: () => ShapedPrediction): Entry {
    const answer = compute();
    const entry = { answer, expiresMs: Date.now() + this.options.ttlSeconds * 1000 };
    this.#keep(key, entry);
    this.options.metrics.countCache('miss');
    return entry;
  }

  #askShared(shared: RedisCache, key: string, compute: () => ShapedPrediction): Promise<CachedAnswer> {
    const underWay = this.#underWay.get(key);
    if (underWay) return underWay;
    const answer = this.#readShared(shared, key, compute).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, answer);
    return answer;
  }

  async #readShared(shared: RedisCache, key: string, compute: () => ShapedPrediction): Promise<CachedAnswer> {
    const known = readEntry(await shared.get(key));
    if (known) {
      this.#keep(key, known);
      this.options.metrics.countCache('redis');
      return { shaped: known.answer, cached: true };
    }
    const computed = this.#compute(key, compute);
    shared.set(key, JSON.stringify(computed));
    return { shaped: computed.answer, cached: false };
  }
}

/** Others may write into the same Redis: what is no answer, or has had its time, counts as not known. */
function readEntry(text: string | undefined): Entry | undefined {
  if (text === undefined) return undefined;
  try {
    const { answer, expiresMs } = JSON.parse(text) as Partial<Entry>;
    const isAnswer = typeof answer?.predictions === 'object' && typeof answer.confidence_scores === 'object';
    return isAnswer && typeof expiresMs === 'number' && expiresMs > Date.now() ? { answer, expiresMs } : undefined;
  } catch {
    return undefined;
  }
}
