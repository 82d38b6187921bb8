import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds the package of the service, from the sources as well as from `dist/`. */
export function installationRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

interface Package {
  version: string;
  engines: { node: string };
}

export const installedPackage = (): Package =>
  JSON.parse(readFileSync(join(installationRoot(), 'package.json'), 'utf8')) as Package;

export const installedVersion = (): string => installedPackage().version;
