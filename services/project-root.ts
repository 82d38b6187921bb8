import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `package.json`, from the sources as well as from the compiled `dist/`. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error(`No package.json above ${fileURLToPath(import.meta.url)}: the installation is incomplete.`);
    folder = parent;
  }
  return folder;
}

/** A compiled script of this project, wherever the caller runs from (tests run the sources, processes run `dist/`). */
export function compiledScript(path: string): string {
  return join(projectRoot(), 'dist', path);
}
