// What VitePress is told for one version of the documents; build.mjs writes a file that calls this.

const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

/** Who looks a word up wants to be told of it first; the many calls and shapes that have it come after. The browser gets the text of this function, so it uses nothing around it. */
const boostOf = (id) => (id.includes('/reference/http') ? 0.2 : id.includes('/guide/') ? 1.5 : 1);

/** @param site `{base, root, version, versions: [{name, base}], sidebar, outDir}`; `base` with a slash at both ends */
export const siteConfig = ({ base, root, version, versions, sidebar, outDir }) => ({
  title: 'ML Pipeline Service',
  description: 'From raw data to a served model, with nothing lost on the way',
  lang: 'en',
  base,
  outDir,
  cleanUrls: true,
  lastUpdated: false,
  // A dead link ends the build; addresses of a service that runs on the reader's machine are none of the site.
  ignoreDeadLinks: 'localhostLinks',
  head: [
    ['link', { rel: 'icon', href: `${base}icon.svg`, type: 'image/svg+xml' }],
    ['meta', { name: 'referrer', content: 'no-referrer' }],
  ],
  markdown: {
    theme: { light: 'github-light', dark: 'github-dark' },
    // Braces at the end of a line are the reader's, as in `/predict/{model}`.
    attrs: { disable: true },
    // The anchors that links have where the sources are read, so that one link fits both.
    anchor: { slugify: anchorOf },
  },
  vite: { logLevel: 'warn' },
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local', options: { miniSearch: { searchOptions: { boostDocument: boostOf } } } },
    outline: { level: [2, 3], label: 'On this page' },
    sidebar,
    nav: [
      { text: 'Start', link: '/guide/start', activeMatch: '^/guide/start' },
      { text: 'Tutorials', link: '/guide/user-behavior' },
      { text: 'HTTP', link: '/reference/http/' },
      // Each version is a site of its own, so its menu leaves this one.
      {
        text: version,
        items: versions.map(({ name, base: href }) => ({ component: 'VersionLink', props: { text: name, href } })),
      },
    ],
    footer: { message: 'MIT License', copyright: root === base ? undefined : `Documents of ${version}` },
    docFooter: { prev: 'Before', next: 'Next' },
  },
});
