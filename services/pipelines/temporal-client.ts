import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../core/names.js';
import { ServiceError } from '../../core/errors.js';
import type { DataConverter } from '@temporalio/common';
import type { Config } from '../config.js';
import { KeyRing } from '../encryption/key-ring.js';
import { createPayloadCodec } from '../encryption/payload-codec.js';
import { readTlsFiles } from '../network/tls-files.js';
import { TEMPORAL_TLS } from '../network/tls-settings.js';
import { compiledScript } from '../project-root.js';
import { tracedClientInterceptors } from '../telemetry/tracing.js';

export type TemporalSettings = Config['temporal'];

/** What a client's and a worker's connection have in common. */
export interface TemporalConnectionOptions {
  address: string;
  apiKey?: string;
  tls?: {
    serverNameOverride?: string;
    serverRootCACertificate?: Buffer;
    clientCertPair?: { crt: Buffer; key: Buffer };
  };
}

/** Address, API key and TLS files as the SDK wants them. @throws Error for files that cannot work */
export function connectionOptions(settings: TemporalSettings): TemporalConnectionOptions {
  const tls = settings.tls && tlsOptions(settings);
  return {
    address: settings.address,
    ...(tls ? { tls } : {}),
    ...(settings.apiKey ? { apiKey: settings.apiKey } : {}),
  };
}

function tlsOptions({ tlsFiles, tlsServerName }: TemporalSettings): TemporalConnectionOptions['tls'] {
  const { ca, cert, key } = readTlsFiles(tlsFiles, TEMPORAL_TLS);
  return {
    ...(tlsServerName === undefined ? {} : { serverNameOverride: tlsServerName }),
    ...(ca ? { serverRootCACertificate: ca } : {}),
    ...(cert && key ? { clientCertPair: { crt: cert, key } } : {}),
  };
}

/** How what is given to Temporal is written, messages of failures included: encrypted, where there are keys. The same for clients and workers. */
export function dataConverterOf({ encryptionKeys }: TemporalSettings): DataConverter | undefined {
  return (
    encryptionKeys && {
      payloadCodecs: [createPayloadCodec(new KeyRing(encryptionKeys))],
      failureConverterPath: compiledScript('workflows/encrypted-failures.js'),
    }
  );
}

/** A client that connects on first use, so that the API starts and predicts while Temporal is away. */
export function createTemporalClient(settings: TemporalSettings): Client {
  const connection = Connection.lazy({ ...connectionOptions(settings), connectTimeout: '2 seconds' });
  return new Client({
    connection,
    namespace: settings.namespace,
    dataConverter: dataConverterOf(settings),
    interceptors: { workflow: tracedClientInterceptors() },
  });
}

/** How long a call of the API may wait for Temporal before it answers 503. */
const DEADLINE_MS = 2000;

const unavailable = (message: string) => new ServiceError('dependency_unavailable', message, [], 5);

/**
 * Runs one call to Temporal within two seconds. The SDK retries silently for much longer, so the deadline is kept
 * here as well.
 * @throws ServiceError `dependency_unavailable` when Temporal does not answer in time, or has more to do than it takes on.
 */
export async function withTemporal<T>(client: Client, work: () => Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  const away = unavailable('Temporal cannot be reached at present. Try again shortly.');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(away), deadlineMs + 200);
  });
  try {
    return await Promise.race([client.connection.withDeadline(Date.now() + deadlineMs, work), late]);
  } catch (error) {
    // 4 = deadline exceeded, 14 = unavailable, 1 = cancelled by the deadline; below, 9 = failed precondition.
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      if (isGrpcServiceError(cause) && [1, 4, 14].includes(cause.code)) throw away;
      // 8 = resource exhausted: a limit on calls, or a workflow that many want something of at once.
      if (isGrpcServiceError(cause) && [8].includes(cause.code))
        throw unavailable('Temporal is busy at present. Try again shortly.');
      // Temporal answers so while its own workers, which run schedules, are not there yet.
      if (isGrpcServiceError(cause) && [9].includes(cause.code) && /no poller seen/.test(cause.details)) throw away;
      if (/Failed to connect before the deadline/i.test(cause.message)) throw away;
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const KEYWORD = 2;

/** Registers what the workflows set. Repeating it is harmless; a workflow that sets an unknown attribute would hang. */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const searchAttributes = Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, KEYWORD]));
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.keys(searchAttributes).filter((name) => !(name in (known.customAttributes ?? {})));
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  });
}
