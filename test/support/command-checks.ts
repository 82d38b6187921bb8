import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command as CliCommand } from 'commander';
import { parse as parseShell } from 'unbash';
import { parse as parseYaml } from 'yaml';
import { ALL_ROUTES } from '../../api/routes/index-of-routes.js';
import { createProgram } from '../../cli/program.js';
import { parseStackFlags } from '../../infra/local/stack-flags.js';
import { environmentSchema } from '../../services/config.js';
import { projectRoot } from '../../services/project-root.js';
import type { DocumentBlock } from './document-blocks.js';

/** A command of a block as the shell takes it apart. */
export interface ShellCommand {
  /** Settings for it alone, or, without words, of the session. */
  assignments: { name: string; value: string }[];
  words: string[];
}

/** Every command of a script, those in pipes, subshells and `$(…)` too. */
export function commandsOf(script: string): ShellCommand[] {
  const found: ShellCommand[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, prefix, name, suffix } = node as {
      type?: string;
      prefix?: { name: string; value?: { value: string } }[];
      name?: { value: string };
      suffix?: { type: string; value: string }[];
    };
    if (type === 'Command')
      found.push({
        assignments: (prefix ?? []).map(({ name: setting, value }) => ({ name: setting, value: value?.value ?? '' })),
        words: [
          ...(name ? [name.value] : []),
          ...(suffix ?? []).filter((part) => part.type === 'Word').map(({ value }) => value),
        ],
      });
    for (const value of Object.values(node)) walk(value);
  };
  walk(parseShell(script));
  return found;
}

const read = (path: string) => readFileSync(join(projectRoot(), path), 'utf8');
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;
const isFlag = (word: string) => /^--\w/.test(word);
const nameOf = (flag: string) => flag.replace(/^--/, '').split('=', 1)[0]!;

/** The text of a script of ours with what it imports of ours, by which its flags are looked up. */
function sourcesFrom(path: string, seen = new Set<string>()): string {
  if (seen.has(path) || !existsSync(join(projectRoot(), path))) return '';
  seen.add(path);
  const text = read(path);
  const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, one]) =>
    resolve('/', dirname(path), one!.replace(/\.js$/, '.ts')).slice(1),
  );
  return [text, ...imports.map((one) => sourcesFrom(one, seen))].join('\n');
}

function checkScript(source: string, flags: readonly string[]): string[] {
  const text = sourcesFrom(source);
  if (text === '') return [`there is no ${source}`];
  return flags
    .filter(isFlag)
    .map(nameOf)
    .filter((flag) => !new RegExp(`['"]${flag}['"]|\\b${flag}: \\{|['"\`]--${flag}\\b`).test(text))
    .map((flag) => `${source} has no flag --${flag}`);
}

