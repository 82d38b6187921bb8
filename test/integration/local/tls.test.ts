import { execFileSync, execFile } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Connection } from '@temporalio/client';
import { Agent, fetch as fetchWith } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../infra/local/embedded-postgres.js';
import { freePort } from '../../../infra/local/free-port.js';
import { LocalStack } from '../../../infra/local/local-stack.js';
import { runSilently } from '../../../infra/local/progress-lines.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { spawnTemporal, waitForTemporal } from '../../../infra/local/temporal-server.js';
import { TestAuthority, type CertificateFiles } from '../../../infra/local/test-authority.js';
import { openDatabase } from '../../../services/database/database.js';
import { createRedisClient } from '../../../services/network/redis-client.js';
import { connectionOptions } from '../../../services/pipelines/temporal-client.js';
import { queryDatabase } from '../../support/query-database.js';
import { hasRedis, RedisServer } from '../../support/redis-server.js';
import { startTlsProxy } from '../../support/tls-proxy.js';
import { eventually } from '../api/support/service.js';
import { learnableTable } from '../api/support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;
const run = promisify(execFile);

interface World {
  folder: string;
  api: string;
  postgresUrl: URL;
  temporalPort: number;
  redis: RedisServer | undefined;
  grpcPort: number;
}
const certificates: Record<'server' | 'elsewhere' | 'worker' | 'stale' | 'foreign', CertificateFiles> = {} as never;
const world = {} as World;
const ends: (() => unknown)[] = [];

/** Everything of the service in front of servers that speak TLS only and take nobody without a certificate. */
beforeAll(async () => {
  world.folder = mkdtempSync(join(tmpdir(), 'mlops-tls-'));
  ends.push(() => rmSync(world.folder, { recursive: true, force: true }));
  await makeCertificates(join(world.folder, 'tls'));
  await Promise.all([startPostgres(), startTemporal(), startRedis()]);
  await startService();
});
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

async function makeCertificates(folder: string): Promise<void> {
  const authority = await TestAuthority.create(folder);
  const hosts = ['127.0.0.1', 'localhost'];
  certificates.server = await authority.issue({ name: 'server', hosts });
  certificates.elsewhere = await authority.issue({ name: 'elsewhere', hosts: ['elsewhere.example'] });
  certificates.worker = await authority.issue({ name: 'worker' });
  certificates.stale = await authority.issue({ name: 'stale', hosts, until: new Date(Date.now() - 60_000) });
  certificates.foreign = await (await TestAuthority.create(folder, 'other')).issue({ name: 'foreign', hosts });
}

