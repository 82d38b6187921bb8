import { execFile } from 'node:child_process';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledScript } from '../../../services/project-root.js';
import { createApiClient } from '../../support/api-client.js';
import { Machine } from '../../support/machine.js';
import { startSharedServers } from '../../support/shared-servers.js';

let servers: Awaited<ReturnType<typeof startSharedServers>>;
let former: Machine;
let next: Machine;
let connection: Connection;
let client: Client;
const api = createApiClient(() => former.api);

/** `npm run release`, as an operator calls it. */
const release = (...words: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [compiledScript('commands/release.js'), ...words],
      { env: { ...process.env, ...servers.env } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? 1, stdout, stderr }),
    );
  });

let ingestions = 0;
async function startIngestion(): Promise<string> {
  const response = await fetch(`${former.api}/data/uploads?format=csv`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: 'id,load\n1,0.5\n2,0.7\n',
  });
  const { source } = (await response.json()) as { source: string };
  return api.postUntilAccepted('/data/ingest', { source, data_type: 'loads' }, `ingest-${++ingestions}`);
}

/** The builds that have worked at a job: at the workflow, and at its steps. */
async function buildsOf(job: string): Promise<string[]> {
  const { events } = await client.workflow.getHandle(job).fetchHistory();
  const builds = (events ?? []).flatMap(({ workflowTaskCompletedEventAttributes: task }) =>
    task ? [task.deploymentVersion?.buildId ?? 'none'] : [],
  );
  return [...new Set(builds)];
}

const releaseHealth = async () => {
  const { body } = await api.call<{ dependencies: Record<string, { status: string; error?: string }> }>(
    'GET',
    '/health',
  );
  return body.dependencies['worker_release'];
};

beforeAll(async () => {
  servers = await startSharedServers();
  connection = await Connection.connect({ address: servers.temporalAddress });
  client = new Client({ connection });
  former = await Machine.start({ ...servers.env, WORKER_BUILD_ID: 'v1.0.0' });
});
afterAll(async () => {
  await Promise.all([former?.stop(), next?.stop()]);
  await connection?.close();
  await servers?.stop();
});

describe('workers with build ids', () => {
  let underWay: string;

  it('get nothing before a build is current, and health and the command say so', async () => {
    underWay = await startIngestion();
    await client.workflow.getHandle(underWay).signal('pause');
    expect(await release('show')).toMatchObject({ code: 1 });
    await expect.poll(releaseHealth, { timeout: 20_000 }).toMatchObject({
      status: 'down',
      error: expect.stringMatching(/no build of the deployment mlops is current.*npm run release -- current BUILD/),
    });
    const { body } = await api.call('GET', `/jobs/${underWay}`);
    expect(body).toMatchObject({ status: 'queued' });
    expect(await buildsOf(underWay)).toEqual([]);
  });

  it('get all workflows once their build is current, however often that is said', async () => {
    for (let time = 0; time < 2; time++) {
      const answer = await release('current', 'v1.0.0');
      expect(answer, answer.stderr).toMatchObject({ code: 0 });
      expect(JSON.parse(answer.stdout)).toMatchObject({
        current: 'v1.0.0',
        builds: [{ build_id: 'v1.0.0', state: 'current', workers: { pipeline: 1, training: 1 } }],
      });
    }
    expect(await api.waitForJob(await startIngestion())).toMatchObject({ status: 'completed' });
    await expect.poll(releaseHealth, { timeout: 20_000 }).toMatchObject({ status: 'up' });
    await expect.poll(() => buildsOf(underWay), { timeout: 20_000 }).toEqual(['v1.0.0']);
  });

  it('keep a workflow that is under way when the next build becomes current, while new ones go to that', async () => {
    const early = await release('current', 'v2.0.0', '--wait', '0');
    expect(early).toMatchObject({ code: 1 });
    expect(early.stderr).toMatch(/No worker of the build v2.0.0 polls .*training.*WORKER_BUILD_ID=v2.0.0/);

    next = await Machine.start({ ...servers.env, WORKER_BUILD_ID: 'v2.0.0' });
    const waiting = await startIngestion();
    await api.waitForJob(waiting);
    expect(await buildsOf(waiting)).toEqual(['v1.0.0']);

    expect(JSON.parse((await release('ramp', 'v2.0.0', '--percent', '25')).stdout)).toMatchObject({
      current: 'v1.0.0',
      ramping: { build_id: 'v2.0.0', percent: 25 },
    });
    const { stdout } = await release('current', 'v2.0.0');
    const { builds, ramping } = JSON.parse(stdout) as { builds: { build_id: string; state: string }[]; ramping: null };
    expect(ramping).toBeNull();
    expect(builds).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ build_id: 'v2.0.0', state: 'current' }),
        expect.objectContaining({ build_id: 'v1.0.0', state: 'draining' }),
      ]),
    );
    const fresh = await startIngestion();
    expect(await api.waitForJob(fresh)).toMatchObject({ status: 'completed' });
    expect(await buildsOf(fresh)).toEqual(['v2.0.0']);

    await client.workflow.getHandle(underWay).signal('resume');
    expect(await api.waitForJob(underWay)).toMatchObject({ status: 'completed' });
    expect(await buildsOf(underWay)).toEqual(['v1.0.0']);
    // Nothing is under way on it any more: its workers may be stopped.
    const stateOfFormer = async () => {
      const { builds } = JSON.parse((await release('show')).stdout) as {
        builds: { build_id: string; state: string }[];
      };
      return builds.find(({ build_id: id }) => id === 'v1.0.0')?.state;
    };
    await expect.poll(stateOfFormer, { timeout: 60_000, interval: 500 }).toBe('drained');
  });

  it('get no new workflow once they are turned off, and workers without a build id do', async () => {
    const off = await release('off');
    expect(off, off.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(off.stdout)).toMatchObject({ current: null, ramping: null });
    expect(await release('show')).toMatchObject({ code: 1 });
    const waiting = await startIngestion();
    expect((await api.call('GET', `/jobs/${waiting}`)).body).toMatchObject({ status: 'queued' });
    // The same machine, as it is started without WORKER_BUILD_ID.
    await next.stopPart('pipeline-worker');
    await next.startPart('pipeline-worker', { WORKER_BUILD_ID: '' });
    expect(await api.waitForJob(waiting)).toMatchObject({ status: 'completed' });
    expect(await buildsOf(waiting)).toEqual(['none']);
    expect(await release('off')).toMatchObject({ code: 0 });
  });

  it('are told apart by a usage where the command is not complete', async () => {
    expect((await release('current')).stderr).toMatch(/^Usage: npm run release/);
    expect((await release('ramp', 'v2.0.0', '--percent', '140')).stderr).toMatch(
      /--percent must be a number from 0 to 100/,
    );
  });
});
