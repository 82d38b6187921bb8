import { parseNumber } from '../../../ml/preprocess/column-type.js';
import type { TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { settingsOf } from './plan.js';
import type { TrainingTable } from './training-table.js';

/** What the rules of a project model need besides the model: its settings, and the medians by which a value is high or low. */
export function projectPart(plan: TrainingPlan, table: TrainingTable, encoder: TableEncoder, training: Uint32Array) {
  const medians: Record<string, number> = {};
  const raw = new Map(table.features.map((column) => [column.name, column.values]));
  for (const { name, type } of encoder.features) {
    if (type !== 'number') continue;
    // As requests give them, whatever the preprocessing makes of them.
    const values = Float64Array.from(training, (row) => parseNumber(raw.get(name)?.[row]) ?? NaN)
      .filter((value) => !Number.isNaN(value))
      .sort();
    if (values.length > 0) medians[name] = values[values.length >> 1]!;
  }
  return { medians, project: settingsOf(plan).project };
}
