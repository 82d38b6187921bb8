import Theme from 'vitepress/theme-without-fonts';
import { h } from 'vue';
import './style.css';

/** An entry of the menu of versions: each version is a site of its own, so the address is taken as it stands and the page is left. */
const VersionLink = ({ text, href }) => h('div', { class: 'version-link' }, [h('a', { href, target: '_self' }, text)]);
VersionLink.props = ['text', 'href', 'screenMenu'];

export default {
  extends: Theme,
  enhanceApp: ({ app }) => app.component('VersionLink', VersionLink),
};
