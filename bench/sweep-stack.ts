import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestStack } from '../infra/local/test-stack.js';
import { createPrng } from '../ml/random/prng.js';
import { digestOf } from '../services/canonical-json.js';
import { postJob, runJob } from './served-stack.js';

const MODELS = `swept:
  kind: classification
  source: swept
  entity: unit
  target: outcome
`;

/** The whole service with a table to search on, and nothing else to do. */
export interface SweepStack {
  stack: TestStack;
  /** For further workers. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** @param rows of a table of eight columns, of which three say something about the answer */
export async function startSweepStack(rows: number, env: Record<string, string> = {}): Promise<SweepStack> {
  const inbox = mkdtempSync(join(tmpdir(), 'mlops-sweep-'));
  writeFileSync(join(inbox, 'config.yaml'), MODELS);
  writeFileSync(join(inbox, 'data-types.yaml'), '{}\n');
  writeFileSync(join(inbox, 'swept.csv'), learnableRows(rows));
  const all = { DATA_SOURCE_ROOTS: inbox, MODELS_CONFIG: join(inbox, 'config.yaml'), AUTO_ML_ENABLED: 'true', ...env };
  const stack = await TestStack.start(all);
  await runJob(stack.api, '/data/ingest', { source: 'swept.csv', data_type: 'swept' });
  return {
    stack,
    env: all,
    async stop() {
      await stack.stop();
      rmSync(inbox, { recursive: true, force: true });
    },
  };
}

function learnableRows(rows: number): string {
  const prng = createPrng(31);
  const names = Array.from({ length: 8 }, (_, at) => `x${at}`);
  const lines = Array.from({ length: rows }, (_, row) => {
    const values = names.map(() => prng.nextGaussian());
    const isYes = values[0]! + values[1]! * values[2]! + prng.nextGaussian() > 0;
    return [`u${row}`, ...values.map((value) => value.toFixed(4)), isYes ? 'yes' : 'no'].join(',');
  });
  return `${['unit', ...names, 'outcome'].join(',')}\n${lines.join('\n')}\n`;
}

/** What one sweep took, by its own row and those of its trials. */
export interface SweepTimes {
  sweepId: string;
  trials: number;
  /** From the first trial's beginning to the last one's end. */
  wallSeconds: number;
  /** Of all trials together, as their worker measured it: the process, its messages, and the fit. */
  trialSeconds: number;
  /** Digest of what was tried and what it came to, whoever ran it and when. */
  table: string;
}

interface TrialTimes {
  trial: number;
  configuration: object;
  state: string;
  loss: number | null;
  seconds: number;
  started_at: string;
  finished_at: string;
}

/** Runs a training job with a search. @throws Error when it does not complete */
export async function runSweep(api: string, search: { trials: number } & Record<string, unknown>): Promise<SweepTimes> {
  const id = await postJob(api, '/models/train', { model_type: 'swept', search: { warm_start: false, ...search } });
  const sweepId = `sweep-${id}`;
  for (let state = 'running'; state !== 'completed';) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const answer = await fetch(`${api}/sweeps/${sweepId}`);
    if (answer.status === 404) continue;
    ({ state } = (await answer.json()) as { state: string });
    if (state !== 'running' && state !== 'completed') throw new Error(`The sweep ${sweepId} is ${state}.`);
  }
  const trials: TrialTimes[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const path: string = `/sweeps/${sweepId}/trials?limit=500${cursor && `&cursor=${cursor}`}`;
    const page = (await (await fetch(api + path)).json()) as { items: TrialTimes[]; next_cursor: string | null };
    trials.push(...page.items);
    cursor = page.next_cursor;
  }
  const ends = trials.map(({ finished_at: at }) => Date.parse(at));
  const starts = trials.map(({ started_at: at }) => Date.parse(at));
  // The fit that follows is not what is measured.
  await fetch(`${api}/jobs/${id}/cancel`, { method: 'POST' });
  return {
    sweepId,
    trials: trials.length,
    wallSeconds: (ends.reduce((a, b) => Math.max(a, b)) - starts.reduce((a, b) => Math.min(a, b))) / 1000,
    trialSeconds: trials.reduce((sum, { seconds }) => sum + seconds, 0),
    table: digestOf(
      trials
        .toSorted((a, b) => a.trial - b.trial)
        .map(({ trial, configuration, state, loss }) => ({ trial, configuration, state, loss })),
    ),
  };
}
