import { once } from 'node:events';
import { connect } from 'node:net';
import { SteadyClient } from '../../services/database/steady-client.js';

const ANSWER_WITHIN_MS = 5000;

/**
 * Looks whether the servers that settings name can be reached, before anything is started that would wait for them.
 * @param warn is told of what can be done without
 * @throws Error that says which setting is wrong, what is wrong with it and what to do
 */
export async function checkGivenServers(env: NodeJS.ProcessEnv, warn: (line: string) => void): Promise<void> {
  const { DATABASE_URL: database, TEMPORAL_ADDRESS: temporal, REDIS_URL: redis } = env;
  if (database) await checkDatabase(database);
  if (temporal) await checkTemporal(temporal);
  if (redis) await checkRedis(redis, warn);
}

const OWN_DATABASE = 'or unset it to use the embedded PostgreSQL';

async function checkDatabase(given: string): Promise<void> {
  const url = /^postgres(ql)?:\/\//.test(given) && URL.canParse(given) ? new URL(given) : undefined;
  if (!url)
    throw new Error(
      `DATABASE_URL is no address of a PostgreSQL. Write it as postgresql://user:password@host:5432/database, ${OWN_DATABASE}.`,
    );
  const client = new SteadyClient({ connectionString: given, connectionTimeoutMillis: ANSWER_WITHIN_MS });
  try {
    await client.connect();
  } catch (error) {
    throw new Error(describeDatabase(url, error));
  } finally {
    await client.end().catch(() => undefined);
  }
}

function describeDatabase(url: URL, error: unknown): string {
  const place = `${url.hostname}:${url.port || 5432}`;
  const name = url.pathname.slice(1);
  const code = codeOf(error);
  if (code === '3D000')
    return `The PostgreSQL at ${place} (DATABASE_URL) has no database "${name}". Make it with \`createdb ${name}\`, or correct DATABASE_URL.`;
  if (code.startsWith('28'))
    return `The PostgreSQL at ${place} (DATABASE_URL) does not let "${url.username}" in: ${messageOf(error)}. Correct user and password in DATABASE_URL, ${OWN_DATABASE}.`;
  return `The PostgreSQL at ${place} (DATABASE_URL) cannot be reached (${code}). Start it, correct DATABASE_URL, ${OWN_DATABASE}.`;
}

async function checkTemporal(address: string): Promise<void> {
  const [, host, port] = /^\[?([^\s/[\]]+?)\]?:(\d{1,5})$/.exec(address) ?? [];
  if (!host || Number(port) > 65_535)
    throw new Error(
      `TEMPORAL_ADDRESS is "${address}", and must be a host and a port, such as 127.0.0.1:7233. Correct it, or unset it to use the embedded server.`,
    );
  const failure = await tryPort(host, Number(port));
  if (failure)
    throw new Error(
      `The Temporal at ${address} (TEMPORAL_ADDRESS) cannot be reached (${failure}). Start it, correct TEMPORAL_ADDRESS, or unset it to use the embedded server.`,
    );
}

/** A cache may be away. */
async function checkRedis(given: string, warn: (line: string) => void): Promise<void> {
  // What is no address of a Redis is said by the first process that reads it.
  if (!URL.canParse(given)) return;
  const { hostname, port } = new URL(given);
  const failure = await tryPort(hostname, Number(port || 6379));
  if (failure)
    warn(
      `Redis at ${hostname}:${port || 6379} (REDIS_URL) cannot be reached (${failure}): each process has a cache of its own until it can.`,
    );
}

/** @returns why nothing listens there, or undefined */
async function tryPort(host: string, port: number): Promise<string | undefined> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return undefined;
  } catch (error) {
    return codeOf(error);
  } finally {
    socket.destroy();
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A code such as ECONNREFUSED; of a host with several addresses that of the first. */
function codeOf(error: unknown): string {
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  if (code === 'ABORT_ERR' || name === 'AbortError' || /timeout/i.test(message ?? ''))
    return `no answer within ${ANSWER_WITHIN_MS / 1000} s`;
  return code ?? (message || 'no answer');
}
