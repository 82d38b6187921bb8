import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../services/project-root.js';

const root = projectRoot();
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path && existsSync(join(root, path)));
const scriptsOf = (folder: string) =>
  Object.keys((JSON.parse(read(join(folder, 'package.json'))) as { scripts: Record<string, string> }).scripts);
/** Of the service, and of the package that a page describes. */
const scriptsFor = (path: string) => [
  ...scriptsOf('.'),
  ...(path.startsWith('clients/typescript/') ? scriptsOf('clients/typescript') : []),
];

/** Text outside of fenced blocks. */
const prose = (text: string) => text.replaceAll(/^```[\s\S]*?^```/gm, '');
/** `Some heading, here` becomes `some-heading-here`. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
const anchorsOf = (path: string) =>
  [...prose(read(path)).matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1] ?? ''));

function brokenLinks(path: string): string[] {
  const links = [...prose(read(path)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  return links
    .filter((link) => !/^(https?:|mailto:)/.test(link))
    .filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file ? join(dirname(path), file) : path;
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
}

describe('the documents', () => {
  it('are all looked at, not only a few', () => {
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'docs/guide/operate.md']));
    expect(documents.length).toBeGreaterThan(15);
  });

  it('name only paths that exist, in ARCHITECTURE.md', () => {
    const named = [...prose(read('ARCHITECTURE.md')).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
    const paths = named.filter((name) => /^[\w.][\w./-]*$/.test(name) && (name.includes('/') || /\.\w+$/.test(name)));
    expect(paths.length).toBeGreaterThan(40);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it.each(documents)('%s has no broken link', (path) => {
    expect(brokenLinks(path)).toEqual([]);
  });

  it('name only npm scripts that exist', () => {
    const wrong = documents.flatMap((path) =>
      [...read(path).matchAll(/npm run (\w[\w:-]*)/g)]
        .filter((match) => !scriptsFor(path).includes(match[1] ?? ''))
        .map((match) => `${path}: npm run ${match[1]}`),
    );
    expect(wrong).toEqual([]);
  });

  it('name no place that exists on one machine only', () => {
    const places = /\/work\/|\.\.\/shared|registry\.npmjs|proxy\.golang|pypi\.org|artifactory/i;
    expect(documents.filter((path) => places.test(read(path)))).toEqual([]);
  });

  it('keep each decision record within 40 lines', () => {
    const records = documents.filter((path) => path.startsWith('docs/adr/'));
    expect(records.length).toBeGreaterThanOrEqual(7);
    expect(records.filter((path) => read(path).trimEnd().split('\n').length > 40)).toEqual([]);
  });

  it('name every variable of the example environment as the service or a file of Compose knows it', () => {
    const reference = read('docs/reference/environment.md');
    const compose = read('infra/compose.yaml') + read('infra/compose.tls.yaml');
    const named = [...read('.env.example').matchAll(/^#?\s?([A-Z][A-Z_]+)=/gm)].map((match) => match[1] ?? '');
    expect(named.length).toBeGreaterThan(10);
    const isKnown = (name: string) => reference.includes(`\`${name}\``) || compose.includes(`\${${name}:-`);
    expect(named.filter((name) => !isKnown(name))).toEqual([]);
  });
});
