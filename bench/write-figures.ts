import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../services/project-root.js';

/**
 * Puts a table into a document, between `<!-- name -->` and `<!-- /name -->`, so that its figures are those of the script.
 * @throws Error where the document has no such place
 */
export function writeFigures(document: string, name: string, table: readonly (readonly (string | number)[])[]): void {
  const file = join(projectRoot(), document);
  const text = readFileSync(file, 'utf8');
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = text.indexOf(from);
  const end = text.indexOf(to);
  if (start < 0 || end < start)
    throw new Error(`${document} has no place for these figures: put ${from} and ${to} where they belong.`);
  const [head = [], ...rows] = table;
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const lines = [line(head), line(head.map(() => '---')), ...rows.map(line)];
  writeFileSync(file, `${text.slice(0, start)}${from}\n\n${lines.join('\n')}\n\n${text.slice(end)}`);
}
