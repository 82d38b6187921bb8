import { setTimeout as sleep } from 'node:timers/promises';
import { drawProjectPlan, projectSuccessChance, type ProjectWorld } from '../../simulator/project-model.js';
import { RandomSource } from '../../simulator/random-source.js';
import { ServiceCallError, type ServiceClient } from './service-client.js';

interface Prediction {
  prediction_id: string;
  model_version: string;
  predictions: { label: string };
}

/** Answers and how many of them came true. */
export interface Score {
  rows: number;
  right: number;
}

const CALLERS = 4;
/** Failures in a row that end the traffic; a service that is restarted answers again before. */
const MOST_FAILURES = 30;

/**
 * New projects, one after another: each is asked about, and at once tells how it ended. Time is compressed, nothing else: requests and outcomes
 * go the same way as those of real callers.
 */
export class ProjectTraffic {
  /** In which world projects end now. */
  world: ProjectWorld = 'usual';
  /** By world and version, such as `shifted v1.0.0`. */
  readonly scores = new Map<string, Score>();
  readonly #random: RandomSource;
  readonly #run = Date.now().toString(36);
  #projects = 0;
  #failures = 0;
  #isStopped = false;
  #callers: Promise<void>[] = [];
  #failed: Error | undefined;

  constructor(
    private readonly client: ServiceClient,
    private readonly model: string,
    private readonly options: { seed: number; perSecond: number },
  ) {
    this.#random = new RandomSource(options.seed, 'drift-demo');
  }

  start(): void {
    this.#callers = Array.from({ length: CALLERS }, () => this.#goOn());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
  }

  /** What was answered by a version in a world. @throws ServiceCallError when the traffic has ended by failures */
  scoreOf(world: ProjectWorld, version: string): Score {
    if (this.#failed) throw this.#failed;
    return this.scores.get(`${world} ${version}`) ?? { rows: 0, right: 0 };
  }

  async #goOn(): Promise<void> {
    const pauseMs = (1000 * CALLERS) / this.options.perSecond;
    while (!this.#isStopped) {
      const startedAt = performance.now();
      try {
        await this.#oneProject();
        this.#failures = 0;
      } catch (error) {
        if (++this.#failures > MOST_FAILURES) {
          this.#failed = new ServiceCallError(`The service does not answer: ${String(error)}`);
          this.#isStopped = true;
        }
      }
      await sleep(Math.max(0, pauseMs - (performance.now() - startedAt)));
    }
  }

  async #oneProject(): Promise<void> {
    const { world } = this;
    const plan = drawProjectPlan(this.#random);
    const label = this.#random.chance(projectSuccessChance(plan, world)) ? 'success' : 'failed';
    const answer = await this.client.call<Prediction>('POST', `/predict/${this.model}`, {
      entity_id: `${this.#run}-${++this.#projects}`,
      features: {
        complexity_score: plan.complexityScore,
        team_size: plan.teamSize,
        duration_estimate: plan.durationEstimate,
        technology_maturity: plan.technologyMaturity,
      },
    });
    await this.client.call('POST', `/predictions/${answer.prediction_id}/feedback`, { outcome: { label } });
    const key = `${world} ${answer.model_version}`;
    const score = this.scores.get(key) ?? { rows: 0, right: 0 };
    this.scores.set(key, { rows: score.rows + 1, right: score.right + Number(answer.predictions.label === label) });
  }
}
