import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { eventually, Service, type Answer } from './service.js';
import { learnableTable } from './tables.js';
import { Traffic, type Answered, type TrafficOptions } from './traffic.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
`;
export const SMALL = { n_estimators: 20, max_depth: 6 };
/** Enough of both cohorts within seconds, and margins that noise on a busy machine stays below. */
export const QUICK = {
  steps: [20, 50, 100],
  step_seconds: 3,
  min_samples: 200,
  slow_ms: 25,
  guardrails: { slow_rate: { margin: 0.05 }, error_rate: { margin: 0.02 } },
};

export interface Window {
  window: number;
  verdict: string;
  reason: string;
  reproduced: boolean;
  findings: { measure: string; finding: string }[];
  evidence: { strategy: string; pairs?: number; share?: number };
}
export interface Deployment {
  deployment_id: string;
  job_id: string;
  state: string;
  reason: string | null;
  steps: { step: string; detail: { tested?: boolean; reason?: string } }[];
  traffic: { version: string; candidate_version: string | null; phase: string | null; share: number };
  latest_evidence: Window | null;
  commands: { action: string; by: string; note: string | null; detail: object | null; refused: string | null }[];
}

const ENDED = ['promoted', 'rolled_back', 'aborted', 'failed'];
const PLANS = ['basic', 'plus', 'pro'];
export const featuresOf = (entity: number) => ({ usage: (entity * 37) % 100, plan: PLANS[entity % 3] });
/** The law of the table, without its noise. */
export function truthOf(entity: number): 'stay' | 'leave' {
  const { usage, plan } = featuresOf(entity);
  return usage < 45 !== (plan === 'pro') ? 'stay' : 'leave';
}
export const truths: TrafficOptions['feedbackOf'] = (entity) => ({ outcome: { label: truthOf(entity) } });

/** A service with versions of one model that learnt from customers, and what tests do with their rollouts. */
export class CustomerRollouts {
  #traffic: Traffic | undefined;
  /** The version that was deployed first. */
  good!: string;

  private constructor(readonly service: Service) {}

  static async start(env: Record<string, string> = {}): Promise<CustomerRollouts> {
    const rollouts = new CustomerRollouts(await Service.start(MODELS, { PREDICTION_CACHE_TTL: '0', ...env }));
    await rollouts.ingest('customers.csv', learnableTable(1500));
    rollouts.good = await rollouts.train();
    await rollouts.service.run('/models/customers/deploy', { version: rollouts.good });
    return rollouts;
  }

  async stop(): Promise<void> {
    await this.service?.stop();
  }

  /** @returns the id of the dataset; it is the newest one of its type afterwards */
  async ingest(file: string, content: string): Promise<string> {
    this.service.file(file, content);
    const { dataset_id: id } = await this.service.run('/data/ingest', { source: file, data_type: 'customers' });
    return String(id);
  }

  async train(model: object = {}): Promise<string> {
    const request = { model_type: 'customers', hyperparameters: SMALL, ...model };
    return String((await this.service.run('/models/train', request))['version']);
  }

  /** A version that has learnt from another table; the newest dataset is the right one again afterwards. */
  async trainOn(table: string): Promise<string> {
    const source = await this.ingest('others.csv', table);
    await this.ingest('customers.csv', learnableTable(1500));
    return this.train({ training_data: { source } });
  }

  /** A version that has learnt the answers the other way round. */
  trainWrong(): Promise<string> {
    const flip = (_: string, outcome: string) => `,${outcome === 'stay' ? 'leave' : 'stay'},`;
    return this.trainOn(learnableTable(1500).replaceAll(/,(stay|leave),/g, flip));
  }

  /** A version that lacks a feature which all callers send. */
  async trainWithout(feature: 'usage' | 'plan'): Promise<string> {
    const rest = ['usage', 'plan'].filter((name) => name !== feature);
    const config = join(this.service.inbox, 'config.yaml');
    writeFileSync(config, MODELS.replace('[usage, plan]', `[${rest.join(', ')}]`));
    const version = await this.train();
    writeFileSync(config, MODELS);
    return version;
  }

  deploy = (body: object): Promise<Answer<{ deployment_id: string; job_id: string }>> =>
    this.service.post('/models/customers/deploy', body);

  async begin(body: object): Promise<{ deployment_id: string; job_id: string }> {
    const answer = await this.deploy(body);
    expect(answer.status, answer.text).toBe(202);
    return answer.body;
  }

  deployment = async (id: string): Promise<Deployment> =>
    (await this.service.get<Deployment>(`/deployments/${id}`)).body;

  windowsOf = async (id: string): Promise<Window[]> =>
    (await this.service.get<{ items: Window[] }>(`/deployments/${id}/evidence?limit=500`)).body.items;

  servedVersion = async (): Promise<string> =>
    (await this.service.get<{ serving: { loaded_version: string } }>('/models/customers')).body.serving.loaded_version;

  inState(id: string, state: string): Promise<Deployment> {
    return eventually(`${id} being ${state}`, async () => {
      const found = await this.deployment(id);
      if (ENDED.includes(found.state) && found.state !== state)
        throw new Error(`${id} is ${found.state}: ${found.reason}`);
      return found.state === state ? found : undefined;
    });
  }

  atShare(id: string, share: number): Promise<Deployment> {
    return eventually(`${id} at ${share} %`, async () => {
      const found = await this.deployment(id);
      return found.traffic.share === share ? found : undefined;
    });
  }

  send(more: Partial<TrafficOptions> = {}): void {
    this.#traffic = new Traffic(this.service.stack.api, 'customers', { entities: 4000, featuresOf, ...more });
  }

  /** Ends the traffic, of which no request may have failed. */
  async noneFailed(): Promise<Answered[]> {
    const answers = await this.#traffic!.stop();
    this.#traffic = undefined;
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    return answers;
  }

  /** After each test: one that failed must not fail the next one. */
  async cleanUp(): Promise<void> {
    await this.#traffic?.stop();
    this.#traffic = undefined;
    const [latest] = (await this.service.get<{ items: Deployment[] }>('/deployments?limit=1')).body.items;
    if (latest && !ENDED.includes(latest.state)) {
      await this.service.post(`/deployments/${latest.deployment_id}/abort`);
      await this.service.ended(latest.job_id);
    }
    if ((await this.servedVersion()) !== this.good)
      await this.service.post('/models/customers/rollback', { version: this.good });
  }
}
