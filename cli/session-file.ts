import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError, EXIT } from './exit-codes.js';
import type { TrustFiles } from './trusting-fetch.js';

const DEFAULT_URL = 'http://127.0.0.1:8080';

/** Where the service is, and who calls. */
export interface Session {
  url: string;
  token: string | undefined;
  /** Where the address comes from, for `status` and `doctor`. */
  origin: 'flag' | 'MLOPS_URL' | 'login' | 'default';
  /** Of --ca, --client-cert and --client-key, or MLOPS_CA, MLOPS_CLIENT_CERT and MLOPS_CLIENT_KEY. */
  trust?: TrustFiles;
}

/** `$XDG_CONFIG_HOME/ml-pipeline-service/session.json`: readable by its owner only. */
export function sessionPath(env: NodeJS.ProcessEnv = process.env): string {
  const folder = env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return join(folder, 'ml-pipeline-service', 'session.json');
}

/**
 * The session of a command: the flag goes before MLOPS_URL, and that before `mlops login`. A token of the file goes
 * only to the address that it was given for; MLOPS_TOKEN goes to any.
 */
export function readSession(flagUrl: string | undefined, env: NodeJS.ProcessEnv = process.env): Session {
  const kept = readKept(sessionPath(env));
  const [origin, given] = flagUrl
    ? (['flag', flagUrl] as const)
    : env['MLOPS_URL']
      ? (['MLOPS_URL', env['MLOPS_URL']] as const)
      : kept
        ? (['login', kept.url] as const)
        : (['default', DEFAULT_URL] as const);
  const url = checkedUrl(given);
  const token = env['MLOPS_TOKEN'] || (kept?.url === url ? kept.token : undefined);
  return { url, token, origin };
}

/** @returns the address without a slash at its end @throws CommandError for what is no http address */
export function checkedUrl(text: string): string {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Told below.
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw new CommandError(
      EXIT.usage,
      'url_invalid',
      `"${text}" is no address of a service.`,
      `Give one such as ${DEFAULT_URL}, without a user name or a query.`,
    );
  return url.href.replace(/\/+$/, '');
}

function readKept(path: string): { url: string; token?: string } | undefined {
  if (!existsSync(path)) return undefined;
  let kept: { url?: unknown; token?: unknown } | null;
  try {
    kept = JSON.parse(readFileSync(path, 'utf8')) as typeof kept;
  } catch {
    kept = null;
  }
  if (typeof kept?.url !== 'string')
    throw new CommandError(EXIT.usage, 'session_damaged', `${path} cannot be read.`, 'Run `mlops login` again.');
  return { url: kept.url, ...(typeof kept.token === 'string' ? { token: kept.token } : {}) };
}

/** Keeps address and token; the file appears by a rename, so that it is never half-written or readable by others. */
export function keepSession(session: { url: string; token?: string }, env: NodeJS.ProcessEnv = process.env): string {
  const path = sessionPath(env);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const written = `${path}.${process.pid}`;
  writeFileSync(written, `${JSON.stringify(session, null, 2)}\n`, { mode: 0o600 });
  chmodSync(written, 0o600);
  renameSync(written, path);
  return path;
}

export function forgetSession(env: NodeJS.ProcessEnv = process.env): void {
  rmSync(sessionPath(env), { force: true });
}

/** Whether others than the owner may read the file; undefined where there is none. */
export function isSessionExposed(env: NodeJS.ProcessEnv = process.env): boolean | undefined {
  const path = sessionPath(env);
  if (!existsSync(path) || process.platform === 'win32') return undefined;
  return (statSync(path).mode & 0o077) !== 0;
}
