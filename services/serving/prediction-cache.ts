import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';

const MOST_ENTRIES = 20_000;

/** Answers that were given lately, by version digest and features; least recently used ones go first. */
export class PredictionCache {
  readonly #entries = new Map<string, { answer: ShapedPrediction; expiresMs: number }>();

  /** @param ttlSeconds 0 turns the cache off. */
  constructor(private readonly ttlSeconds: number) {}

  get isOn(): boolean {
    return this.ttlSeconds > 0;
  }

  get(key: string, nowMs: number): ShapedPrediction | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (entry.expiresMs <= nowMs) return undefined;
    this.#entries.set(key, entry);
    return entry.answer;
  }

  set(key: string, answer: ShapedPrediction, nowMs: number): void {
    this.#entries.set(key, { answer, expiresMs: nowMs + this.ttlSeconds * 1000 });
    if (this.#entries.size > MOST_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!);
  }
}
