import type { z } from 'zod';
import { ServiceError, type FieldProblem } from '../core/errors.js';

/** Every place of an input that does not fit, unknown keys one by one. */
export function fieldProblems(error: z.core.$ZodError): FieldProblem[] {
  return error.issues.flatMap((issue): FieldProblem[] => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not a known field' }));
    return [{ path: path.join('.') || 'body', message: issue.message }];
  });
}

/** Names that would reach an object's prototype; no honest caller sends them. */
export const POLLUTING = new Set(['__proto__', 'constructor', 'prototype']);

/** The paths of all keys, at any depth, that would pollute a prototype. `JSON.parse` makes `__proto__` an own key. */
export function pollutingPaths(value: unknown, path: readonly string[] = []): FieldProblem[] {
  if (value === null || typeof value !== 'object' || path.length > 64) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const here = [...path, key];
    return POLLUTING.has(key) && !Array.isArray(value)
      ? [{ path: here.join('.'), message: 'is not allowed as a name' }]
      : pollutingPaths(item, here);
  });
}

/** What PostgreSQL keeps in no text and no JSON: the NUL character, and half of a surrogate pair. */
export const UNSTORABLE = /[\0\p{Surrogate}]/u;

/** The paths of all texts, and of all names, that no database could keep. */
export function unstorablePaths(value: unknown, path: readonly string[] = []): FieldProblem[] {
  const problem = { path: path.join('.') || 'body', message: 'has a NUL character or half a surrogate pair' };
  if (typeof value === 'string') return UNSTORABLE.test(value) ? [problem] : [];
  if (value === null || typeof value !== 'object' || path.length > 64) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const here = [...path, key];
    return UNSTORABLE.test(key) ? [{ ...problem, path: here.join('.') }] : unstorablePaths(item, here);
  });
}

/** An answer must not become many times as long as its request. */
const MOST_PROBLEMS = 1000;

/**
 * Holds an input to its schema.
 * @throws ServiceError `request_invalid` with the path of every problem (of the first thousand), not only the first.
 */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  const problems = [
    ...pollutingPaths(input),
    ...unstorablePaths(input),
    ...(parsed.error ? fieldProblems(parsed.error) : []),
  ];
  if (parsed.success && problems.length === 0) return parsed.data;
  const unique = [...new Map(problems.map((problem) => [`${problem.path} ${problem.message}`, problem])).values()];
  throw new ServiceError(
    'request_invalid',
    `The request has ${unique.length} problem${unique.length === 1 ? '' : 's'}: ${unique
      .slice(0, 3)
      .map((problem) => `${problem.path} ${problem.message}`)
      .join('; ')}.`,
    unique.slice(0, MOST_PROBLEMS),
  );
}
