import { ServiceError } from '../core/errors.js';
import type { SharedCounts } from '../services/limits/shared-counts.js';

const MOST_CLIENTS = 50_000;

/** How many requests in how long; none more. */
export interface Rate {
  most: number;
  windowSeconds: number;
}

/** `POST /models/train=10`: requests a minute of one caller to one route. */
export type RouteRates = ReadonlyMap<string, number>;

/** @throws Error for a rate of a route that there is not, which would limit nothing */
export function refuseUnknownRoutes(rates: RouteRates, routes: readonly { method: string; path: string }[]): void {
  const known = new Set(routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`));
  const unknown = [...rates.keys()].filter((route) => !known.has(route));
  if (unknown.length > 0)
    throw new Error(
      `RATE_LIMIT_ROUTES names ${unknown.join(', ')}, which is no route. GET /openapi.json has them all, such as POST /predict/{model}.`,
    );
}

/**
 * Holds callers to their rates over all processes: by what Redis adds up, or where there is none by an equal share a process.
 */
export class RateLimiter {
  /** When the allowance of a client is full again (the theoretical arrival time of the generic cell rate algorithm). */
  readonly #fullAtMs = new Map<string, number>();

  constructor(
    private readonly options: {
      /** Requests a second of one caller to all routes; 0 = no limit. */
      rateLimit: number;
      routeRates: RouteRates;
      /** That share the port. */
      processes: number;
      shared: SharedCounts | undefined;
    },
  ) {}

  /** @returns why a request of a client is one too many, or undefined */
  refuse(client: string, nowMs: number): ServiceError | undefined {
    const { rateLimit } = this.options;
    if (rateLimit === 0 || this.#takes(client, { most: rateLimit, windowSeconds: 1 }, nowMs)) return undefined;
    return tooMany(`More than ${rateLimit} requests a second came from ${describe(client)}.`, 1);
  }

  /** @param route with its method, as in RATE_LIMIT_ROUTES */
  refuseRoute(client: string, route: string, nowMs: number): ServiceError | undefined {
    const most = this.options.routeRates.get(route);
    if (most === undefined || this.#takes(`${client} ${route}`, { most, windowSeconds: 60 }, nowMs)) return undefined;
    return tooMany(
      `More than ${most} requests a minute for ${route} came from ${describe(client)}.`,
      Math.ceil(60 / most),
    );
  }

  limitsRoute(route: string): boolean {
    return this.options.routeRates.has(route);
  }

  #takes(key: string, rate: Rate, nowMs: number): boolean {
    const { shared, processes } = this.options;
    if (shared?.isUp) return shared.take(key, rate);
    const gapMs = (rate.windowSeconds * 1000 * processes) / rate.most;
    // As many at once as its share of a window has, and at least one.
    const burstMs = Math.max(rate.windowSeconds * 1000, gapMs);
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(key) ?? 0) + gapMs;
    if (fullAtMs - nowMs > burstMs + 1e-6) return false;
    this.#fullAtMs.delete(key);
    this.#fullAtMs.set(key, fullAtMs);
    if (this.#fullAtMs.size > MOST_CLIENTS) this.#fullAtMs.delete(this.#fullAtMs.keys().next().value!);
    return true;
  }
}

const tooMany = (detail: string, seconds: number) => new ServiceError('rate_limited', detail, [], seconds);
/** An address has no blank in it. */
const describe = (client: string) => (client.startsWith('caller ') ? 'this caller' : 'this address');

/** Who a limit is for: one that has signed in by its name, wherever it calls from; all others by their address. */
export const clientOf = (caller: string | undefined, address: string) =>
  caller === undefined ? address : `caller ${caller}`;
