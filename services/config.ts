import { availableParallelism, totalmem } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { alertEnvironment, toAlertSettings, type AlertSettings } from './alerts/alert-settings.js';
import { authEnvironment, isLoopback, readAuthSettings, type AuthSettings } from './auth/auth-settings.js';
import { encryptionEnvironment } from './encryption/encryption-settings.js';
import type { S3Settings } from './network/s3-client.js';
import type { TlsFiles } from './network/tls-files.js';
import { readTlsSettings, tlsEnvironment, type TlsSettings } from './network/tls-settings.js';
import { readReleaseSettings, releaseEnvironment, type ReleaseSettings } from './pipelines/release-settings.js';
import { routeRates } from './limits/route-rates.js';
import { LOG_LEVELS } from '../core/schemas/log-level.js';
import { projectRoot } from './project-root.js';
import { readStepCacheSettings, stepCacheEnvironment } from './training/step-cache-settings.js';
import { whole } from './whole.js';
import { toUploadSettings, uploadEnvironment, type UploadSettings } from './uploads/upload-settings.js';
import { readStorageSettings, storageEnvironment, type StorageSettings } from './storage/storage-settings.js';

const flag = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false', '1', '0'])
    .default(fallback)
    .transform((value) => value === 'true' || value === '1');

const hosts = () =>
  z
    .string()
    .default('')
    .transform((value) =>
      value
        .toLowerCase()
        .split(',')
        .map((host) => host.trim())
        .filter(Boolean),
    );

