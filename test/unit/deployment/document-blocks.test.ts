import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../services/project-root.js';
import { readSecret } from '../../../services/sources/read-secret.js';
import { createModelsConfigReader } from '../../../services/training/models-config.js';
import { checkRequest, problemsOf } from '../../support/command-checks.js';
import { readRootFile } from '../../support/deployment-tools.js';
import { blocksOf, documentsForReaders, type DocumentBlock } from '../../support/document-blocks.js';

const documents = documentsForReaders();
const blocks = documents.flatMap(blocksOf);
const byLanguage = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));
const nameOf = ({ path, line }: DocumentBlock) => `${path}:${line}`;
const named = (some: DocumentBlock[]) => some.map((block) => [nameOf(block), block] as const);
const PROGRAMS = ['sh', 'sql', 'py', 'ts', 'js', 'bash', 'shell', 'console'];
const notRun = byLanguage(...PROGRAMS).filter(({ mark }) => mark !== 'tested');
const folder = mkdtempSync(join(tmpdir(), 'mlops-blocks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('each block of commands, requests and code in the documents', () => {
  it('is found, by all that fences it', () => {
    expect(blocks.length).toBeGreaterThan(300);
    const fences = documents.flatMap((path) => readRootFile(path).match(/^ *```/gm) ?? []);
    expect(fences).toHaveLength(2 * blocks.length);
  });

  it('is run by a test, or says why not', () => {
    const silent = byLanguage(...PROGRAMS).filter(({ mark }) => !/^(tested|not run: \S.+)$/.test(mark ?? ''));
    expect(silent.map(nameOf), 'needs <!-- tested -->, or <!-- not run: why --> above it').toEqual([]);
  });

  it('is run wherever it can be: few are not', () => {
    expect(notRun.length).toBeLessThanOrEqual(47);
    expect(byLanguage(...PROGRAMS).filter(({ mark }) => mark === 'tested').length).toBeGreaterThan(150);
  });

  it('has a language: what has none is printed, and no command', () => {
    const printed = byLanguage('').filter(({ mark }) => mark !== 'printed');
    const lines = printed.flatMap((block) => block.text.split('\n').map((line) => [nameOf(block), line]));
    expect(lines.filter(([, line]) => /^(npm|npx|curl|node|docker|kubectl|psql) /.test(line!))).toEqual([]);
  });

  it('names, where another test does the same, a test that there is', () => {
    const files = readdirSync(join(projectRoot(), 'test'), { recursive: true, encoding: 'utf8' });
    const wanted = notRun.flatMap(({ mark }) => mark?.match(/[\w/-]+\.test\.ts/g) ?? []);
    expect(wanted.length).toBeGreaterThan(10);
    expect(wanted.filter((name) => !files.some((file) => `/${file}`.endsWith(`/${name}`)))).toEqual([]);
  });
});

describe('a block that no test runs', () => {
  const scripts = named(notRun.filter(({ language }) => language === 'sh'));

  it.each(scripts)('has commands, flags, routes, bodies and settings that there are: %s', (_name, block) => {
    expect(problemsOf(block)).toEqual([]);
  });

  it('is a script that bash can read', () => {
    for (const [name, { text }] of scripts)
      expect(spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' }).stderr, name).toBe('');
  });

  it.each([
    ['npm start -- --prot 1', 'prot'],
    ['npm run chaos -- --parts api', 'no flag --parts'],
    ['npm run chaoss', 'no script chaoss'],
    ['npx mlops deploy m v1 --steppes 1', 'has no --steppes'],
    ['npx mlops deploy', 'needs'],
    ['curl -sSf "$API/modells"', 'no GET /modells'],
    [`curl "$API/models/train" -d '{"model": 1}'`, 'POST /models/train'],
    ['docker compose -f infra/compose.yaml up -d --scale trainer=2', 'no service trainer'],
    ['docker compose -f infra/compose.yaml run --rm api tokens', 'no program tokens'],
    ['MAX_TRAINING_TIEM=3', 'no setting MAX_TRAINING_TIEM'],
    ['make all', 'nobody checks'],
  ])('is refused where it is wrong: %s', (text, said) => {
    expect(problemsOf({ path: 'docs/guide/x.md', text }).join()).toContain(said);
  });

  it('of Python is Python, and calls operations that there are', (context) => {
    if (spawnSync('python3', ['--version']).status !== 0) context.skip();
    const operations = readRootFile('docs/reference/http/README.md') && readRootFile('clients/typescript/schema.ts');
    for (const [name, { text }] of named(byLanguage('py'))) {
      const parsed = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: text });
      expect(parsed.status, `${name}: ${parsed.stderr.toString()}`).toBe(0);
      for (const [, operation] of text.matchAll(/from ml_pipeline\.api\.\w+ import (\w+)/g))
        expect(operations, name).toContain(`operations["${operation}"]`);
    }
  });
});

describe('commands in the running text', () => {
  const inText = documents.flatMap((path) =>
    [
      ...readRootFile(path)
        .replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
        .matchAll(/`((?:curl|npx mlops|docker compose -f|npm run) [^`\n]+)`/g),
    ].map(([, text]) => [path, text!] as const),
  );

  it('are ones that there are', () => {
    expect(inText.length).toBeGreaterThan(40);
    const wrong = inText.flatMap(([path, text]) =>
      problemsOf({ path, text }).map((problem) => `${path}: ${text}: ${problem}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('what the documents show of files and bodies', () => {
  const load = async (name: string, text: string) => {
    const place = mkdtempSync(join(folder, 'config-'));
    writeFileSync(join(place, 'config.yaml'), '{}');
    writeFileSync(join(place, name), text);
    return createModelsConfigReader(join(place, 'config.yaml'))();
  };
  const WAYS: ((text: string) => Promise<unknown>)[] = [
    (text) => load('config.yaml', text),
    (text) => load('data-types.yaml', text),
    (text) => load('features.yaml', text),
    (text) => load('retention.yaml', text),
    (text) => {
      const file = join(mkdtempSync(join(folder, 'secrets-')), 'secrets.yaml');
      writeFileSync(file, text);
      return readSecret(file, 'orders_api', 'api.example.com');
    },
  ];

  it.each(named(byLanguage('yaml')))('is a file that the service takes: %s', async (_name, { text }) => {
    const results = await Promise.allSettled(WAYS.map((way) => way(text)));
    const reasons = results.map((result) => (result.status === 'rejected' ? String(result.reason) : ''));
    expect(
      results.some(({ status }) => status === 'fulfilled'),
      reasons.join('\n'),
    ).toBe(true);
  });

  it.each(named(byLanguage('json')))(
    'is JSON, and what the service takes where it is sent: %s',
    (_name, { text, mark }) => {
      const values = text.replaceAll(/^}\n(?={)/gm, '},');
      const wrapped = !/^"\w+": /.test(text) ? `[${values}]` : `{${values}}`;
      expect(() => JSON.parse(wrapped)).not.toThrow();
      const [, call] = /^body of (.+)$/.exec(mark ?? '') ?? [];
      if (call !== undefined) expect(checkRequest(call, text)).toEqual([]);
    },
  );

  it('has a body for each request that is shown without a command', () => {
    expect(byLanguage('json').filter(({ mark }) => mark?.startsWith('body of ')).length).toBeGreaterThan(0);
  });
});

it('the example environment is a script that bash can read', () => {
  expect(existsSync(join(projectRoot(), '.env.example'))).toBe(true);
  const { stderr } = spawnSync('bash', ['-n', '.env.example'], { cwd: projectRoot(), encoding: 'utf8' });
  expect(stderr).toBe('');
});