async function startPostgres(): Promise<void> {
  const stateDir = join(world.folder, 'postgres-state');
  const server = await startEmbeddedPostgres({ stateDir });
  ends.push(() => server.stop());
  const [row] = await queryDatabase<{ data_directory: string }>(server.url, 'SHOW data_directory');
  const at = (name: string) => join(row!.data_directory, name);
  const owner = statSync(row!.data_directory);
  const { ca, cert, key } = certificates.server;
  for (const [from, name] of [
    [cert, 'server.crt'],
    [key, 'server.key'],
    [ca, 'root.crt'],
  ] as const) {
    copyFileSync(from, at(name));
    execFileSync('chmod', ['600', at(name)]);
    chownSync(at(name), owner.uid, owner.gid);
  }
  await queryDatabase(server.url, 'ALTER SYSTEM SET ssl = on');
  await queryDatabase(server.url, "ALTER SYSTEM SET ssl_ca_file = 'root.crt'");
  writeFileSync(at('pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n');
  await queryDatabase(server.url, 'SELECT pg_reload_conf()');
  world.postgresUrl = new URL(server.url);
}

async function startTemporal(): Promise<void> {
  const [port, uiPort] = [await freePort(), await freePort()];
  const server = {
    binary: await resolveTemporalBinary(() => undefined),
    stateDir: join(world.folder, 'temporal-state'),
    port,
    uiPort,
    namespace: 'default',
  };
  const child = spawnTemporal(server, join(world.folder, 'temporal.log'));
  ends.push(() => child.kill('SIGKILL'));
  await waitForTemporal(server, () => child.exitCode !== null);
  const proxy = await startTlsProxy(certificates.server, port);
  ends.push(() => proxy.stop());
  world.temporalPort = proxy.port;
}

async function startRedis(): Promise<void> {
  if (!hasRedis()) return;
  const redis = await RedisServer.start(certificates.server);
  ends.push(() => redis.kill9());
  world.redis = redis;
}

const postgresUrl = ({ ca, cert, key }: Partial<CertificateFiles>, host = '127.0.0.1') => {
  const url = new URL(world.postgresUrl);
  url.hostname = host;
  const files = { sslrootcert: ca, sslcert: cert, sslkey: key };
  url.searchParams.set('sslmode', 'verify-full');
  for (const [name, path] of Object.entries(files)) if (path !== undefined) url.searchParams.set(name, path);
  return url.href;
};

async function startService(): Promise<void> {
  const inbox = join(world.folder, 'inbox');
  execFileSync('mkdir', ['-p', inbox]);
  writeFileSync(join(inbox, 'customers.csv'), learnableTable(300));
  writeFileSync(join(inbox, 'config.yaml'), MODELS);
  const { server, worker } = certificates;
  world.grpcPort = await freePort();
  const stateDir = join(world.folder, 'state');
  const own = { ca: server.ca, cert: worker.cert, key: worker.key };
  const files = (prefix: string) => ({
    [`${prefix}_CA`]: own.ca,
    [`${prefix}_CERT`]: own.cert,
    [`${prefix}_KEY`]: own.key,
  });
  const stack = new LocalStack({
    stateDir,
    port: 0,
    external: { databaseUrl: postgresUrl(own), temporalAddress: `127.0.0.1:${world.temporalPort}` },
    env: {
      ...{ MODEL_STORAGE_PATH: '', DATA_STORAGE_PATH: '', MODELS_CONFIG: join(inbox, 'config.yaml') },
      ...{ DATA_SOURCE_ROOTS: inbox, AUTO_ML_ENABLED: 'false', GRPC_PORT: String(world.grpcPort) },
      ...{ TLS_CERT_FILE: server.cert, TLS_KEY_FILE: server.key, TLS_CLIENT_CA_FILE: server.ca },
      ...files('API_TLS'),
      ...files('TEMPORAL_TLS'),
      ...(world.redis ? { REDIS_URL: world.redis.url(), ...files('REDIS_TLS') } : {}),
    },
  });
  ends.push(async () => {
    await stack.stop();
    deleteStateFolder(stateDir);
  });
  world.api = (await stack.start(runSilently)).api;
}

/** One call by whoever has these files; another connection each time. */
async function call(path: string, files: Partial<CertificateFiles>, body?: unknown, base = world.api) {
  const connect = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, readFileSync(file)]));
  const agent = new Agent({ connect });
  try {
    const response = await fetchWith(base + path, {
      dispatcher: agent,
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      body: (/^[{[]/.test(text) ? JSON.parse(text) : {}) as Record<string, never>,
    };
  } catch (error) {
    throw (error as Error).cause ?? error;
  } finally {
    await agent.close();
  }
}
const asWorker = () => ({ ca: certificates.server.ca, cert: certificates.worker.cert, key: certificates.worker.key });

async function job(path: string, body: object): Promise<void> {
  const started = await call(path, asWorker(), body);
  expect(started.status, started.text).toBe(202);
  const { body: ended } = await eventually(`the end of POST ${path}`, async () => {
    const answer = await call(`/jobs/${String(started.body['job_id'])}`, asWorker());
    return ['completed', 'failed'].includes(answer.body['status']!) ? answer : undefined;
  });
  expect(ended['status'], JSON.stringify(ended['error'])).toBe('completed');
}

it('everything works over TLS with certificates on both sides, and the rollout reads its own API back', async () => {
  await job('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  await job('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
  await job('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  const answer = await call('/predict/customers', asWorker(), { features: { usage: 50, plan: 'pro' } });
  expect(answer.status, answer.text).toBe(200);
  const metrics = await call('/metrics', asWorker());
  expect(metrics.text).toMatch(/mlops_predictions_total/);
  const health = await call('/health', asWorker());
  expect(health.body).toMatchObject({
    dependencies: {
      database: { status: 'up' },
      temporal: { status: 'up' },
      ...(world.redis ? { redis: { status: 'up' } } : {}),
    },
  });
  const [row] = await queryDatabase<{ plain: number }>(
    postgresUrl(asWorker()),
    'SELECT count(*)::int AS plain FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s USING (pid) WHERE a.client_addr IS NOT NULL AND s.ssl IS NOT TRUE',
  );
  expect(row).toEqual({ plain: 0 });
});

describe('the API', () => {
  it('tells a caller without a certificate, with a foreign or an expired one, what is wrong, on the fast path as well', async () => {
    const { ca } = certificates.server;
    const by = (files: Partial<CertificateFiles>) =>
      call('/predict/customers', { ...files, ca }, { features: { usage: 50, plan: 'pro' } });
    for (const [files, said] of [
      [{}, /with a client certificate only/],
      [certificates.foreign, /of another authority/],
      [certificates.stale, /it has expired/],
    ] as const)
      expect(await by(files)).toMatchObject({
        status: 401,
        body: { type: 'urn:problem:certificate_refused', detail: expect.stringMatching(said) as string },
      });
    expect((await call('/health/live', { ca })).status).toBe(200);
    expect((await call('/health', { ca })).status).toBe(401);
  });

  it('is not taken for another one, nor by those who trust another authority, nor without TLS', async () => {
    await expect(call('/health', { ...asWorker(), ca: certificates.foreign.ca })).rejects.toThrow(
      /unable to verify|self-signed/,
    );
    await expect(call('/health', asWorker(), undefined, world.api.replace('127.0.0.1', '127.0.0.2'))).rejects.toThrow();
    await expect(call('/health', asWorker(), undefined, world.api.replace('https', 'http'))).rejects.toThrow();
  });

  it('answers gRPC with the same certificates only', async () => {
    const { inference } = loadPackageDefinition(loadSync('api/grpc/open-inference.proto')) as unknown as {
      inference: { GRPCInferenceService: ServiceClientConstructor };
    };
    const ask = (files: CertificateFiles | undefined) =>
      new Promise((resolve, reject) => {
        const [ca, key, cert] = [certificates.server.ca, files?.key, files?.cert].map(
          (path) => path && readFileSync(path),
        );
        const client = new inference.GRPCInferenceService(
          `127.0.0.1:${world.grpcPort}`,
          credentials.createSsl(ca as Buffer, (key as Buffer) ?? null, (cert as Buffer) ?? null),
        );
        client['ServerLive']!({}, { deadline: Date.now() + 5000 }, (error: Error | null, answer: unknown) => {
          client.close();
          if (error) reject(error);
          else resolve(answer);
        });
      });
    expect(await ask({ ...certificates.worker })).toEqual({ live: true });
    await expect(ask(undefined)).rejects.toThrow();
    await expect(ask(certificates.foreign)).rejects.toThrow();
  });

  it('is reached by the command line with --ca, --client-cert and --client-key, and by the health check of the image', async () => {
    const { ca, cert, key } = asWorker();
    const flags = ['status', '--json', '--url', world.api];
    const mlops = (...more: string[]) => run(process.execPath, ['cli/mlops.mjs', ...flags, ...more]);
    expect((await mlops('--ca', ca, '--client-cert', cert, '--client-key', key)).stdout).toContain('"customers"');
    await expect(mlops()).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/authority that is not trusted here/) as string,
    });
    const env = { ...process.env, PORT: new URL(world.api).port, TLS_CERT_FILE: certificates.server.cert };
    await run(process.execPath, ['infra/docker/check-health.mjs', 'api'], { env });
  });

  it('shows a new certificate without a restart, and keeps the former one where the new one cannot be used', async () => {
    const { server, elsewhere } = certificates;
    const kept = [readFileSync(server.cert), readFileSync(server.key)] as const;
    appendFileSync(server.key, 'no key');
    writeFileSync(server.cert, 'half a certif');
    await new Promise((resolve) => setTimeout(resolve, 6000));
    expect((await call('/health', asWorker())).status).toBe(200);
    copyFileSync(elsewhere.key, server.key);
    copyFileSync(elsewhere.cert, server.cert);
    await eventually('the new certificate', async () => {
      const seen = await call('/health', asWorker()).catch((error: { code?: string }) => error.code);
      return seen === 'ERR_TLS_CERT_ALTNAME_INVALID' || undefined;
    });
    writeFileSync(server.key, kept[1]);
    writeFileSync(server.cert, kept[0]);
    await eventually(
      'the former certificate',
      async () => (await call('/health', asWorker()).catch(() => undefined))?.status === 200 || undefined,
    );
  });
});

describe('what the service relies on', () => {
  const wrong = (): [string, Partial<CertificateFiles>][] => [
    ['another authority', { ...asWorker(), ca: certificates.foreign.ca }],
    ['no certificate', { ca: certificates.server.ca }],
    ['a foreign certificate', { ...certificates.foreign, ca: certificates.server.ca }],
    ['an expired certificate', { ...certificates.stale, ca: certificates.server.ca }],
  ];

  it('PostgreSQL is refused, and refuses, with the reason', async () => {
    const ask = async (files: Partial<CertificateFiles>, host?: string) => {
      const database = openDatabase(postgresUrl(files, host), () => undefined);
      try {
        return await database.prisma.job.count();
      } finally {
        await database.close();
      }
    };
    expect(await ask(asWorker())).toBeGreaterThan(0);
    for (const [what, files] of wrong())
      await expect(ask(files), what).rejects.toThrow(/certificate|self-signed|alert/i);
    await expect(ask(asWorker(), '127.0.0.2'), 'another host').rejects.toThrow();
  });

  it.skipIf(!hasRedis())('Redis is refused, and refuses, with the reason', async () => {
    const ask = async (tls: Partial<CertificateFiles>) => {
      const client = createRedisClient({ url: world.redis!.url(), tls }, { connectMs: 3000, longestWaitMs: 100 });
      let said: Error | undefined;
      const failed = new Promise<never>((_, reject) => client.on('error', (error: Error) => reject((said = error))));
      try {
        await Promise.race([client.connect().then(() => client.ping()), failed]);
        if (said) throw said;
      } finally {
        client.destroy();
      }
    };
    await ask(asWorker());
    for (const [what, files] of wrong())
      await expect(ask(files), what).rejects.toThrow(/certificate|self-signed|alert|closed|REDIS_TLS/i);
  });

  it('Temporal is refused, and refuses', async () => {
    const ask = async (tlsFiles: Partial<CertificateFiles>, tlsServerName?: string) => {
      const address = `127.0.0.1:${world.temporalPort}`;
      const options = connectionOptions({ address, namespace: 'default', tls: true, tlsFiles, tlsServerName });
      const connection = await Connection.connect({ ...options, connectTimeout: '1500 milliseconds' });
      await connection.close();
    };
    await ask(asWorker());
    for (const [what, files] of wrong()) await expect(ask(files), what).rejects.toThrow();
    await expect(ask(asWorker(), 'elsewhere.example'), 'another name').rejects.toThrow();
  });
});