/** Every variable that the service reads: its type, default and meaning. Nothing else reads `process.env`. */
export const environmentSchema = z.object({
  HOST: z.string().default('127.0.0.1').describe('Address that the API listens on'),
  PORT: whole(8080, 0, 65_535).describe('Port that the API listens on; 0 takes a free one'),
  GRPC_PORT: whole(0, 0, 65_535).describe('Port of the Open Inference Protocol over gRPC; 0 leaves it off'),
  ...authEnvironment,
  CORS_ORIGINS: hosts().describe(
    'Origins, separated by commas, such as https://console.example.com, whose pages may call the API from a browser; none without it',
  ),
  STATE_DIR: z.string().default('.state').describe('Folder for all that the embedded stack keeps'),
  DATABASE_URL: z.string().optional().describe('PostgreSQL; the embedded one when `npm start` starts it'),
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233').describe('Temporal front end, host:port'),
  TEMPORAL_NAMESPACE: z.string().default('default').describe('Temporal namespace'),
  TEMPORAL_API_KEY: z.string().optional().describe('API key of Temporal Cloud; turns TLS on'),
  TEMPORAL_TLS: flag('false').describe('Use TLS to Temporal'),
  ...tlsEnvironment,
  ...encryptionEnvironment,
  TEMPORAL_UI_URL: z.string().optional().describe('Address of the Temporal Web UI, for links'),
  API_BASE_URL: z.string().optional().describe('Where workers reach the API to read a served version back'),
  ...storageEnvironment,
  ...releaseEnvironment,
  DATA_SOURCE_ROOTS: z.string().optional().describe('Folders that file sources may name, separated by `:`'),
  MODELS_CONFIG: z.string().optional().describe('The models file; models/config.yaml'),
  INGEST_CONCURRENCY: whole(2, 1, 64).describe(
    'Slices of a source that one worker reads at a time; each takes a core and up to 200 MiB',
  ),
  INGEST_SLICE_MB: whole(64, 1, 1024).describe('MiB of a source that are read and checked as one piece'),
  MAX_SOURCE_GB: whole(100, 1, 100_000).describe('GiB that one part of a source may have when it is unpacked'),
  MAX_TRAINING_TIME: whole(3600, 1, 7 * 86_400).describe('Seconds that one fit may take'),
  MAX_CONCURRENT_JOBS: whole(5, 1, 256).describe('Training jobs at once on one worker'),
  TRAINING_MEMORY_MB: whole(4096, 128, 1_048_576).describe('Memory that one fit may use, in MiB'),
  TRAINING_MEMORY_TOTAL_MB: whole(0, 0, 16_777_216).describe(
    'Memory that the trials of searches may use together on one worker, in MiB; 0 takes three quarters of the machine’s',
  ),
  ...stepCacheEnvironment,
  TRAINING_THREADS: whole(1, 1, 64).describe(
    'Threads that a fit of boosted trees may use; the model is the same to the bit, and several jobs side by side use the cores better',
  ),
  AUTO_ML_ENABLED: flag('true').describe(
    'A model whose entry names no algorithm gets the best of several, from 1,000 rows on by a search; otherwise a random forest',
  ),
  GPU_ENABLED: flag('false').describe(
    'Train networks on a GPU where one is found; `npm run tensorflow:native -- --gpu` builds what that needs',
  ),
  PREDICTION_CACHE_TTL: whole(300, 0, 86_400).describe(
    'Seconds that a prediction may be answered again; 0 turns it off',
  ),
  API_WORKERS: whole(0, 0, 256).describe(
    'Processes that answer requests on the one port; 0 takes half of the cores, and at least one',
  ),
  PREDICTION_SPOOL_MB: whole(1024, 16, 1_048_576).describe(
    'MiB on disk, for each API process, that predictions may take while the database is away; beyond it the oldest are given up, and counted',
  ),
  PREDICTION_RETENTION_DAYS: whole(400, 0, 36_500).describe(
    'Days that logged predictions and outcomes are kept; 0 keeps them for ever',
  ),
  JOB_LOG_DAYS: whole(30, 1, 36_500).describe('Days that the lines which jobs have logged are kept'),
  MAX_REQUEST_WAIT: whole(500, 0, 60_000).describe(
    'Milliseconds that a request may have waited for its turn; later ones are answered 429 at once. 0 turns this off',
  ),
  RATE_LIMIT: whole(0, 0, 1_000_000).describe(
    'Requests a second that one caller (one client address, of callers without a name) may send to all API processes; 0 is no limit. They count together over REDIS_URL; without it each of API_WORKERS has its share',
  ),
  RATE_LIMIT_ROUTES: routeRates,
  MAX_CONNECTIONS: whole(1000, 0, 100_000).describe(
    'Connections that each API process holds open; more are turned away, after idle ones were closed; 0 is no limit',
  ),
  SHUTDOWN_DELAY: whole(0, 0, 300).describe(
    'Seconds that the API goes on answering after SIGTERM, not ready any more, so that a load balancer can take it out first',
  ),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\/\S+$/, 'must begin with redis:// or rediss://')
    .optional()
    .describe('Redis, for a cache of predictions that all processes share; without it each has its own'),
  WEBHOOK_ALLOWED_HOSTS: hosts().describe(
    'Hosts, separated by commas, that webhooks may reach in a private network and over http; without it only public addresses over https',
  ),
  ...alertEnvironment,
  SOURCE_ALLOWED_HOSTS: hosts().describe(
    'Hosts, separated by commas, that https:// sources may reach in a private network and over http; without it only public addresses over https',
  ),
  SOURCE_SECRETS_FILE: z
    .string()
    .optional()
    .describe('YAML file of the named secrets of sources: `name: {value, hosts}`; read at each use'),
  SOURCE_CA_FILE: z
    .string()
    .optional()
    .describe('PEM file of further certificate authorities for postgresql:// and https:// sources'),
  SOURCE_MAX_MB: whole(10_240, 1, 16_777_216).describe(
    'MiB, unpacked, that one download of an https:// source may have',
  ),
  S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address of an S3-compatible store; Amazon S3 without it'),
  S3_REGION: z.string().default('us-east-1').describe('Region of the S3 store'),
  S3_ACCESS_KEY_ID: z.string().optional().describe('Access key for s3:// sources and for files kept in the S3 store'),
  S3_SECRET_ACCESS_KEY: z.string().optional().describe('Secret of the access key'),
  ...uploadEnvironment,
  EVENT_SPOOL_MB: whole(4096, 16, 1_048_576).describe(
    'MiB on disk, for each API process, that events may take until they are in the database; beyond it more are answered 503',
  ),
  EVENT_RETENTION_DAYS: whole(400, 0, 36_500).describe(
    'Days that events, and with them what is known of their ids, are kept in the database; 0 keeps them for ever',
  ),
  MLFLOW_TRACKING_URI: z
    .string()
    .regex(/^https?:\/\/[^\s/@]+(\/\S*)?$/, 'must begin with http:// or https:// and hold no password')
    .optional()
    .describe('MLflow server that runs, versions and aliases are mirrored to, and that models can be imported from'),
  MLFLOW_TRACKING_TOKEN: z.string().optional().describe('Bearer token for the MLflow server'),
  WORKER_METRICS_HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address on which a worker tells its metrics; the API of the same machine tells them, too'),
  WORKER_METRICS_PORT: whole(0, 0, 65_535).describe(
    'Port on which a worker tells its metrics, for a Prometheus that asks it directly; 0 takes a free one',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('OpenTelemetry collector that traces are sent to, over HTTP; without it none are made'),
  LOG_LEVEL: z
    .string()
    .default('INFO')
    .transform((value) => (value.toUpperCase() === 'WARNING' ? 'WARN' : value.toUpperCase()))
    .pipe(z.enum(LOG_LEVELS))
    .describe('TRACE, DEBUG, INFO, WARN, ERROR or FATAL'),
  NODE_ENV: z.string().optional().describe('`test` compiles the fail points in'),
  FAILPOINT: z.string().optional().describe('Tests only: the process kills itself when it reaches this point'),
});

