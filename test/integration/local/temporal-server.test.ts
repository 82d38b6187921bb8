import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../core/names.js';
import { freePort } from '../../../infra/local/free-port.js';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { spawnTemporal, waitForTemporal, type TemporalServerOptions } from '../../../infra/local/temporal-server.js';

let options: TemporalServerOptions;
let server: ChildProcess;

beforeEach(async () => {
  options = {
    binary: await resolveTemporalBinary(() => undefined),
    stateDir: mkdtempSync(join(tmpdir(), 'mlops-temporal-')),
    port: await freePort(),
    uiPort: await freePort(),
    namespace: 'default',
  };
});
afterEach(async () => {
  await kill9();
  rmSync(options.stateDir, { recursive: true, force: true });
});

async function start(): Promise<void> {
  server = spawnTemporal(options, join(options.stateDir, 'temporal.log'));
  await waitForTemporal(options, () => server.exitCode !== null || server.signalCode !== null);
}

async function kill9(): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
}

async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: `127.0.0.1:${options.port}` });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

it('Temporal keeps acknowledged workflows and their search attributes over a kill -9, on loopback with its Web UI', async () => {
  await start();
  const attributes = Object.values(SEARCH_ATTRIBUTES).map((name) => ({
    key: defineSearchAttributeKey(name, 'KEYWORD'),
    value: `some ${name}`,
  }));
  await withClient((client) =>
    client.workflow.start('nobodyRunsThis', {
      workflowId: 'survivor',
      taskQueue: 'nobody',
      memo: { correlation_id: 'abc' },
      typedSearchAttributes: new TypedSearchAttributes(attributes),
    }),
  );
  expect((await fetch(`http://127.0.0.1:${options.uiPort}/`)).status).toBe(200);
  await kill9();
  await start();
  const description = await withClient((client) => client.workflow.getHandle('survivor').describe());
  expect(description).toMatchObject({ status: { name: 'RUNNING' }, memo: { correlation_id: 'abc' } });
  for (const { key, value } of attributes) expect(description.typedSearchAttributes.get(key)).toBe(value);
});
