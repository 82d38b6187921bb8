// Builds the site: the documents of this checkout at /, and those of the newest release of each vX.Y at /vX.Y/.
//
//     node docs/site/build.mjs [--root <checkout>] [--out <folder>] [--base /path/]
//
// Needs `npm ci` in this folder, which `npm run docs` does. Ends with 1 when a page has a dead link.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readSidebar, stagePages } from './stage-pages.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    root: { type: 'string', default: join(here, '../..') },
    out: { type: 'string', default: join(here, 'dist') },
    base: { type: 'string', default: '/' },
  },
});
const [root, out, base] = [resolve(values.root), resolve(values.out), values.base];
const git = (...args) => execFileSync('git', ['-C', root, ...args], { maxBuffer: 2 ** 30 });

/** The newest release of each vX.Y, the newest first. Without git or tags there is none. */
function findReleases() {
  let tags = [];
  try {
    tags = git('tag', '--list', 'v*', '--sort=-version:refname').toString().split('\n');
  } catch {
    // A download of the sources has no history: its own documents are all there is.
  }
  const newest = new Map();
  for (const tag of tags) {
    const name = tag.match(/^(v\d+\.\d+)\.\d+$/)?.[1];
    if (name && !newest.has(name) && hasSidebar(tag)) newest.set(name, tag);
  }
  return [...newest].map(([name, tag]) => ({ name, tag, base: `${base}${name}/` }));
}

/** Releases from before the site have no page to show. */
const hasSidebar = (tag) => git('ls-tree', tag, 'docs/sidebar.json').length > 0;

/** A folder with what the release had. */
function checkOut(tag, folder) {
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, '.release.tar');
  writeFileSync(archive, git('archive', '--format=tar', tag));
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  return folder;
}

/** Builds one version. Its pages are laid out below this folder, so that VitePress finds what it imports. */
function buildVersion(version, versions, checkout) {
  const staged = join(here, '.staged', version.name);
  const outDir = version.tag ? join(out, version.name) : out;
  const site = {
    base: version.base,
    root: base,
    version: version.name,
    versions,
    sidebar: readSidebar(checkout),
    outDir,
  };
  stagePages(checkout, staged);
  cpSync(join(here, 'public'), join(staged, 'public'), { recursive: true });
  cpSync(join(here, 'theme'), join(staged, '.vitepress/theme'), { recursive: true });
  writeFileSync(
    join(staged, '.vitepress/config.mjs'),
    `import { siteConfig } from '../../../site-config.mjs';\nexport default siteConfig(${JSON.stringify(site)});\n`,
  );
  const { status } = spawnSync(
    process.execPath,
    [join(here, 'node_modules/vitepress/bin/vitepress.js'), 'build', staged],
    {
      stdio: 'inherit',
    },
  );
  if (status !== 0) throw new Error(`The site of ${version.name} could not be built; the messages above say why.`);
}

if (!existsSync(join(here, 'node_modules/vitepress')))
  throw new Error('VitePress is not installed: run `npm ci` in docs/site, or `npm run docs`.');
rmSync(join(here, '.staged'), { recursive: true, force: true });
rmSync(out, { recursive: true, force: true });
const releases = findReleases();
const versions = [{ name: 'current', base }, ...releases];
const scratch = mkdtempSync(join(tmpdir(), 'docs-'));
try {
  // The current one first: it empties its folder, in which the others then stand.
  buildVersion(versions[0], versions, root);
  for (const release of releases) buildVersion(release, versions, checkOut(release.tag, join(scratch, release.name)));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.stdout.write(`${versions.length === 1 ? 'One version' : `${versions.length} versions`} in ${out}\n`);
