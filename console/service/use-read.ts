import { keepPreviousData, useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Answer, Call, paths, PathsWith } from '../../clients/typescript/client.js';
import { client } from './client.js';

type Get<P extends keyof paths> = paths[P] extends { get: infer O } ? O : never;

/** How often what may change by itself is read again. */
export const LIVE_MS = 4000;

interface ReadOptions {
  /** Milliseconds between two reads; once only without it. */
  everyMs?: number | false;
  /** False while what is asked for is not known yet. */
  enabled?: boolean;
}

/**
 * Reads a path of the API, with the types of its OpenAPI document. Pages that ask the same share one request, and show what they had
 * while it is read again.
 */
export function useRead<P extends PathsWith<'get'>>(
  path: P,
  given?: Call<Get<P>>,
  { everyMs = false, enabled = true }: ReadOptions = {},
): UseQueryResult<Answer<Get<P>>> {
  return useQuery({
    queryKey: [path, given ?? {}],
    queryFn: ({ signal }) => client.get(path, { ...given, signal } as never) as Promise<Answer<Get<P>>>,
    // What a page shows is not asked for at one moment again and again.
    refetchInterval: everyMs && (() => everyMs * (0.85 + 0.3 * Math.random())),
    enabled,
    placeholderData: keepPreviousData,
  });
}
