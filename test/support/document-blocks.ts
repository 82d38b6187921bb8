import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../services/project-root.js';

/** A fenced block of a document, without the indentation that it has in a list. */
export interface DocumentBlock {
  path: string;
  /** Of its first line of content, from 1. */
  line: number;
  /** What stands behind the fence; '' for what is printed, and for pictures. */
  language: string;
  text: string;
  /** What the comment right above it says of it: `tested`, or `not run: why`. */
  mark: string | undefined;
}

const BLOCK =
  /^(?:(?<of>[ ]*)<!-- (?<mark>.+?) -->\n\s*)?^(?<indent>[ ]*)```(?<language>[\w-]*)[^\n]*\n(?<text>[\s\S]*?)^\k<indent>```$/gm;

/** Every fenced block of a document of the repository. */
export function blocksOf(path: string): DocumentBlock[] {
  const document = readFileSync(join(projectRoot(), path), 'utf8');
  return [...document.matchAll(BLOCK)].map((match) => {
    const { mark, indent = '', language = '', text = '' } = match.groups!;
    const fence = match[0].indexOf('```');
    return {
      path,
      line: document.slice(0, match.index + fence).split('\n').length + 1,
      language,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      mark,
    };
  });
}

/** The README, and every page below `docs/`. */
export function documentsForReaders(): string[] {
  const listed = execFileSync('git', ['ls-files', 'README.md', 'docs/*.md'], { cwd: projectRoot(), encoding: 'utf8' });
  return listed.split('\n').filter((path) => path !== '');
}
