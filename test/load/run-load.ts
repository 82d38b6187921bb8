import { quantile, runOpenLoop, type Answered } from '../../bench/open-loop.js';
import { arrivalOf } from './requests.js';
import { judgeMemory, MemoryWatch, type MemorySample } from './memory-watch.js';
import type { Scenario } from './scenarios.js';

/** The figures of one second. */
export interface Second {
  second: number;
  requests: number;
  p50Ms: number;
  p99Ms: number;
}

export interface LoadResult {
  scenario: Scenario;
  requests: number;
  answered: number;
  /** 429: turned away in time, as the service says it does when there is too much. */
  refused: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  mostMs: number;
  seconds: Second[];
  versions: string[];
  memory: MemorySample[];
  /** What must never be, one sentence each, at most a few of a sort. */
  problems: string[];
}

interface Prediction {
  prediction_id: string;
  model: string;
  model_version: string;
  predictions: unknown;
}

/** Holds each answer to all before it: ids are new, and equal requests to one version have equal answers. */
class AnswerCheck {
  readonly problems: string[] = [];
  readonly versions = new Set<string>();
  readonly #ids = new Set<string>();
  readonly #answers = new Map<string, string>();

  look({ path, body, status, text }: Answered): void {
    if (status !== 200) {
      if (status !== 429) this.#tell(`${path} answered ${status || 'nothing'}: ${text.slice(0, 200)}`);
      return;
    }
    const { prediction_id: id, model, model_version: version, predictions } = JSON.parse(text) as Prediction;
    this.versions.add(`${model} ${version}`);
    if (this.#ids.has(id)) this.#tell(`the id ${id} was given twice`);
    this.#ids.add(id);
    // Some recommendations are drawn by chance.
    if (path.endsWith('/recommendations')) return;
    const key = `${path} ${version} ${body}`;
    const answer = JSON.stringify(predictions);
    const before = this.#answers.get(key);
    if (before !== undefined && before !== answer)
      this.#tell(`${path}: ${version} answered ${body} with ${answer} after ${before}`);
    this.#answers.set(key, answer);
  }

  #tell(problem: string): void {
    if (this.problems.length < 20) this.problems.push(problem);
  }
}

/**
 * Puts the load of a scenario on a running service.
 * @param models of KNOWN_MODELS that it serves
 */
export async function runLoad(url: string, scenario: Scenario, models: readonly string[]): Promise<LoadResult> {
  const check = new AnswerCheck();
  const answered: Answered[] = [];
  let requests = 0;
  let refused = 0;
  const asked = scenario.isMixed ? models : models.slice(0, 1);
  const memory = new MemoryWatch(url);
  await runOpenLoop({
    url,
    seconds: scenario.seconds,
    ratePerSecond: scenario.ratePerSecond,
    arrival: (index) => arrivalOf(asked, index),
    onAnswer(answer) {
      requests++;
      check.look(answer);
      if (answer.status === 429) refused++;
      if (answer.status === 200) answered.push({ ...answer, text: '', body: '' });
    },
  }).finally(() => memory.stop());
  const latencies = answered.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  return {
    scenario,
    requests,
    answered: answered.length,
    refused,
    p50Ms: quantile(latencies, 0.5),
    p95Ms: quantile(latencies, 0.95),
    p99Ms: quantile(latencies, 0.99),
    mostMs: latencies.at(-1) ?? NaN,
    seconds: bySecond(answered),
    versions: [...check.versions].sort(),
    memory: memory.samples,
    problems: [...check.problems, ...(scenario.isSteady ? judgeMemory(memory.samples) : [])],
  };
}

function bySecond(answered: readonly Answered[]): Second[] {
  const groups = new Map<number, number[]>();
  for (const { dueMs, latencyMs } of answered) {
    const second = Math.floor(dueMs / 1000);
    const group = groups.get(second);
    if (group) group.push(latencyMs);
    else groups.set(second, [latencyMs]);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([second, latencies]) => {
      const sorted = latencies.sort((a, b) => a - b);
      return { second, requests: sorted.length, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
    });
}
