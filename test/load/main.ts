/**
 * Puts load on the service and looks at each answer: `ramp`, `soak`, `spike`, and `mixed` while a model is trained. Writes a page with the
 * latency by second, prints a JSON line a scenario, and ends with 1 if any answer was not as it should be.
 *
 * Run: npm run load -- [--url http://127.0.0.1:8080] [--rate 200] [--seconds 20] [--only ramp,spike] [--report load-report.html]
 * Without --url it starts a throw-away service with simulated data first, and trains in `mixed`; a service given by --url is only asked.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { postJob, runJob, startServedStack } from '../../bench/served-stack.js';
import { summariseMemory } from './memory-watch.js';
import { renderLoad } from './render-load.js';
import { KNOWN_MODELS } from './requests.js';
import { runLoad, type LoadResult } from './run-load.js';
import { scenariosFor } from './scenarios.js';

function readNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most))
    throw new Error(`--${name} ${text}: must be a number from ${least} to ${most}.`);
  return value;
}

/** @returns the models that the load can ask and the service serves */
async function servedModels(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/health`).catch((error: unknown) => {
    throw new Error(`There is no service at ${url}. Start one, or leave --url out.`, { cause: error });
  });
  const { serving } = (await answer.json()) as { serving: { model: string }[] };
  const models = KNOWN_MODELS.filter((known) => serving.some(({ model }) => model === known));
  if (models.length === 0) throw new Error(`${url} serves none of ${KNOWN_MODELS.join(', ')}. Deploy one first.`);
  return models;
}

/** What the mixed load asks besides, and the table that it is trained on. */
const OTHER_MODELS = [
  ['projects', 'project_success'],
  ['resource_metrics', 'anomaly_detection'],
  ['item_interactions', 'recommendation'],
] as const;

async function trainOthers(url: string): Promise<void> {
  for (const [table, model] of OTHER_MODELS) {
    await runJob(url, '/data/ingest', { source: `${table}.parquet`, data_type: table });
    await runJob(url, '/models/train', { model_type: model, auto_deploy: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      rate: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '20' },
      only: { type: 'string' },
      report: { type: 'string', default: 'load-report.html' },
    },
  });
  const all = scenariosFor(
    readNumber('rate', values.rate, 1, 20_000),
    readNumber('seconds', values.seconds, 1, 86_400),
  );
  const names = values.only?.split(',') ?? all.map(({ name }) => name);
  const unknown = names.filter((name) => all.every((scenario) => scenario.name !== name));
  if (unknown.length > 0)
    throw new Error(`--only ${unknown.join(',')}: the scenarios are ${all.map(({ name }) => name).join(', ')}.`);
  const stack = values.url === undefined ? await startServedStack() : undefined;
  try {
    const url = values.url ?? stack!.api;
    if (stack && names.includes('mixed')) await trainOthers(url);
    const models = await servedModels(url);
    const results: LoadResult[] = [];
    for (const scenario of all.filter(({ name }) => names.includes(name))) {
      if (stack && scenario.isMixed) await postJob(url, '/models/train', { model_type: 'user_behavior' });
      const result = await runLoad(url, scenario, models);
      const { seconds: _seconds, scenario: _scenario, memory, ...figures } = result;
      process.stdout.write(
        `${JSON.stringify({ name: 'load', scenario: scenario.name, ...figures, memory: summariseMemory(memory) })}\n`,
      );
      results.push(result);
    }
    const path = resolve(values.report);
    writeFileSync(path, renderLoad(url, new Date(), results));
    process.stdout.write(`The report: ${path}\n`);
    return results.some(({ problems }) => problems.length > 0) ? 1 : 0;
  } finally {
    await stack?.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