const sourceOf = (compiled: string) => compiled.replace(/^dist\//, '').replace(/\.js$/, '.ts');

function checkNpm([command, ...rest]: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const given = rest.slice(rest.indexOf('--') + 1);
  const flags = rest.includes('--') ? given : [];
  if (command === 'start') {
    try {
      parseStackFlags(flags, env);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  }
  if (command !== 'run') return ['test', 'ci', 'install', 'pack'].includes(command ?? '') ? [] : [`npm ${command}`];
  const name = rest.find((word) => !word.startsWith('-'));
  const line = scripts[name ?? ''];
  if (line === undefined) return [`there is no script ${name}`];
  const [, script] = / ([\w./-]+\.(?:m?js))$/.exec(line) ?? [];
  return script === undefined || flags.length === 0 ? [] : checkScript(sourceOf(script), flags);
}

function checkMlops(words: readonly string[]): string[] {
  let command: CliCommand = createProgram();
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((one) => one.name() === words[at] || one.aliases().includes(words[at]!));
    if (!next) break;
    command = next;
  }
  // `npx mlops … --flag` is said of all commands.
  if (at === 0 && words[0] !== 'x') return [`mlops has no command ${words[0]}`];
  const known = new Set([...command.options, ...createProgram().options].map(({ long }) => long));
  const unknown = words.filter((word) => isFlag(word) && !known.has(word.split('=', 1)[0]));
  const values = command.options.filter((option) => option.required && words.includes(option.long ?? ''));
  const given = words.slice(at).filter((word) => !word.startsWith('-')).length - values.length;
  const least = command.registeredArguments.filter(({ required }) => required).length;
  return [
    ...unknown.map((flag) => `mlops ${words.slice(0, at).join(' ')} has no ${flag}`),
    ...(given < least ? [`mlops ${words.slice(0, at).join(' ')} needs ${least} arguments`] : []),
  ];
}

const PROGRAMS = [...read('infra/docker/start.mjs').matchAll(/^ {2}'?([\w-]+)'?: '([\w/-]+)\.js',$/gm)].map(
  ([, name, source]) => ({ name: name!, source: `${source}.ts` }),
);

/** A program of the image, as its start script takes it. */
function checkProgram([name, ...flags]: readonly string[]): string[] {
  const program = PROGRAMS.find((one) => one.name === name);
  return program ? checkScript(program.source, flags) : [`the image has no program ${name}`];
}

const COMPOSE_FLAGS: Record<string, readonly string[]> = {
  up: ['-d', '--build', '--scale'],
  run: ['--rm'],
  down: ['-v'],
  logs: ['-f'],
  ps: [],
};

function checkDocker(words: readonly string[]): string[] {
  if (words[0] !== 'compose') return [`docker ${words[0]}`];
  const files: string[] = [];
  let at = 1;
  for (; words[at] === '-f'; at += 2) files.push(words[at + 1]!);
  const [action = '', ...rest] = words.slice(at);
  const missing = files.filter((file) => !existsSync(join(projectRoot(), file))).map((file) => `there is no ${file}`);
  if (missing.length > 0 || files.length === 0) return missing.length > 0 ? missing : ['docker compose without -f'];
  const services = new Set(
    files.flatMap((file) => Object.keys((parseYaml(read(file)) as { services: object }).services)),
  );
  const flags = COMPOSE_FLAGS[action];
  if (!flags) return [`docker compose ${action}`];
  const first = rest.findIndex((word) => !word.startsWith('-') && !word.includes('='));
  const own = first < 0 ? rest : rest.slice(0, first);
  const wrong = own.filter((word) => word.startsWith('-') && !flags.includes(word)).map((word) => `${action} ${word}`);
  const scaled = own.filter((word) => word.includes('=')).map((word) => word.split('=', 1)[0]!);
  const named = first < 0 ? scaled : [...scaled, rest[first]!];
  const unknown = named.filter((name) => !services.has(name)).map((name) => `Compose has no service ${name}`);
  return [...wrong, ...unknown, ...(action === 'run' ? checkProgram(rest.slice(first + 1)) : [])];
}

/** Besides the table of routes. */
const OTHER_PATHS = /^\/(openapi\.json|docs|ui|metrics|health)(\/|$)/;
const ROUTES = ALL_ROUTES.map((route) => ({
  ...route,
  shape: new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

function checkCurl(words: readonly string[]): string[] {
  const after = (...flags: string[]) => words[words.findIndex((word) => flags.includes(word)) + 1];
  const has = (...flags: string[]) => words.some((word) => flags.includes(word));
  const body = has('-d', '--data') ? after('-d', '--data') : undefined;
  const sends = body !== undefined || has('--data-binary', '-T', '-F');
  const method = has('-X') ? after('-X')! : sends ? 'POST' : 'GET';
  const address = words.find((word) => /^(https?:\/\/|\$\{?API\b)/.test(word));
  const path = address?.replace(/^(https?:\/\/[^/]+|\$\{?API\}?)/, '').split('?', 1)[0];
  // Only flags, as running text names them.
  if (path === undefined && words.every((word, at) => word.startsWith('-') || words[at - 1]?.startsWith('-')))
    return [];
  if (path === undefined) return ['a curl without an address of the service'];
  if (OTHER_PATHS.test(path)) return [];
  const route = ROUTES.find(({ method: of, shape }) => of === method.toLowerCase() && shape.test(path));
  if (!route) return [`the service has no ${method} ${path}`];
  if (body === undefined || !route.body || /["'$]\$|\\"/.test(body)) return [];
  return checkBody(route, body);
}

/** @param text of a body in JSON @returns what the service would refuse */
function checkBody({ method, path, body }: (typeof ALL_ROUTES)[number], text: string): string[] {
  const { success, error } = body!.safeParse(JSON.parse(text));
  return success ? [] : [`${method.toUpperCase()} ${path}: ${error.message}`];
}

/** Whether the body of a request that a document shows is one that the service takes. @param call such as `POST /data/ingest` */
export function checkRequest(call: string, text: string): string[] {
  const [method, path = ''] = call.split(' ');
  const route = ROUTES.find(({ method: of, shape }) => of === method?.toLowerCase() && shape.test(path));
  return route?.body ? checkBody(route, text) : [`${call} takes no body`];
}

const OTHERS: Record<string, (words: readonly string[], path: string) => string[]> = {
  curl: checkCurl,
  docker: checkDocker,
  node: ([script = '', ...flags]) => (script.startsWith('dist/') ? checkScript(sourceOf(script), flags) : []),
  npx: ([bin, ...words]) => (bin === 'mlops' ? checkMlops(words) : [`npx ${bin}`]),
  // By programs of their own: kubectl-lines.test.ts and temporal-lines.test.ts.
  kubectl: (_words, path) => (/^(README|docs\/(guide|runbooks)\/)/.test(path) ? [] : [`kubectl in ${path}`]),
  temporal: (_words, path) => (path.startsWith('docs/') ? [] : [`temporal in ${path}`]),
  prometheus: (words) =>
    words
      .filter((word) => word.startsWith('--config.file='))
      .map((word) => word.split('=')[1]!)
      .filter((file) => !existsSync(join(projectRoot(), file)))
      .map((file) => `there is no ${file}`),
};
/** What every machine has, and packages of others, which their own pages describe. */
const FAMILIAR = ['.', 'awk', 'cd', 'date', 'export', 'openapi-python-client', 'pip', 'set', 'tail'];
const SETTINGS = new Set([...Object.keys(environmentSchema.shape), 'HOME', 'TOKEN']);

/**
 * What of a block that no test runs would not work: commands, flags, routes, bodies, services and settings are held to the
 * real ones.
 */
export function problemsOf({ path, text }: Pick<DocumentBlock, 'path' | 'text'>): string[] {
  const page = existsSync(join(projectRoot(), path)) ? read(path) : text;
  return commandsOf(text.replaceAll('…', 'x')).flatMap(({ assignments, words: [command, ...words] }) => {
    const env = Object.fromEntries(assignments.map(({ name, value }) => [name, value]));
    const unknown = assignments
      .map(({ name }) => name)
      // A name that the page itself asks for again is its own.
      .filter((name) => !SETTINGS.has(name) && !new RegExp(`\\$\\{?${name}\\b`).test(page))
      .map((name) => `there is no setting ${name}`);
    if (command === undefined || FAMILIAR.includes(command)) return unknown;
    if (command === 'npm') return [...unknown, ...checkNpm(words, env)];
    if (command === '$IN_POD') return [...unknown, ...checkProgram(words)];
    const check = OTHERS[command];
    return [...unknown, ...(check ? check(words, path) : [`nobody checks what ${command} is given`])];
  });
}
