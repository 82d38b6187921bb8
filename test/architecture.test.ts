import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What each layer may import at run time, besides itself. Anything absent is forbidden. */
const ALLOWED: Record<string, readonly string[]> = {
  ml: [],
  core: ['ml'],
  services: ['core', 'ml'],
  activities: ['services', 'core'],
  workflows: ['core'],
  workers: ['activities', 'services', 'core'],
  commands: ['services', 'core'],
  api: ['services', 'core'],
  cli: ['core', 'clients/typescript'],
  simulator: [],
  'infra/local': ['workers', 'api', 'services', 'core', 'simulator'],
  'infra/grafana': ['services'],
  bench: ['ml', 'core', 'services', 'simulator', 'infra/local'],
  console: ['clients/typescript'],
  'clients/typescript': [],
};
const LAYERS = Object.keys(ALLOWED);
/** Of core, workflows take only what is small and needs no I/O. */
const WORKFLOW_CORE = /^core\/(names|errors|policy\/)/;
/** The command line knows names, and the service through its client only: what it can do, any caller can. */
const CLI_CORE = /^core\/names/;
const BAD_NAMES = /(^|[-.])(utils?|helpers?|common|misc|manager|legacy|v\d+|new|old|tmp)([-.]|$)/;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.(tsx?|mjs)$/.test(file) && !file.includes('/generated/'));
const layerOf = (file: string) =>
  LAYERS.filter((layer) => file.startsWith(`${layer}/`)).sort((a, b) => b.length - a.length)[0];
const layered = files.filter((file) => layerOf(file) !== undefined);

interface Import {
  from: string;
  to: string;
  isTypeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm);
  return [...statements].map((match) => ({
    from: file,
    to: match[2] ?? match[3] ?? '',
    isTypeOnly: match[1] !== undefined,
  }));
}

const imports = layered.flatMap(importsOf);
const targetOf = (item: Import) =>
  item.to.startsWith('.') ? normalize(join(dirname(item.from), item.to)).replace(/\.js$/, '.ts') : undefined;

describe('the architecture', () => {
  it('is checked over the whole tree, not over a few files', () => {
    expect(layered.length).toBeGreaterThan(120);
    expect(imports.length).toBeGreaterThan(400);
    for (const layer of LAYERS)
      expect(layered.filter((file) => layerOf(file) === layer).length, layer).toBeGreaterThan(0);
  });

  it('lets each layer import only the layers below it', () => {
    const wrong = imports.filter((item) => {
      const target = targetOf(item);
      const from = layerOf(item.from)!;
      const to = target && layerOf(target);
      if (!to || to === from || item.isTypeOnly) return false;
      return !ALLOWED[from]!.includes(to);
    });
    expect(wrong.map((item) => `${item.from} imports ${item.to}`)).toEqual([]);
  });

  it('keeps workflows to the vocabulary, and to types of the activities', () => {
    const wrong = imports.filter((item) => {
      const target = targetOf(item);
      if (layerOf(item.from) !== 'workflows' || item.from.endsWith('.mjs') || !target) return false;
      const to = layerOf(target);
      if (to === 'workflows') return false;
      return !(to === 'activities' && item.isTypeOnly) && !WORKFLOW_CORE.test(target);
    });
    expect(wrong.map((item) => `${item.from} imports ${item.to}`)).toEqual([]);
  });

  it('keeps the console to the public API: it takes nothing of the service, not even its types', () => {
    const wrong = imports.filter((item) => {
      const target = targetOf(item);
      const to = target && layerOf(target);
      if (layerOf(item.from) !== 'console' || item.from.endsWith('.config.ts')) return false;
      return item.to.startsWith('node:') || (to && to !== 'console' && to !== 'clients/typescript');
    });
    expect(wrong.map((item) => `${item.from} imports ${item.to}`)).toEqual([]);
  });

  it('lets the command line reach the service as every caller does', () => {
    const wrong = imports.filter((item) => {
      const target = targetOf(item);
      if (layerOf(item.from) !== 'cli' || !target || layerOf(target) === 'cli') return false;
      return target !== 'clients/typescript/client.ts' && !CLI_CORE.test(target);
    });
    expect(wrong.map((item) => `${item.from} imports ${item.to}`)).toEqual([]);
  });

  it('keeps node, databases and Express where they belong', () => {
    const isPure = (file: string) =>
      ['ml', 'core'].includes(layerOf(file)!) || (layerOf(file) === 'workflows' && file.endsWith('.ts'));
    const wrong = imports.filter(({ from, to, isTypeOnly }) => {
      if (isPure(from) && to.startsWith('node:')) return true;
      const layer = layerOf(from)!;
      if (to === 'express' && !['api', 'bench'].includes(layer)) return true;
      const isStore = /^(@prisma|@duckdb|pg$|pg-|ioredis|redis)/.test(to);
      // The simulator and the local stack are outside the service: they stand in for the user's own systems.
      return isStore && !isTypeOnly && !['services', 'simulator', 'infra/local', 'bench'].includes(layer);
    });
    expect(wrong.map((item) => `${item.from} imports ${item.to}`)).toEqual([]);
  });

  it('has no clock and no random number in ml and core', () => {
    const wrong = layered
      .filter((file) => ['ml', 'core', 'simulator'].includes(layerOf(file)!) && !file.endsWith('main.ts'))
      .filter((file) => /Math\.random\(|Date\.now\(|new Date\(\)/.test(readFileSync(file, 'utf8')));
    expect(wrong).toEqual([]);
  });

  it('lets no connection of PostgreSQL that breaks end its process', () => {
    const bare = layered
      .filter((file) => !['simulator', 'bench'].includes(layerOf(file)!))
      .filter((file) => readFileSync(file, 'utf8').includes('new pg.Client('));
    expect(bare).toEqual([]);
  });

  it('reads the environment in one place of the service', () => {
    const wrong = layered
      .filter(
        (file) =>
          ['core', 'ml', 'services', 'activities', 'workflows', 'workers', 'commands', 'api'].includes(
            layerOf(file)!,
          ) && file !== 'services/config.ts',
      )
      .filter((file) => readFileSync(file, 'utf8').includes('process.env'));
    expect(wrong).toEqual([]);
  });

  it('names files in kebab-case by what they hold, never by what they are not', () => {
    const wrong = files.filter(
      (file) =>
        !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config))?\.(tsx?|mjs)$/.test(basename(file)) ||
        BAD_NAMES.test(basename(file).replace(/\.(tsx?|mjs)$/, '')),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps every file below 400 lines', () => {
    const written = layered.filter((file) => file !== 'clients/typescript/schema.ts');
    const long = written.filter((file) => readFileSync(file, 'utf8').split('\n').length > 400);
    expect(long).toEqual([]);
  });

  it('re-exports whole folders only where Temporal needs it', () => {
    expect(layered.filter((file) => basename(file) === 'index.ts')).toEqual([
      'activities/index.ts',
      'workflows/index.ts',
    ]);
  });
});
