import { parse, parseAllDocuments } from 'yaml';
import { readRootFile, type Manifest } from './deployment-tools.js';

const FOLDER = 'infra/kubernetes';

interface Kustomization {
  resources: string[];
  patches?: { target: { kind: string; name: string }; path: string }[];
}
interface Operation {
  op: 'add' | 'replace';
  path: string;
  value: unknown;
}

const readAll = (path: string) => parseAllDocuments(readRootFile(path)).map((document) => document.toJS() as Manifest);

/** Changes one place, as RFC 6902 says. @throws Error for a place that is not there */
function apply(manifest: Manifest, { op, path, value }: Operation): void {
  const steps = path.slice(1).split('/');
  const last = steps.pop()!;
  let place = manifest as unknown as Record<string, unknown>;
  for (const step of steps) {
    place = place[step] as Record<string, unknown>;
    if (typeof place !== 'object') throw new Error(`${manifest.kind} ${manifest.metadata.name} has no ${path}`);
  }
  if (Array.isArray(place) && last === '-') return void place.push(value);
  if (op === 'replace' && !(last in place))
    throw new Error(`${manifest.kind} ${manifest.metadata.name} has no ${path}`);
  place[last] = value;
}

/** All resources of a folder without changes of its own, and of the folders that it names. */
function readFolder(folder: string): Manifest[] {
  const { resources } = parse(readRootFile(`${folder}/kustomization.yaml`)) as Kustomization;
  return resources.flatMap((name) =>
    name.endsWith('.yaml') ? readAll(`${folder}/${name}`) : readFolder(`${folder}/${name}`),
  );
}

/** The manifests of an overlay that stands on the base and changes it by JSON patches, as Kustomize makes them, without images and namespaces. */
export function readPatchedManifests(overlay: string): Manifest[] {
  const folder = `${FOLDER}/overlays/${overlay}`;
  const own = parse(readRootFile(`${folder}/kustomization.yaml`)) as Kustomization;
  const manifests = [
    ...readFolder(`${FOLDER}/base`),
    ...own.resources.filter((name) => name.endsWith('.yaml')).flatMap((name) => readAll(`${folder}/${name}`)),
  ];
  for (const { target, path } of own.patches ?? []) {
    const found = manifests.find(({ kind, metadata }) => kind === target.kind && metadata.name === target.name);
    if (!found) throw new Error(`${folder}: there is no ${target.kind} ${target.name}`);
    for (const operation of parse(readRootFile(`${folder}/${path}`)) as Operation[]) apply(found, operation);
  }
  return manifests;
}
