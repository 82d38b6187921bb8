import { setTimeout as sleep } from 'node:timers/promises';
import { callService, hasEnded, postUntilAccepted, readJob, type Answer, type Job } from './call-service.js';

/** What the service has said yes to, and must therefore have. */
export interface Acknowledged {
  predictions: string[];
  /** Predictions whose outcome was taken. */
  outcomes: string[];
  events: string[];
  /** The ids of jobs by the key that each was asked for with. */
  jobs: Map<string, string>;
}

const AWAY_MS = 100;
const BATCH = 10;
const EVENTS = 5;
/** Answers to a request that is in order: yes, later, or too late. */
const FAIR = [0, 200, 201, 202, 429, 503, 504];

/** Callers of every kind, one request of each at a time, who remember what they were promised. */
export class ChaosLoad {
  readonly acknowledged: Acknowledged = { predictions: [], outcomes: [], events: [], jobs: new Map() };
  /** What no answer may be, one sentence each. */
  readonly problems: string[] = [];
  /** Predictions that got an answer of another sort than 200, or none. */
  failedPredictions = 0;
  readonly #over = new AbortController();
  #reported: { id: string; observedAt: string } | undefined;
  readonly #progress = new Map<string, number>();
  readonly #ended = new Map<string, Job>();
  #callers: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly url: string,
    /** Begins the names of all that this load makes. */
    private readonly name: string,
  ) {}

  start(): void {
    const callers = [
      this.#repeat(5, (at) => this.#predict(at)),
      this.#repeat(20, (at) => this.#predictBatch(at)),
      this.#repeat(20, () => this.#report()),
      this.#repeat(20, (at) => this.#sendEvents(at)),
      this.#repeat(150, () => this.#watchJobs()),
    ];
    this.#callers = Promise.all(callers);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#callers;
  }

  async #repeat(pauseMs: number, call: (at: number) => Promise<boolean | void>): Promise<void> {
    for (let at = 0; !this.#over.signal.aborted; at++) {
      const isAnswered = await call(at);
      // Nobody is refused by a service that is away more often than this.
      await sleep(isAnswered === false ? AWAY_MS : pauseMs);
    }
  }

  #look(what: string, { status, text }: Answer): boolean {
    if (!FAIR.includes(status)) this.problem(`${what} was answered ${status}: ${text.slice(0, 200)}`);
    return status >= 200 && status < 300;
  }

  problem(sentence: string): void {
    if (this.problems.length < 5) this.problems.push(sentence);
  }

  async #predict(at: number): Promise<boolean> {
    const body = {
      entity_id: `e${at % 97}`,
      features: { usage: (at * 7) % 100, plan: ['basic', 'plus', 'pro'][at % 3] },
    };
    const answer = await callService(this.url, 'POST', '/predict/customers', body);
    const isAnswered = this.#look('a prediction', answer);
    if (isAnswered)
      this.acknowledged.predictions.push((JSON.parse(answer.text) as { prediction_id: string }).prediction_id);
    else this.failedPredictions++;
    return isAnswered;
  }

  async #predictBatch(at: number): Promise<boolean> {
    const instances = Array.from({ length: BATCH }, (_, index) => ({
      entity_id: `b${(at + index) % 50}`,
      features: { usage: (at + index) % 100, plan: 'plus' },
    }));
    const answer = await callService(this.url, 'POST', '/predict/customers/batch', { instances });
    if (!this.#look('a batch', answer)) {
      this.failedPredictions += BATCH;
      return false;
    }
    const { results } = JSON.parse(answer.text) as { results: { prediction_id: string }[] };
    this.acknowledged.predictions.push(...results.map((one) => one.prediction_id));
    return true;
  }

  /** One outcome a prediction. */
  async #report(): Promise<void> {
    const { predictions, outcomes } = this.acknowledged;
    const id = predictions.at(-1);
    if (id === undefined || id === outcomes.at(-1)) return;
    // A report that got no answer is repeated as it was: with another time it would be another report, which is kept as well.
    if (this.#reported?.id !== id) this.#reported = { id, observedAt: new Date().toISOString() };
    const body = { outcome: { label: 'stay' }, observed_at: this.#reported.observedAt };
    const answer = await callService(this.url, 'POST', `/predictions/${id}/feedback`, body);
    // A prediction that the disk did not take was counted as lost, so that nothing can be reported of it.
    if (answer.status !== 404 && this.#look('an outcome', answer)) outcomes.push(id);
  }

  async #sendEvents(at: number): Promise<boolean> {
    const ids = Array.from({ length: EVENTS }, (_, index) => `${this.name}-${at}-${index}`);
    const lines = ids.map((id) => JSON.stringify({ event_id: id, at })).join('\n');
    const answer = await callService(this.url, 'POST', '/data/events/chaos', lines);
    if (!this.#look('events', answer)) return false;
    const { accepted } = JSON.parse(answer.text) as { accepted: number };
    if (accepted !== EVENTS) this.problem(`of ${EVENTS} events only ${accepted} were taken: ${answer.text}`);
    else this.acknowledged.events.push(...ids);
    return true;
  }

  /** Asks for a job, again and again until it is accepted, and once more with the same key: it must be the same job. */
  async startJob(path: string, body: object, key: string): Promise<string> {
    const id = await postUntilAccepted(this.url, path, body, key);
    this.acknowledged.jobs.set(key, id);
    const again = await postUntilAccepted(this.url, path, body, key);
    if (again !== id) this.problem(`the key ${key} gave ${id} first and ${again} then`);
    return id;
  }

  async #watchJobs(): Promise<void> {
    for (const id of this.acknowledged.jobs.values()) {
      const job = this.#ended.has(id) ? undefined : await readJob(this.url, id);
      if (!job) continue;
      const before = this.#progress.get(id) ?? 0;
      if (job.progress < before) this.problem(`${id} went back from ${before} to ${job.progress}`);
      this.#progress.set(id, job.progress);
      if (hasEnded(job)) this.#ended.set(id, job);
    }
  }

  /** @returns how each job ended; none of one that did not within the time */
  async waitForJobs(withinMs: number): Promise<Map<string, Job | undefined>> {
    const { jobs } = this.acknowledged;
    for (const deadline = Date.now() + withinMs; this.#ended.size < jobs.size && Date.now() < deadline;) {
      await this.#watchJobs();
      await sleep(150);
    }
    return new Map([...jobs].map(([key, id]) => [key, this.#ended.get(id)]));
  }
}
