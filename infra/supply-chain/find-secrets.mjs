/**
 * `npm run secrets [-- --history]`: looks for keys, tokens and passwords in every file of the work tree, and with `--history` also in every file
 * that any commit has ever had. Ends with 1 when there is one; what a test needs and is none is named in `.secretlintrc.json`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const FILES_A_RUN = 1000;
/** Lock files and saved runs are long, and made by programs. */
const NOT_READ = /(^|\/)(package-lock\.json|.*\.(png|parquet|gz|zst|onnx|woff2?))$/;
const MOST_BYTES = 2 ** 21;

const git = (...args) => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 30 });

const trackedFiles = () =>
  git('ls-files', '--cached', '--others', '--exclude-standard', '-z')
    .split('\0')
    .filter((path) => path !== '' && !NOT_READ.test(path));

/** Every content that a commit has had and the work tree has not, each once, as files named after their blobs. */
function writeHistory(folder) {
  const now = new Set(
    git('ls-files', '-s')
      .split('\n')
      .map((line) => line.split(' ')[1]),
  );
  const past = new Map(
    git('rev-list', '--objects', '--all')
      .split('\n')
      .map((line) => [line.slice(0, 40), line.slice(41)])
      .filter(([id, path]) => path !== '' && !now.has(id) && !NOT_READ.test(path)),
  );
  const checked = execFileSync('git', ['cat-file', '--batch-check'], {
    input: [...past.keys()].join('\n'),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const names = [];
  for (const line of checked.split('\n')) {
    const [id, type, size] = line.split(' ');
    if (type !== 'blob' || Number(size) > MOST_BYTES) continue;
    const name = past.get(id).replaceAll(/[^\w.-]/g, '_');
    writeFileSync(
      join(folder, `${id}-${name.slice(-100)}`),
      execFileSync('git', ['cat-file', 'blob', id], { maxBuffer: 2 * MOST_BYTES }),
    );
    names.push(`${id}-${name.slice(-100)}`);
  }
  return names;
}

/**
 * @param root that the paths are below of
 * @returns whether there is nothing
 */
function lint(root, paths) {
  const program = resolve('node_modules/.bin/secretlint');
  const options = ['--secretlintrc', resolve('.secretlintrc.json'), '--no-glob'];
  let isClean = true;
  for (let from = 0; from < paths.length; from += FILES_A_RUN) {
    const part = paths.slice(from, from + FILES_A_RUN);
    const { status, error } = spawnSync(program, [...options, ...part], { cwd: root, stdio: 'inherit' });
    if (error) throw error;
    isClean &&= status === 0;
  }
  return isClean;
}

const folder = mkdtempSync(join(tmpdir(), 'mlops-secrets-'));
try {
  const present = trackedFiles();
  const past = process.argv.includes('--history') ? writeHistory(folder) : [];
  const isClean = [lint(process.cwd(), present), lint(folder, past)].every(Boolean);
  process.stdout.write(`${present.length + past.length} files read, ${isClean ? 'no secret found' : 'see above'}\n`);
  process.exitCode = isClean ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
