import { Agent, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { SANDBOX_MODEL } from '../../core/names.js';
import { createPrng } from '../../ml/random/prng.js';
import type { OwnCredentials } from '../auth/own-credentials.js';
import type { Config } from '../config.js';
import type { Container } from '../container.js';
import { readTlsFiles } from '../network/tls-files.js';
import { API_CLIENT_TLS } from '../network/tls-settings.js';
import { sandboxUnit } from './sandbox-table.js';

export interface TrafficInput {
  deploymentId: string;
  requestsPerSecond: number;
  /** The rollout is given up after this. */
  limitSeconds: number;
  seed: number;
}

export interface TrafficSeen {
  requests: number;
  /** Answers other than 200: none is meant to be. */
  failed: number;
  /** By arm; answers without one are under `none`. */
  arms: Record<string, number>;
  /** Whether the rollout ended within the limit. */
  isOver: boolean;
}

const CALLERS = 8;
const LOOK_EVERY_MS = 200;
/** After its end traffic goes on for longer than a process may take to hear of a route. */
const SETTLE_MS = 2500;
const ANSWER_WITHIN_MS = 5000;
const UNITS = 50_000;

/**
 * Sends requests to the sandbox as users would, each with its truth as feedback, from before a rollout begins until after it has ended. Every
 * request has a connection of its own, so that all API processes behind the address get their part.
 */
export async function driveTraffic(
  { deploymentId, requestsPerSecond, limitSeconds, seed }: TrafficInput,
  {
    database,
    credentials,
    config,
    signal,
  }: Pick<Container, 'database' | 'credentials' | 'config'> & { signal: AbortSignal },
): Promise<TrafficSeen> {
  const seen: TrafficSeen = { requests: 0, failed: 0, arms: {}, isOver: false };
  const post = createCaller(config, credentials);
  let stopMs = performance.now() + limitSeconds * 1000;
  const isRunning = () => !signal.aborted && performance.now() < stopMs;
  const startMs = performance.now();
  let sent = 0;
  const prng = createPrng(seed);
  const call = async () => {
    while (isRunning()) {
      const dueMs = startMs + (sent++ / requestsPerSecond) * 1000;
      if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      await askOnce(post, prng.nextInt(UNITS), seen);
    }
  };
  const look = async () => {
    while (isRunning()) {
      await sleep(LOOK_EVERY_MS);
      const row = await database.prisma.deployment.findUnique({ where: { id: deploymentId } });
      if (!row?.finishedAt || seen.isOver) continue;
      seen.isOver = true;
      stopMs = performance.now() + SETTLE_MS;
    }
  };
  await Promise.all([look(), ...Array.from({ length: CALLERS }, call)]);
  signal.throwIfAborted();
  return seen;
}

type Post = (path: string, body: object) => Promise<{ status: number; body: Record<string, unknown> }>;

async function askOnce(post: Post, draw: number, seen: TrafficSeen): Promise<void> {
  const { features, outcome } = sandboxUnit(draw);
  seen.requests++;
  const answer = await post(`/predict/${SANDBOX_MODEL}`, { entity_id: `unit_${draw}`, features });
  if (answer.status !== 200) {
    seen.failed++;
    return;
  }
  const { prediction_id: id, arm = 'none' } = answer.body as { prediction_id: string; arm?: string };
  seen.arms[arm] = (seen.arms[arm] ?? 0) + 1;
  await post(`/predictions/${id}/feedback`, { outcome: { label: outcome } });
}

/** A caller that does not throw: no answer is one of the status 0. */
function createCaller({ apiBaseUrl, tls }: Config, credentials: OwnCredentials): Post {
  const isSecure = apiBaseUrl.startsWith('https:');
  const agent = isSecure
    ? new SecureAgent({ keepAlive: false, ...readTlsFiles(tls.apiClient, API_CLIENT_TLS) })
    : new Agent({ keepAlive: false });
  return async (path, body) => {
    const signIn = await credentials.headers('predictor').catch(() => ({}));
    return new Promise((resolve) => {
      const text = JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...signIn };
      const options = { method: 'POST', agent, headers, timeout: ANSWER_WITHIN_MS };
      const nothing = () => resolve({ status: 0, body: {} });
      const sent = (isSecure ? secureRequest : request)(apiBaseUrl + path, options, (response) => {
        let received = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (received += chunk));
        response.on('error', nothing);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: readJson(received) }));
      });
      sent.on('timeout', () => sent.destroy());
      sent.on('error', nothing);
      sent.end(text);
    });
  };
}

function readJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
