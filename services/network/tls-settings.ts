import { z } from 'zod';
import type { TlsFiles, TlsSettingNames } from './tls-files.js';

const file = (meaning: string) => z.string().optional().describe(meaning);

/** The variables of TLS; `services/config.ts` reads them. */
export const tlsEnvironment = {
  TEMPORAL_TLS_CA: file('File with the CA certificate of the Temporal server'),
  TEMPORAL_TLS_CERT: file('File with the client certificate for Temporal'),
  TEMPORAL_TLS_KEY: file('File with the key of the client certificate'),
  TEMPORAL_TLS_SERVER_NAME: z
    .string()
    .optional()
    .describe('Name that the certificate of the Temporal server must have, where it is not that of TEMPORAL_ADDRESS'),
  TLS_CERT_FILE: file(
    'PEM file with the certificate of the API, and those between it and its authority; with it the API and its gRPC speak TLS 1.2 or newer only. Read again when it changes',
  ),
  TLS_KEY_FILE: file('PEM file with the key of that certificate'),
  TLS_CLIENT_CA_FILE: file(
    'PEM file of the authorities that callers must have a certificate from (mutual TLS); only /health/live and /health/ready answer without one',
  ),
  API_TLS_CA: file(
    'PEM file of the authorities that workers trust at API_BASE_URL, where the API has a certificate of your own',
  ),
  API_TLS_CERT: file('PEM file with the certificate of the workers for the API, with TLS_CLIENT_CA_FILE'),
  API_TLS_KEY: file('PEM file with its key'),
  REDIS_TLS_CA: file('PEM file of the authorities of a rediss:// server'),
  REDIS_TLS_CERT: file('PEM file with the client certificate for Redis'),
  REDIS_TLS_KEY: file('PEM file with its key'),
};

export const API_SERVER_TLS: TlsSettingNames = { ca: 'TLS_CLIENT_CA_FILE', cert: 'TLS_CERT_FILE', key: 'TLS_KEY_FILE' };
export const API_CLIENT_TLS: TlsSettingNames = { ca: 'API_TLS_CA', cert: 'API_TLS_CERT', key: 'API_TLS_KEY' };
export const REDIS_TLS: TlsSettingNames = { ca: 'REDIS_TLS_CA', cert: 'REDIS_TLS_CERT', key: 'REDIS_TLS_KEY' };
export const TEMPORAL_TLS: TlsSettingNames = {
  ca: 'TEMPORAL_TLS_CA',
  cert: 'TEMPORAL_TLS_CERT',
  key: 'TEMPORAL_TLS_KEY',
};

/** Files of both ends of the API, and of Redis. */
export interface TlsSettings {
  /** Undefined = the API speaks plain HTTP. */
  server?: TlsFiles;
  apiClient: TlsFiles;
  redis: TlsFiles;
}

type TlsEnvironment = z.output<z.ZodObject<typeof tlsEnvironment>> & { REDIS_URL?: string };

/** @param problems gets a line for each setting that makes no sense without another */
export function readTlsSettings(
  env: TlsEnvironment,
  absolute: (path: string) => string,
  problems: string[],
): TlsSettings {
  const filesOf = (names: TlsSettingNames): TlsFiles =>
    Object.fromEntries(
      Object.entries(names).flatMap(([part, name]) => {
        const path = env[name as keyof typeof tlsEnvironment];
        return path === undefined ? [] : [[part, absolute(path)]];
      }),
    );
  const server = filesOf(API_SERVER_TLS);
  const apiClient = filesOf(API_CLIENT_TLS);
  const redis = filesOf(REDIS_TLS);
  if (server.ca !== undefined && server.cert === undefined)
    problems.push('TLS_CLIENT_CA_FILE is set, but TLS_CERT_FILE is not: callers show certificates over TLS only.');
  if (Object.keys(redis).length > 0 && !env.REDIS_URL?.startsWith('rediss:'))
    problems.push('REDIS_TLS_ settings are there, but REDIS_URL does not begin with rediss://.');
  for (const [names, files] of [
    [API_SERVER_TLS, server],
    [API_CLIENT_TLS, apiClient],
    [REDIS_TLS, redis],
    [TEMPORAL_TLS, filesOf(TEMPORAL_TLS)],
  ] as const)
    if ((files.cert === undefined) !== (files.key === undefined))
      problems.push(`${names.cert} and ${names.key} belong together: set both or neither.`);
  return {
    ...(server.cert === undefined ? {} : { server }),
    apiClient,
    redis,
  };
}
