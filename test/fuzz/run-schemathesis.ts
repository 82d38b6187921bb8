import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from '../../services/project-root.js';
import { findPython } from '../support/python-packages.js';

const RELEASE = '4.32.5';
/** Of each, all that is documented must hold: whether valid requests are accepted depends on what there is, and is left to other tests. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
  // Of chains of calls: what was removed is gone, and what was made is there.
  'use_after_free',
  'ensure_resource_availability',
];

export interface SchemathesisSettings {
  url: string;
  seed: number;
  /** `examples`, `coverage`, `fuzzing`, `stateful`. */
  phases: readonly string[];
  /** Requests to each operation in `fuzzing` and `stateful`. */
  requests: number;
  /** The reports are written here, with each failing request as a curl command. */
  folder: string;
  /** Regular expression of the paths that are asked; all without it. */
  paths?: string;
  onOutput?: (text: string) => void;
}

/**
 * Runs schemathesis over the OpenAPI document of a running service. It is installed once into a Python of its own.
 * @returns whether all held and what it wrote, or the reason where there is no Python or no way to its packages
 */
export async function runSchemathesis(
  settings: SchemathesisSettings,
): Promise<{ passed: boolean; output: string } | { reason: string }> {
  const python = findPython(`schemathesis-${RELEASE}`, [`schemathesis==${RELEASE}`]);
  if ('reason' in python) return python;
  const child = spawn(join(python.bin, 'schemathesis'), argumentsOf(settings), {
    // It keeps what it has learnt in a folder where it runs.
    cwd: settings.folder,
    env: {
      ...process.env,
      PYTHONPATH: join(projectRoot(), 'test/fuzz'),
      SCHEMATHESIS_HOOKS: 'schemathesis_hooks',
      FUZZ_CHAINS: settings.phases.every((phase) => phase === 'stateful') ? '1' : '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      settings.onOutput?.(text);
    });
  const [status] = (await once(child, 'close')) as [number | null];
  return { passed: status === 0, output };
}

function argumentsOf({ url, seed, phases, requests, folder, paths }: SchemathesisSettings): string[] {
  return [
    '--config-file',
    join(projectRoot(), 'test/fuzz/schemathesis.toml'),
    'run',
    `${url}/openapi.json`,
    '--no-color',
    '--continue-on-failure',
    '--workers=2',
    '--warnings=off',
    '--generation-database=none',
    `--checks=${CHECKS.join(',')}`,
    `--phases=${phases.join(',')}`,
    `--max-examples=${requests}`,
    `--seed=${seed}`,
    '--report=json,ndjson',
    `--report-dir=${folder}`,
    ...(paths === undefined ? [] : [`--include-path-regex=${paths}`]),
  ];
}
