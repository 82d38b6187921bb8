import type { FieldProblem } from '../../../core/errors.js';
import { findLeakage } from '../../../ml/evaluate/leakage.js';
import type { HeadTarget, TrainingTable } from './training-table.js';

/** A class with a smaller share makes accuracy look good whatever the model does. */
const RARE_SHARE = 0.05;
/** Looking for leakage on more rows finds nothing more. */
const MOST_ROWS = 20_000;

/**
 * What an engineer should know of the data before believing a score: columns that tell the answer away, ids, rows that stand on
 * both sides of the split, classes that are rare. None of it stops a training.
 */
export function checkData(table: TrainingTable): FieldProblem[] {
  return table.targets.flatMap((target) => [...describeImbalance(table, target), ...describeLeakage(table, target)]);
}

function describeImbalance(table: TrainingTable, target: HeadTarget): FieldProblem[] {
  if (target.head.task === 'regression') return [];
  const counts = target.classes.map(() => 0);
  target.y.forEach((label, row) => {
    if (!Number.isNaN(label) && table.isHeldOut[row] === 0) counts[label]!++;
  });
  const rows = counts.reduce((sum, count) => sum + count, 0);
  return target.classes.flatMap((name, label) => {
    const share = counts[label]! / rows;
    if (share >= RARE_SHARE || target.classes.length > 10) return [];
    const message = `only ${counts[label]} of ${rows} training rows are ${String(name)} (${(100 * share).toFixed(1)} %): accuracy says little about it, look at average_precision, roc_auc and log_loss; set costs or class_weight if missing one is worse than a false alarm`;
    return [{ path: target.head.column, message }];
  });
}

function describeLeakage(table: TrainingTable, target: HeadTarget): FieldProblem[] {
  const step = Math.max(1, Math.ceil(table.rows / MOST_ROWS));
  const rows = Array.from({ length: Math.ceil(table.rows / step) }, (_, index) => index * step);
  const warnings = findLeakage({
    columns: table.features.map(({ name, values }) => ({ name, values: rows.map((row) => values[row]) })),
    targets: Float64Array.from(rows, (row) => target.y[row]!),
    task:
      target.head.task === 'regression'
        ? { kind: 'regression' }
        : { kind: 'classification', classes: target.classes.length },
    isHeldOut: Uint8Array.from(rows, (row) => table.isHeldOut[row]!),
  });
  return warnings.map(({ column, message }) => ({ path: column ?? target.head.column, message }));
}
