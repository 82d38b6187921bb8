// Lays the documents of one checkout out as the pages of a site: docs/guide/x.md becomes guide/x.md, and every link follows.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

/** Documents outside docs/, by where they stand on the site. */
const OTHERS = {
  'README.md': 'project/overview.md',
  'ARCHITECTURE.md': 'project/architecture.md',
  'CONTRIBUTING.md': 'project/contributing.md',
  'SECURITY.md': 'project/security.md',
  'CHANGELOG.md': 'project/changes.md',
  'clients/typescript/README.md': 'reference/typescript-client.md',
};

/** Where a document stands on the site; undefined for what is none of its pages. */
export function pageOf(path) {
  if (path in OTHERS) return OTHERS[path];
  if (!path.startsWith('docs/') || path.startsWith('docs/site/') || !path.endsWith('.md')) return undefined;
  return path.slice('docs/'.length).replace(/(^|\/)README\.md$/, '$1index.md');
}

/** All documents of a checkout that are pages, by their paths in it. */
export function findDocuments(root) {
  const below = readdirSync(join(root, 'docs'), { recursive: true })
    .map((name) => posix.join('docs', name.replaceAll('\\', '/')))
    .filter((path) => !path.includes('node_modules'));
  return [...Object.keys(OTHERS).filter((path) => existsSync(join(root, path))), ...below]
    .filter((path) => pageOf(path))
    .sort();
}

const relativeLink = (from, to) => {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith('.') ? path : `./${path}`;
};

/**
 * The text with each relative link as the site needs it. A link to a file that is no page leads to a copy of the file, whose path is
 * added to `files`; pictures stay pictures. What a link to nothing is, the build says.
 */
export function rewriteLinks(text, path, root, files) {
  const page = pageOf(path);
  // Fenced blocks are left alone: brackets in them are code.
  return text.replaceAll(/^```[\s\S]*?^```|\]\(([^)\s]+)\)/gm, (whole, link) => {
    if (!link || /^(#|[a-z]+:)/.test(link)) return whole;
    const [file, anchor] = link.split('#');
    const target = posix.join(posix.dirname(path), file);
    const other = pageOf(target);
    if (other) return `](${relativeLink(page, other)}${anchor ? `#${anchor}` : ''})`;
    if (!existsSync(join(root, target)) || statSync(join(root, target)).isDirectory()) return whole;
    if (/\.(png|svg)$/.test(target)) {
      files.set(target, target);
      return `](${relativeLink(page, target)})`;
    }
    // Shown by any browser as text.
    files.set(target, `public/files/${target}.txt`);
    return `](/files/${target}.txt)`;
  });
}

/** Writes the pages of the checkout `root` and what they show into `folder`. */
export function stagePages(root, folder) {
  const files = new Map();
  for (const path of findDocuments(root)) {
    const target = join(folder, pageOf(path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, rewriteLinks(readFileSync(join(root, path), 'utf8'), path, root, files));
  }
  for (const [path, target] of files) cpSync(join(root, path), join(folder, target));
}

/** The sidebar that docs/sidebar.json of a checkout asks for, in the form of VitePress. */
export function readSidebar(root) {
  const titleOf = (path) => readFileSync(join(root, path), 'utf8').match(/^# (.+)$/m)?.[1] ?? path;
  const linkOf = (path) => `/${pageOf(path).replace(/(index)?\.md$/, '')}`;
  const pagesBelow = (folder) =>
    findDocuments(root)
      .filter((path) => path.startsWith(folder) && !path.endsWith('README.md'))
      .map((path) => ({ text: titleOf(path).replace(/^HTTP: /, ''), link: linkOf(path) }));
  // `page` is one, `pages` all of a folder but its own first page; with a `text` they are a group.
  const itemsOf = ({ page, pages, ...rest }) => {
    if (page) return [{ ...rest, link: linkOf(page) }];
    return rest.text ? [{ ...rest, items: pagesBelow(pages) }] : pagesBelow(pages);
  };
  return JSON.parse(readFileSync(join(root, 'docs/sidebar.json'), 'utf8')).map((group) => ({
    ...group,
    items: group.items.flatMap(itemsOf),
  }));
}
