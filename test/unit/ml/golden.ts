import { readFileSync } from 'node:fs';

/** Reads reference answers that `test/golden/make_golden.py` wrote. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../golden/${name}`, import.meta.url), 'utf8')) as T;
}
