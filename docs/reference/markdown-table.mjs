// Small pieces of Markdown that the pages of the reference share.
export const NOTE =
  '<!-- Written by docs/reference/make-reference.mjs. Change the code, run `npm run build`, then run that script. -->';

export const code = (text) => `\`${text}\``;

/** Words of the code as prose: outside of backquotes nothing of it is taken for a tag or for emphasis. */
const asProse = (text) =>
  String(text)
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;').replaceAll('*', String.raw`\*`)))
    .join('');
const cell = (text) =>
  asProse(text)
    .replaceAll('|', String.raw`\|`)
    .replaceAll('\n', ' ');

/** A table; the columns are padded when the page is formatted. */
export const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
