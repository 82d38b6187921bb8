import { DRIFT_RULE, judgeDrift, type DriftRule, type WindowSignals } from '../../core/decisions/judge-drift.js';
import type { NumberSample } from '../../ml/drift/column-drift.js';
import { compareNumbers } from '../../ml/drift/compare-numbers.js';
import { joinNumbers, usualNumberEffect } from '../../ml/drift/usual-variation.js';

/** Rows of numbers in the order of time, by column. */
export type SeriesTable = Readonly<Record<string, Float64Array>>;

/** An alarm that began. */
export interface SeriesAlarm {
  /** Rows that had come when it was given. */
  row: number;
  columns: string[];
}

/**
 * Goes through a table as the monitor does: a reference of whole windows at the start, then a verdict a window.
 * @param windowRows rows of a window
 * @param referenceWindows windows of the reference
 * @returns alarms by the window in which they began; one that lasts is one
 */
export function replaySeries(
  table: SeriesTable,
  windowRows: number,
  referenceWindows: number,
  rule: DriftRule = DRIFT_RULE,
): SeriesAlarm[] {
  const names = Object.keys(table);
  const count = Math.floor(table[names[0]!]!.length / windowRows);
  const windowOf = (name: string, at: number): NumberSample => {
    const part = table[name]!.subarray(at * windowRows, (at + 1) * windowRows).filter((value) =>
      Number.isFinite(value),
    );
    return { values: part.sort(), missing: windowRows - part.length };
  };
  const references = new Map(
    names.map((name) => [name, Array.from({ length: referenceWindows }, (_, at) => windowOf(name, at))]),
  );
  const joined = new Map(names.map((name) => [name, joinNumbers(references.get(name)!)]));
  const usual = new Map(names.map((name) => [name, usualNumberEffect(references.get(name)!)]));
  const importance = new Map(names.map((name) => [name, 1 / names.length]));
  const earlier: WindowSignals[] = [];
  const alarms: SeriesAlarm[] = [];
  let isAlarmed = false;
  for (let at = referenceWindows; at < count; at++) {
    const columns = names.map((name) => compareNumbers(name, joined.get(name)!, windowOf(name, at)));
    const verdict = judgeDrift(columns, earlier, { importance, usual }, rule);
    earlier.push(verdict.signals);
    if (verdict.alarm && !isAlarmed)
      alarms.push({
        row: (at + 1) * windowRows,
        columns: verdict.columns.filter(({ state }) => state === 'alarm').map(({ column }) => column),
      });
    isAlarmed = verdict.alarm;
  }
  return alarms;
}
