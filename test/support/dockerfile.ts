import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import picomatch from 'picomatch';

export interface Instruction {
  name: string;
  text: string;
}

/** One `FROM` and what follows it. */
export interface Stage {
  name: string;
  from: string;
  instructions: Instruction[];
}

/** Takes a Dockerfile apart: comments away, continued lines joined, `FROM … AS name` as stages. */
export function parseDockerfile(text: string): { preamble: Instruction[]; stages: Stage[] } {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ');
  const preamble: Instruction[] = [];
  const stages: Stage[] = [];
  for (const line of lines.split('\n')) {
    const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (!name || rest === undefined) continue;
    const from = name === 'FROM' ? /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) : undefined;
    if (from) stages.push({ from: from[1]!, name: from[2] ?? String(stages.length), instructions: [] });
    else (stages.at(-1)?.instructions ?? preamble).push({ name, text: rest });
  }
  return { preamble, stages };
}

/** Whether a .dockerignore keeps a path out: the last line that fits the path or a folder above it counts. */
export function createIgnore(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => ({ keeps: line.startsWith('!'), fits: picomatch(line.replace(/^!/, ''), { dot: true }) }));
  return (path) => {
    const parts = path.split('/');
    const paths = parts.map((_, at) => parts.slice(0, at + 1).join('/'));
    return !(rules.findLast(({ fits }) => paths.some((one) => fits(one)))?.keeps ?? true);
  };
}

export interface Replay {
  /** Where the working folder of the last stage is. */
  folder: string;
  /** The folder that stands for `/`. */
  root: string;
  env: Record<string, string>;
}

/**
 * Does what stages of a Dockerfile do, in folders that stand for their file systems. `npm ci` becomes links to the packages that are
 * installed here, from the same lock file.
 * @throws Error with the output of the step that failed
 */
export function replayStages(stages: readonly Stage[], context: string, to: string): Replay {
  const isIgnored = createIgnore(readFileSync(join(context, '.dockerignore'), 'utf8'));
  let last: Replay | undefined;
  for (const stage of stages) {
    const root = join(to, stage.name);
    const replay: Replay = { root, folder: root, env: {} };
    for (const { name, text } of stage.instructions) {
      if (name === 'WORKDIR') mkdirSync((replay.folder = join(root, text)), { recursive: true });
      if (name === 'ENV')
        for (const [, key, value] of text.matchAll(/(\w+)=("[^"]*"|\S+)/g))
          replay.env[key!] = value!.replaceAll('"', '');
      if (name === 'COPY') copy(text, { replay, context, to, isIgnored });
      if (name === 'RUN') run(text, replay.folder, context);
    }
    last = replay;
  }
  return last!;
}

function copy(
  text: string,
  {
    replay,
    context,
    to,
    isIgnored,
  }: { replay: Replay; context: string; to: string; isIgnored: (path: string) => boolean },
): void {
  const words = text.split(/\s+/);
  const stage = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = paths.pop()!;
  for (const path of paths) {
    const from = stage ? join(to, stage, path) : join(context, path);
    if (!existsSync(from) || (!stage && isIgnored(path)))
      throw new Error(`COPY ${path}: it is not in the build context.`);
    const isFolder = statSync(from).isDirectory();
    const into = isAbsolute(target) ? join(replay.root, target) : join(replay.folder, target);
    // A folder is copied as its content; a file into a folder keeps its name.
    const destination =
      isFolder || !(target.endsWith('/') || paths.length > 1) ? into : join(into, path.split('/').at(-1)!);
    mkdirSync(dirname(destination), { recursive: true });
    if (stage) execFileSync('cp', ['-al', isFolder ? `${from}/.` : from, destination + (isFolder ? '/' : '')]);
    else cpSync(from, destination, { recursive: true, filter: (one) => !isIgnored(relative(context, one)) });
  }
}

function run(text: string, folder: string, context: string): void {
  if (text.startsWith('npm ci ')) {
    execFileSync('cp', ['-al', join(context, 'node_modules'), folder]);
    // npm writes into this one in place, which would go through to the packages here.
    rmSync(join(folder, 'node_modules', '.package-lock.json'), { force: true });
    return;
  }
  const { status, stdout, stderr } = spawnSync('sh', ['-c', text], { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`RUN ${text} ended with ${status}:\n${stdout}\n${stderr}`.slice(-4000));
}
