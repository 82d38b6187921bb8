import { createClient } from '@redis/client';
import { readTlsFiles, type TlsFiles } from './tls-files.js';
import { REDIS_TLS } from './tls-settings.js';

/** Where Redis is, and how it is trusted. */
export interface RedisAddress {
  /** `rediss://` is TLS. */
  url: string;
  tls: TlsFiles;
}

/** A client that is not connected yet, tries again by itself, and holds no command back while it is away. */
export function createRedisClient({ url, tls }: RedisAddress, limits: { connectMs: number; longestWaitMs: number }) {
  return createClient({
    url,
    disableOfflineQueue: true,
    socket: {
      ...(url.startsWith('rediss:') ? { tls: true as const, ...readTlsFiles(tls, REDIS_TLS) } : {}),
      connectTimeout: limits.connectMs,
      reconnectStrategy: (retries: number) => Math.min(limits.longestWaitMs, 100 * 2 ** retries),
    },
  });
}
