import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../services/project-root.js';

interface SidebarItem {
  text: string;
  link?: string;
  items?: SidebarItem[];
}
/** docs/site/stage-pages.mjs, which runs before anything is built. */
interface StagePages {
  findDocuments(root: string): string[];
  pageOf(path: string): string | undefined;
  readSidebar(root: string): SidebarItem[];
}

const root = projectRoot();
const site = join(root, 'docs/site');
const scratch = mkdtempSync(join(tmpdir(), 'docs-site-'));
const build = (...args: string[]) =>
  spawnSync(process.execPath, [join(site, 'build.mjs'), ...args], { encoding: 'utf8', timeout: 240_000 });
const linksOf = (items: readonly SidebarItem[]): string[] =>
  items.flatMap(({ link, items: below }) => [...(link ? [link] : []), ...linksOf(below ?? [])]);

/** The pages of a built site that have links to nothing, with those links. */
function findDeadLinks(folder: string): string[] {
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  const isThere = (path: string) =>
    [path, `${path}.html`, join(path, 'index.html')].some((name) => existsSync(join(folder, decodeURI(name))));
  return pages.flatMap((page) =>
    [...readFileSync(join(folder, page), 'utf8').matchAll(/ (?:href|src)="(\/[^"#?]*)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !isThere(link))
      .map((link) => `${page}: ${link}`),
  );
}

/** A checkout with documents of its own, in a folder of its own. */
function writeCheckout(name: string, files: Record<string, string>): string {
  const folder = join(scratch, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

describe('the site of the documents', () => {
  let canInstall = true;
  beforeAll(() => {
    const { status, stderr } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], {
      cwd: site,
      encoding: 'utf8',
    });
    canInstall = status === 0;
    if (!canInstall)
      process.stderr.write(`The site is not built here, as npm cannot install what it needs: ${stderr}\n`);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('has every document in its sidebar, once, and nothing else', async () => {
    const { findDocuments, pageOf, readSidebar } = (await import(
      pathToFileURL(join(site, 'stage-pages.mjs')).href
    )) as StagePages;
    const pages = findDocuments(root).map((path) => `/${pageOf(path)?.replace(/(index)?\.md$/, '')}`);
    expect(pages.length).toBeGreaterThan(80);
    // The front page leads to the others.
    expect(linksOf(readSidebar(root)).sort()).toEqual(pages.filter((page) => page !== '/').sort());
  });

  it('is built with a search, without a dead link or anything from another host', (context) => {
    if (!canInstall) return context.skip();
    const out = join(scratch, 'whole');
    const { status, stdout, stderr } = build('--out', out);
    expect(status, stdout + stderr).toBe(0);
    expect(findDeadLinks(out)).toEqual([]);
    const home = readFileSync(join(out, 'index.html'), 'utf8');
    expect(home).toContain('Five-minute start');
    const console = readFileSync(join(out, 'guide/console.html'), 'utf8');
    expect(console).toMatch(/<img src="\/assets\/overview\.[\w-]+\.png"/);
    for (const page of [home, console]) expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)="(https?:)?\/\//);
    const chunks = readdirSync(join(out, 'assets/chunks'));
    expect(chunks.some((name) => name.startsWith('@localSearchIndexroot'))).toBe(true);
  });

  it('has each release at an address of its own, with a menu that leads there, and refuses a dead link', (context) => {
    if (!canInstall) return context.skip();
    const folder = writeCheckout('released', {
      'docs/index.md': '# Front\n\n[More](guide/more.md)\n',
      'docs/guide/more.md': '# As released\n',
      'docs/sidebar.json': '[{ "text": "Start", "items": [{ "text": "More", "page": "docs/guide/more.md" }] }]',
    });
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args]);
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'A release');
    for (const tag of ['v0.3.0', 'v0.3.1', 'not-a-release']) git('tag', tag);
    writeFileSync(join(folder, 'docs/guide/more.md'), '# As it is now\n');
    const out = join(scratch, 'versions');
    const { status, stdout, stderr } = build('--root', folder, '--out', out, '--base', '/documents/');
    expect(status, stdout + stderr).toBe(0);
    expect(readFileSync(join(out, 'guide/more.html'), 'utf8')).toContain('As it is now');
    const released = readFileSync(join(out, 'v0.3/guide/more.html'), 'utf8');
    expect(released).toContain('As released');
    for (const link of ['"/documents/"', '"/documents/v0.3/"']) expect(released).toContain(`href=${link}`);
    writeFileSync(join(folder, 'docs/guide/more.md'), '# More\n\n[Gone](gone.md)\n');
    const refused = build('--root', folder, '--out', join(scratch, 'refused'));
    expect(refused.status).toBe(1);
    expect(refused.stdout + refused.stderr).toContain('gone');
  });
});
