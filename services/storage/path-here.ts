import { basename, join } from 'node:path';

/**
 * A path that a step wrote down, perhaps on another machine whose folders lie elsewhere, as it is on this one.
 * @param folder the folder of the job here; its name is the same on all machines, and nothing else is called so
 */
export function pathHere(folder: string, path: string): string {
  const mark = `/${basename(folder)}/`;
  const at = path.lastIndexOf(mark);
  return at < 0 ? path : join(folder, path.slice(at + mark.length));
}
