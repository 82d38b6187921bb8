import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFigures } from '../../bench/write-figures.js';
import { projectRoot } from '../../services/project-root.js';
import { CHAOS_PARTS } from './chaos-stack.js';
import { FAULT_KINDS } from './faults.js';
import type { FaultResult } from './run-fault.js';

const DOCUMENT = 'docs/reference/faults.md';
const PLACE = 'faults';
const HEAD = ['Fault', 'Part', 'How', 'Predictions (failed)', 'Outcomes', 'Events', 'Jobs', 'Well again', 'Result'];

const ORDER = FAULT_KINDS.flatMap((kind) => CHAOS_PARTS.map((part) => `${kind} ${part}`));

function describeResult({ notRun, problems, toldLost }: FaultResult): string {
  if (problems.length > 0) return `**broken**: ${problems.join('; ').replaceAll('|', '/').replaceAll('\n', ' ')}`;
  if (notRun !== undefined) return `not run: ${notRun}`;
  return toldLost > 0 ? `held; ${toldLost} logged predictions were lost, counted and told of` : 'held';
}

function rowOf(result: FaultResult): string[] {
  const { kind, part, how, notRun, predictions, failedPredictions, outcomes, events, jobs, readySeconds } = result;
  const figures =
    notRun === undefined
      ? [`${predictions} (${failedPredictions})`, outcomes, events, jobs, `${readySeconds.toFixed(1)} s`]
      : ['', '', '', '', ''];
  return [kind, part, how, ...figures.map(String), describeResult(result)];
}

/** Puts the result into the table of faults, in the place of an older one of the same fault. */
export function writeFaultRow(result: FaultResult): void {
  const rows = new Map<string, string[]>();
  for (const line of readFileSync(join(projectRoot(), DOCUMENT), 'utf8').split('\n')) {
    const row = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const name = `${row[0]} ${row[1]}`;
    if (row.length === HEAD.length && ORDER.includes(name)) rows.set(name, row);
  }
  rows.set(`${result.kind} ${result.part}`, rowOf(result));
  writeFigures(DOCUMENT, PLACE, [HEAD, ...ORDER.flatMap((name) => (rows.has(name) ? [rows.get(name)!] : []))]);
}
