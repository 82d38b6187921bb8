import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../services/config.js';

const DATABASE_URL = 'postgresql://u:p@127.0.0.1/db';
const load = (more: Record<string, string | undefined> = {}) => loadConfig({ DATABASE_URL, ...more });

describe('the settings', () => {
  it('have the documented defaults', () => {
    expect(load({ STATE_DIR: '/state' })).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      temporal: { address: '127.0.0.1:7233', namespace: 'default', tls: false },
      modelStoragePath: '/state/models',
      dataStoragePath: '/state/data',
      maxTrainingTimeSeconds: 3600,
      maxConcurrentJobs: 5,
      predictionCacheTtlSeconds: 300,
      logLevel: 'info',
    });
  });

  it('an empty variable counts as not set, and lists of folders are split', () => {
    expect(load({ PORT: '', LOG_LEVEL: 'warning' })).toMatchObject({ port: 8080, logLevel: 'warn' });
    expect(load({ DATA_SOURCE_ROOTS: '/a:/b::' }).dataSourceRoots).toEqual(['/a', '/b']);
    expect(load({ PREDICTION_CACHE_TTL: '0' }).predictionCacheTtlSeconds).toBe(0);
  });

  it('have no build of the workers unless one is named, and refuse names that Temporal does not take', () => {
    expect(load().workerRelease).toBeUndefined();
    expect(load({ WORKER_BUILD_ID: 'v1.4.0' }).workerRelease).toEqual({ deploymentName: 'mlops', buildId: 'v1.4.0' });
    expect(() => load({ WORKER_BUILD_ID: 'a b' })).toThrow(/WORKER_BUILD_ID="a b": must be of letters/);
    expect(() => load({ WORKER_DEPLOYMENT_NAME: 'ml.ops' })).toThrow(/WORKER_DEPLOYMENT_NAME="ml.ops"/);
    expect(() => load({ MODEL_STORAGE_PATH: 's3://Bad_Bucket/x' })).toThrow(
      /MODEL_STORAGE_PATH=.*s3:\/\/bucket\/mlops/,
    );
  });

  it('are refused all at once, each with its name, its value and what it may be', () => {
    const wrong = {
      PORT: '80a',
      MAX_TRAINING_TIME: '0',
      MAX_CONCURRENT_JOBS: '-1',
      LOG_LEVEL: 'LOUD',
      TEMPORAL_TLS: 'maybe',
    };
    let message = '';
    try {
      load(wrong);
    } catch (error) {
      message = (error as Error).message;
    }
    for (const [name, value] of Object.entries(wrong)) expect(message).toContain(`${name}=${JSON.stringify(value)}`);
  });

  it('without authentication allow loopback only', () => {
    for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) expect(load({ HOST }).host).toBe(HOST);
    for (const HOST of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.evil.org', '128.0.0.1'])
      expect(() => load({ HOST }), HOST).toThrow(/loopback/);
  });

  it('need a database, and turn TLS on for an API key', () => {
    expect(() => loadConfig({})).toThrow(/DATABASE_URL is not set/);
    expect(load({ TEMPORAL_API_KEY: 'k' }).temporal.tls).toBe(true);
  });

  it('compile fail points in for tests only', () => {
    expect(load({ FAILPOINT: 'x' }).failPoint).toBeUndefined();
    expect(load({ FAILPOINT: 'x', NODE_ENV: 'test' }).failPoint).toBe('x');
  });
});
