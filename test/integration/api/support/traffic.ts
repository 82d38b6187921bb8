import { Agent, request } from 'node:http';
import { createPrng } from '../../../../ml/random/prng.js';

export interface Answered {
  entity: string;
  status: number;
  version: string;
  arm?: string;
  id: string;
}

export interface TrafficOptions {
  /** Entities that call again and again. */
  entities: number;
  /** The features of an entity, the same each time. */
  featuresOf: (entity: number) => Record<string, unknown>;
  /** What is reported back for a prediction, if anything. */
  feedbackOf?: (entity: number, answer: Answered) => object | undefined;
  callers?: number;
}

/** Callers of `/predict/{model}` that go on until they are stopped, and remember what they were answered. */
export class Traffic {
  readonly answers: Answered[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  #isStopped = false;
  readonly #callers: Promise<void>[];

  constructor(
    private readonly api: string,
    private readonly model: string,
    private readonly options: TrafficOptions,
  ) {
    this.#callers = Array.from({ length: options.callers ?? 6 }, (_, at) => this.#call(at));
  }

  async stop(): Promise<Answered[]> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
    this.#agent.destroy();
    return this.answers;
  }

  async #call(caller: number): Promise<void> {
    const prng = createPrng(caller + 1);
    while (!this.#isStopped) {
      const entity = Math.floor(prng.next() * this.options.entities);
      const features = this.options.featuresOf(entity);
      const { status, body } = await this.#post(`/predict/${this.model}`, { entity_id: `e${entity}`, features });
      const answer = body as { model_version: string; arm?: string; prediction_id: string };
      const answered = {
        entity: `e${entity}`,
        status,
        version: answer.model_version,
        arm: answer.arm,
        id: answer.prediction_id,
      };
      this.answers.push(answered);
      const feedback = status === 200 ? this.options.feedbackOf?.(entity, answered) : undefined;
      if (feedback) await this.#post(`/predictions/${answered.id}/feedback`, feedback);
    }
  }

  #post(path: string, body: object): Promise<{ status: number; body: unknown }> {
    return new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const sent = request(
        this.api + path,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          let received = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (received += chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(received) }));
          response.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }
}
