import { dropControls, escapeHtml } from './escape-html.js';

/** Any text as one line of text of Markdown: nothing in it is markup, a link, the end of a cell or HTML. */
export function escapeMarkdown(text: string): string {
  const line = escapeHtml(dropControls(text).replace(/\s+/g, ' ').trim());
  return (
    line
      .replace(/[\\`*[\]#!|~@]/g, (character) => `\\${character}`)
      // Within a word it is text.
      .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
      // Addresses become links by themselves.
      .replaceAll('://', '\\://')
      .replace(/www\./gi, (found) => `${found.slice(0, -1)}\\.`)
      // A list, a rule or the underlining of a heading, at the beginning of a line.
      .replace(/^[-+=]/, (character) => `\\${character}`)
      .replace(/^(\d+)([.)])(?=\s|$)/, '$1\\$2')
  );
}