/** What sources may reach and take. */
export interface SourceSettings {
  /** Lower case. */
  allowedHosts: readonly string[];
  secretsFile?: string;
  caFile?: string;
  maxBytes: number;
  s3: S3Settings;
  eventSpoolBytes: number;
  /** 0 = for ever. */
  eventRetentionDays: number;
}

/** The settings of one process, checked and completed. */
export interface Config extends StorageSettings {
  host: string;
  port: number;
  /** 0 = no gRPC. */
  grpcPort: number;
  /** Undefined = callers need no token, and the API is on loopback. */
  auth?: AuthSettings;
  /** Lower case. */
  corsOrigins: readonly string[];
  stateDir: string;
  databaseUrl: string;
  tls: TlsSettings;
  temporal: {
    address: string;
    namespace: string;
    apiKey?: string;
    tls: boolean;
    tlsFiles: TlsFiles;
    /** That its certificate must have; that of the address without it. */
    tlsServerName?: string;
    uiUrl?: string;
    /** The first one writes; absent, Temporal keeps what it is given. */
    encryptionKeys?: readonly { id: string; key: Buffer }[];
  };
  apiBaseUrl: string;
  ingestConcurrency: number;
  ingestSliceBytes: number;
  maxSourceBytes: number;
  dataSourceRoots: readonly string[];
  modelsConfigPath: string;
  maxTrainingTimeSeconds: number;
  maxConcurrentJobs: number;
  trainingMemoryMb: number;
  trainingMemoryTotalMb: number;
  stepCache: ReturnType<typeof readStepCacheSettings>;
  trainingThreads: number;
  autoMl: boolean;
  gpuEnabled: boolean;
  predictionCacheTtlSeconds: number;
  redisUrl?: string;
  apiWorkers: number;
  predictionSpoolMegabytes: number;
  /** 0 = for ever. */
  predictionRetentionDays: number;
  /** 0 = however long. */
  maxRequestWaitMs: number;
  /** Requests a second; 0 = no limit. */
  rateLimit: number;
  /** Requests a minute, by method and path. */
  routeRates: ReadonlyMap<string, number>;
  maxConnections: number;
  shutdownDelaySeconds: number;
  /** Lower case. */
  webhookAllowedHosts: readonly string[];
  alerts: AlertSettings;
  sources: SourceSettings;
  uploads: UploadSettings;
  /** Undefined = nothing is mirrored. */
  mlflow?: { server: string; token?: string };
  jobLogDays: number;
  workerDeploymentName: string;
  /** Undefined = workflows go to any worker. */
  workerRelease?: ReleaseSettings;
  /** Without its path; undefined = nothing is traced. */
  traceEndpoint?: string;
  workerMetrics: { host: string; port: number };
  logLevel: string;
  failPoint?: string;
}

