import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { TestStack } from '../../../infra/local/test-stack.js';
import { fuzzOperations, readKnownNames } from '../../fuzz/fuzz-operation.js';
import { startFuzzTarget } from '../../fuzz/fuzz-target.js';
import { readOperations } from '../../fuzz/read-operations.js';
import { runSchemathesis } from '../../fuzz/run-schemathesis.js';
import type { JsonSchema } from './support/json-schema.js';

/** Of this run; `npm run fuzz -- --seed` takes any other. */
const SEED = 20_261_129;

const TIMEOUT_MS = 600_000;

describe('whatever is sent to an operation of the OpenAPI document', () => {
  let target: TestStack;
  const folder = mkdtempSync(join(tmpdir(), 'mlops-fuzz-'));

  beforeAll(async () => {
    target = await startFuzzTarget();
  });
  afterAll(async () => {
    await target?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is answered as the document says, never with a failure of ours', { timeout: TIMEOUT_MS }, async () => {
    const document = (await (await fetch(`${target.api}/openapi.json`)).json()) as JsonSchema;
    const settings = { url: target.api, seed: SEED, requests: 6, known: await readKnownNames(target.api), document };
    const operations = readOperations(document);
    expect(operations.length).toBeGreaterThan(150);
    expect(await fuzzOperations(operations, settings)).toEqual([]);
    expect((await fetch(`${target.api}/health/live`)).status).toBe(200);
  });

  it('stands the requests of schemathesis, too', { timeout: TIMEOUT_MS }, async (context: TestContext) => {
    const settings = { url: target.api, seed: SEED, phases: ['fuzzing'], requests: 2, folder };
    const result = await runSchemathesis(settings);
    if ('reason' in result) return context.skip(`schemathesis could not be installed: ${result.reason}`);
    expect(result.passed, result.output).toBe(true);
  });

  it(
    'stands its chains of calls along the links of the document',
    { timeout: TIMEOUT_MS },
    async (context: TestContext) => {
      const settings = { url: target.api, seed: SEED, phases: ['stateful'], requests: 40, folder };
      const result = await runSchemathesis(settings);
      if ('reason' in result) return context.skip(`schemathesis could not be installed: ${result.reason}`);
      expect(result.passed, result.output).toBe(true);
      expect(Number(/API Links:\s+(\d+) covered/.exec(result.output)?.[1]), result.output).toBeGreaterThan(5);
    },
  );

  it('leaves no stack trace in the log of the API', () => {
    const logs = join(target.stateDir, 'logs');
    for (const name of readdirSync(logs).filter((file) => file.startsWith('api')))
      for (const line of readFileSync(join(logs, name), 'utf8').split('\n'))
        expect(line).not.toContain('request failed unexpectedly');
  });
});
