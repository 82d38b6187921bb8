/**
 * Sends valid, nearly valid and hostile requests to every operation of the OpenAPI document, and holds each answer to it: first by fast-check,
 * then by schemathesis. Prints each finding with the request that shows it, keeps the reports, and ends with 1 if there is any.
 *
 * Run: npm run fuzz -- [--seed 1] [--requests 50] [--only properties|schemathesis] [--phases examples,coverage,fuzzing,stateful]
 *   [--paths '^/predict'] [--folder fuzz-report] [--url http://127.0.0.1:8080]
 * It starts a throw-away service of its own. One given by --url is changed by it, and may lose all that it has.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonSchema } from '../integration/api/support/json-schema.js';
import { fuzzOperations, readKnownNames, type Finding } from './fuzz-operation.js';
import { startFuzzTarget } from './fuzz-target.js';
import { readOperations } from './read-operations.js';
import { runSchemathesis } from './run-schemathesis.js';

interface Options {
  seed: number;
  requests: number;
  paths: string | undefined;
  folder: string;
  phases: string[];
}

async function fuzzByProperties(url: string, { seed, requests, paths }: Options): Promise<Finding[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as JsonSchema;
  const operations = readOperations(document).filter(({ path }) => paths === undefined || new RegExp(paths).test(path));
  const settings = { url, seed, requests, known: await readKnownNames(url), document };
  const findings = await fuzzOperations(operations, settings, ({ operation, problems, request }) => {
    process.stdout.write(`${operation}\n  ${problems.join('\n  ')}\n  ${JSON.stringify(request)}\n`);
  });
  process.stdout.write(`properties: ${findings.length} findings, seed ${seed}\n`);
  return findings;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      requests: { type: 'string', default: '50' },
      only: { type: 'string' },
      phases: { type: 'string', default: 'examples,coverage,fuzzing,stateful' },
      paths: { type: 'string' },
      folder: { type: 'string', default: 'fuzz-report' },
      url: { type: 'string' },
    },
  });
  const options: Options = {
    seed: Number(values.seed),
    requests: Number(values.requests),
    paths: values.paths,
    folder: resolve(values.folder),
    phases: values.phases.split(','),
  };
  mkdirSync(options.folder, { recursive: true });
  const target = values.url === undefined ? await startFuzzTarget() : undefined;
  const url = values.url ?? target!.api;
  try {
    let hasFailed = false;
    if (values.only !== 'schemathesis') {
      const findings = await fuzzByProperties(url, options);
      writeFileSync(join(options.folder, 'properties.json'), JSON.stringify(findings, null, 2));
      hasFailed = findings.length > 0;
    }
    if (values.only !== 'properties') {
      const result = await runSchemathesis({
        url,
        ...options,
        onOutput: (text) => process.stdout.write(text),
      });
      if ('reason' in result) process.stdout.write(`schemathesis did not run: ${result.reason}\n`);
      else hasFailed ||= !result.passed;
    }
    process.stdout.write(`The reports: ${options.folder}\n`);
    return hasFailed ? 1 : 0;
  } finally {
    await target?.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
