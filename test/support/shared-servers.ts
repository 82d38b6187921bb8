import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../infra/local/free-port.js';
import { resolveTemporalBinary } from '../../infra/local/temporal-binary.js';
import { spawnTemporal, waitForTemporal } from '../../infra/local/temporal-server.js';
import { MigratedDatabase } from './migrated-database.js';
import { hasRedis, RedisServer } from './redis-server.js';
import { S3_KEYS, startS3Server } from './s3-server.js';

const BUCKET = 'mlops';

/** What all machines of an installation share: PostgreSQL, Temporal, an S3-compatible store and, where there is one, Redis. */
export async function startSharedServers() {
  const database = await MigratedDatabase.start();
  const server = {
    binary: await resolveTemporalBinary(() => undefined),
    stateDir: database.folder,
    port: await freePort(),
    uiPort: await freePort(),
    namespace: 'default',
  };
  mkdirSync(join(database.folder, 'logs'), { recursive: true });
  const temporal = spawnTemporal(server, join(database.folder, 'logs', 'temporal.log'));
  const [s3, redis] = await Promise.all([
    startS3Server(BUCKET),
    hasRedis() ? RedisServer.start() : undefined,
    waitForTemporal(server, () => temporal.exitCode !== null),
  ]);
  const temporalAddress = `127.0.0.1:${server.port}`;
  return {
    temporalAddress,
    databaseUrl: database.url,
    /** How processes reach them. */
    env: {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: temporalAddress,
      ...(redis ? { REDIS_URL: redis.url() } : {}),
      S3_ENDPOINT: s3.endpoint,
      S3_ACCESS_KEY_ID: S3_KEYS.accessKeyId,
      S3_SECRET_ACCESS_KEY: S3_KEYS.secretAccessKey,
      MODEL_STORAGE_PATH: `s3://${BUCKET}/mlops`,
      DATA_STORAGE_PATH: `s3://${BUCKET}/mlops`,
      DATA_SOURCE_ROOTS: '',
      MODELS_CONFIG: '',
    } satisfies Record<string, string> as Record<string, string>,
    keys: () => s3.list(),
    async stop() {
      temporal.kill('SIGKILL');
      await once(temporal, 'exit');
      await redis?.kill9();
      s3.stop();
      await database.stop();
    },
  };
}