/** Settings whose value is never shown. */
const SECRET = /KEYS?$|SECRET|TOKEN|PASSWORD|DATABASE_URL|REDIS_URL/;

/**
 * Reads and checks the environment, once per process.
 * @throws Error that lists every variable that is wrong, what it was and what it may be.
 */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const problems: string[] = [];
  const parsed = environmentSchema.safeParse(present);
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0]);
    // A key with one letter too many is still a secret, so is what reaches a receiver of alerts, and this message ends in logs.
    const isSecret = SECRET.test(name) || Object.hasOwn(alertEnvironment, name);
    problems.push(`${name}${isSecret ? '' : `=${JSON.stringify(present[name])}`}: ${issue.message}.`);
  }
  if (parsed.data && !parsed.data.DATABASE_URL) {
    problems.push(
      'DATABASE_URL is not set. Give a PostgreSQL connection string, or run `npm start`, which brings its own.',
    );
  }
  if (parsed.data && parsed.data.ALERT_EMAIL_TO.length > 0 && !parsed.data.SMTP_URL)
    problems.push('ALERT_EMAIL_TO is set, but SMTP_URL is not: say which mail server sends alerts.');
  const stateDir = absolutePath(parsed.data?.STATE_DIR ?? '');
  const storage = parsed.data && readStorageSettings(parsed.data, { stateDir, absolutePath }, problems);
  const auth = parsed.data && readAuthSettings(parsed.data, problems);
  const tls = parsed.data && readTlsSettings(parsed.data, absolutePath, problems);
  if (parsed.data && !auth && !isLoopback(parsed.data.HOST)) {
    problems.push(
      `HOST=${parsed.data.HOST}: without authentication the API listens on loopback only, as everybody who reaches it may do everything. ` +
        'Set AUTH_JWKS_URL (or AUTH_PUBLIC_KEY) with AUTH_ISSUER and AUTH_AUDIENCE, or AUTH_REQUIRED=true for service tokens alone; or use 127.0.0.1, ::1 or localhost.',
    );
  }
  if (!parsed.success || problems.length > 0) {
    throw new Error(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
  return toConfig(parsed.data, { tls: tls!, auth, storage: storage! });
}

/** Of this machine, or of the container it is. */
const availableMemory = () => Math.min(totalmem(), process.constrainedMemory() || Infinity);

const absolutePath = (path: string) => (isAbsolute(path) ? path : resolve(projectRoot(), path));

function toConfig(
  env: z.output<typeof environmentSchema>,
  { tls, auth, storage }: { tls: TlsSettings; auth?: AuthSettings; storage: StorageSettings },
): Config {
  const stateDir = absolutePath(env.STATE_DIR);
  const roots = env.DATA_SOURCE_ROOTS?.split(':').filter(Boolean) ?? [
    join(projectRoot(), 'data', 'samples'),
    join(stateDir, 'demo'),
  ];
  return {
    host: env.HOST,
    port: env.PORT,
    grpcPort: env.GRPC_PORT,
    ...(auth ? { auth } : {}),
    corsOrigins: env.CORS_ORIGINS,
    stateDir,
    databaseUrl: env.DATABASE_URL ?? '',
    tls,
    temporal: {
      address: env.TEMPORAL_ADDRESS,
      namespace: env.TEMPORAL_NAMESPACE,
      apiKey: env.TEMPORAL_API_KEY,
      tls: env.TEMPORAL_TLS || Boolean(env.TEMPORAL_API_KEY ?? env.TEMPORAL_TLS_CA ?? env.TEMPORAL_TLS_CERT),
      tlsFiles: { ca: env.TEMPORAL_TLS_CA, cert: env.TEMPORAL_TLS_CERT, key: env.TEMPORAL_TLS_KEY },
      tlsServerName: env.TEMPORAL_TLS_SERVER_NAME,
      uiUrl: env.TEMPORAL_UI_URL,
      encryptionKeys: env.ENCRYPTION_KEYS,
    },
    apiBaseUrl:
      env.API_BASE_URL ??
      `${tls.server ? 'https' : 'http'}://${env.HOST.includes(':') ? `[${env.HOST}]` : env.HOST}:${env.PORT}`,
    ...storage,
    dataSourceRoots: roots.map(absolutePath),
    modelsConfigPath: absolutePath(env.MODELS_CONFIG ?? 'models/config.yaml'),
    ingestConcurrency: env.INGEST_CONCURRENCY,
    ingestSliceBytes: env.INGEST_SLICE_MB * 2 ** 20,
    maxSourceBytes: env.MAX_SOURCE_GB * 2 ** 30,
    maxTrainingTimeSeconds: env.MAX_TRAINING_TIME,
    maxConcurrentJobs: env.MAX_CONCURRENT_JOBS,
    trainingMemoryMb: env.TRAINING_MEMORY_MB,
    trainingMemoryTotalMb: env.TRAINING_MEMORY_TOTAL_MB || Math.floor((0.75 * availableMemory()) / 2 ** 20),
    stepCache: readStepCacheSettings(env),
    trainingThreads: env.TRAINING_THREADS,
    autoMl: env.AUTO_ML_ENABLED,
    gpuEnabled: env.GPU_ENABLED,
    predictionCacheTtlSeconds: env.PREDICTION_CACHE_TTL,
    redisUrl: env.REDIS_URL,
    apiWorkers: env.API_WORKERS || Math.max(1, Math.floor(availableParallelism() / 2)),
    predictionSpoolMegabytes: env.PREDICTION_SPOOL_MB,
    predictionRetentionDays: env.PREDICTION_RETENTION_DAYS,
    maxRequestWaitMs: env.MAX_REQUEST_WAIT,
    rateLimit: env.RATE_LIMIT,
    routeRates: env.RATE_LIMIT_ROUTES,
    maxConnections: env.MAX_CONNECTIONS,
    shutdownDelaySeconds: env.SHUTDOWN_DELAY,
    webhookAllowedHosts: env.WEBHOOK_ALLOWED_HOSTS,
    alerts: toAlertSettings(env),
    sources: toSourceSettings(env),
    uploads: toUploadSettings(env),
    ...(env.MLFLOW_TRACKING_URI
      ? { mlflow: { server: env.MLFLOW_TRACKING_URI, token: env.MLFLOW_TRACKING_TOKEN } }
      : {}),
    jobLogDays: env.JOB_LOG_DAYS,
    workerDeploymentName: env.WORKER_DEPLOYMENT_NAME,
    workerRelease: readReleaseSettings(env),
    traceEndpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    workerMetrics: { host: env.WORKER_METRICS_HOST, port: env.WORKER_METRICS_PORT },
    logLevel: env.LOG_LEVEL.toLowerCase(),
    failPoint: env.NODE_ENV === 'test' ? env.FAILPOINT : undefined,
  };
}

function toSourceSettings(env: z.output<typeof environmentSchema>): SourceSettings {
  const path = (value: string | undefined) => (value === undefined ? undefined : absolutePath(value));
  return {
    allowedHosts: env.SOURCE_ALLOWED_HOSTS,
    secretsFile: path(env.SOURCE_SECRETS_FILE),
    caFile: path(env.SOURCE_CA_FILE),
    maxBytes: env.SOURCE_MAX_MB * 2 ** 20,
    s3: {
      endpoint: env.S3_ENDPOINT,
      region: env.S3_REGION,
      accessKeyId: env.S3_ACCESS_KEY_ID,
      secretAccessKey: env.S3_SECRET_ACCESS_KEY,
    },
    eventSpoolBytes: env.EVENT_SPOOL_MB * 2 ** 20,
    eventRetentionDays: env.EVENT_RETENTION_DAYS,
  };
}
