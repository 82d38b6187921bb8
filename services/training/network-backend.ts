import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { env, getBackend, matMul, setBackend, sum, tensor2d } from '@tensorflow/tfjs-core';

/** What computes while a network is trained. */
export type NetworkBackendName = 'tensorflow-gpu' | 'tensorflow' | 'wasm' | 'cpu';

/** What was chosen; `device` is stored with each version that it trains. */
export interface NetworkBackend {
  backend: NetworkBackendName;
  /** In words, such as `TensorFlow on AMD EPYC 7B13`. */
  device: string;
  /** Why it is not what was asked for, and what to do. */
  warning?: string;
}

export interface NetworkBackendOptions {
  /** Take a GPU where one is found. */
  gpuEnabled: boolean;
  /** Where `npm run tensorflow:native` keeps its builds; default `~/.cache/ml-pipeline-service`. */
  cacheFolder?: string;
  /** Backends that may be taken; default all, best first. */
  allowed?: readonly NetworkBackendName[];
}

/** The version of `@tensorflow/tfjs-node`, which must be that of `@tensorflow/tfjs-core`: both share one registry. */
export const TENSORFLOW_NODE_VERSION = '4.22.0';

const ALL: readonly NetworkBackendName[] = ['tensorflow-gpu', 'tensorflow', 'wasm', 'cpu'];
/** Lies in the cache folder and not among this project's dependencies: its installer would download, and fail without internet. */
const NATIVE_PACKAGE = '@tensorflow/tfjs-node';
const NVIDIA_FOLDER = '/proc/driver/nvidia/gpus';

/** Where the native backend lies when `npm run tensorflow:native` (or `-- --gpu`) has built it. */
export function tensorflowNativeFolder(flavour: 'cpu' | 'gpu', cacheFolder?: string): string {
  const base = cacheFolder ?? join(homedir(), '.cache', 'ml-pipeline-service');
  return join(base, 'tensorflow', TENSORFLOW_NODE_VERSION, flavour);
}

/**
 * Makes the best backend of this machine the current one of tfjs: native TensorFlow where it was built, WebAssembly
 * elsewhere, plain JavaScript where not even that starts. A GPU is taken only when asked for; when there is none, the answer
 * says so in `warning` and the next best trains. Calling it again is cheap.
 * @throws Error when none of `allowed` works, with the reason of each
 */
export async function selectNetworkBackend(options: NetworkBackendOptions): Promise<NetworkBackend> {
  // Without this tfjs advertises its packages on the console.
  env().set('PROD', true);
  const allowed = options.allowed ?? ALL;
  const failures: string[] = [];
  let warning: string | undefined;
  for (const backend of ALL) {
    if (!allowed.includes(backend) || (backend === 'tensorflow-gpu' && !options.gpuEnabled)) continue;
    try {
      const device = await start(backend, options.cacheFolder);
      return warning === undefined ? { backend, device } : { backend, device, warning };
    } catch (error) {
      const reason = firstLine(error);
      failures.push(`${backend}: ${reason}`);
      if (backend === 'tensorflow-gpu')
        warning = `GPU_ENABLED is set, but no GPU could be used (${reason}), so the network is trained on the CPU`;
      // That nothing was built is the usual case and no reason to warn.
      else if (!(error instanceof NotInstalledError)) warning ??= `${backend} did not start (${reason})`;
    }
  }
  throw new Error(`No backend for networks works on this machine: ${failures.join('; ')}`);
}

class NotInstalledError extends Error {}

/** The native build that this process has loaded: a second one beside it would clash with its library. */
let loadedFolder: string | undefined;

async function start(backend: NetworkBackendName, cacheFolder: string | undefined): Promise<string> {
  if (backend === 'tensorflow-gpu') return startNative('gpu', cacheFolder);
  if (backend === 'tensorflow') return startNative('cpu', cacheFolder);
  if (backend === 'wasm') await import('@tensorflow/tfjs-backend-wasm');
  else await import('@tensorflow/tfjs-backend-cpu');
  if (!(await setBackend(backend))) throw new Error('tfjs could not initialise it');
  tryOut(backend);
  return `${backend === 'wasm' ? 'WebAssembly' : 'JavaScript'} on ${processorName()}`;
}

async function startNative(flavour: 'cpu' | 'gpu', cacheFolder: string | undefined): Promise<string> {
  const folder = loadedFolder ?? tensorflowNativeFolder(flavour, cacheFolder);
  if (!existsSync(join(folder, 'package.json'))) {
    const command = `npm run tensorflow:native${flavour === 'gpu' ? ' -- --gpu' : ''}`;
    throw new NotInstalledError(`not there yet: \`${command}\` builds it`);
  }
  const require = createRequire(join(folder, 'package.json'));
  // It brings a copy of tfjs-core, but all copies of one version share the global engine and its kernels.
  const native = require(NATIVE_PACKAGE) as { backend(): { isUsingGpuDevice?: boolean } };
  loadedFolder = folder;
  if (!(await setBackend('tensorflow'))) throw new Error('tfjs could not initialise it');
  tryOut('tensorflow');
  const isOnGpu = native.backend().isUsingGpuDevice === true;
  if (flavour === 'gpu' && !isOnGpu) throw new Error('TensorFlow finds no GPU, or no CUDA libraries for it');
  return `TensorFlow on ${isOnGpu ? gpuName() : processorName()}`;
}

/** One product that is known: a library that loads and computes nonsense, or on another backend, must not train. */
function tryOut(backend: string): void {
  if (getBackend() !== backend) throw new Error(`tfjs uses ${getBackend()} instead`);
  const matrix = tensor2d([1, 2, 3, 4], [2, 2]);
  const product = matMul(matrix, matrix);
  const total = sum(product);
  const answer = total.dataSync()[0];
  for (const tensor of [matrix, product, total]) tensor.dispose();
  if (answer !== 54) throw new Error(`it computes ${answer} where 54 is right`);
}

function processorName(): string {
  return cpus()[0]?.model.trim() || 'an unknown processor';
}

/** What the driver says; without its folder the name is not known, but the device is. */
function gpuName(): string {
  try {
    const names = readdirSync(NVIDIA_FOLDER).map((bus) => {
      const information = readFileSync(join(NVIDIA_FOLDER, bus, 'information'), 'utf8');
      return /^Model:\s*(.+)$/m.exec(information)?.[1]?.trim() ?? 'a GPU';
    });
    return names[0] ?? 'a GPU';
  } catch {
    return 'a GPU';
  }
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n', 1)[0]!.replace(/\.$/, '');
}
