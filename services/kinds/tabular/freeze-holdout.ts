import type { ScoreInput } from '../../../core/schemas/prediction.js';
import type { FrozenHoldout, HoldoutCase } from '../../artifacts/frozen-holdout.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { isHeldOutByEntity, type TrainingTable } from './training-table.js';

/** Rows that are kept of a holdout: enough to tell a loss of a percent, and read within a second. */
const MOST_CASES = 20_000;
/** Units that are kept of what was learnt from. Both are those with the smallest numbers, so that one covers the other. */
const MOST_TRAINED = 200_000;

/** Keeps of a run what its version has never seen, and who it has learnt from, so that it can be compared with later ones on common ground. */
export function freezeHoldout(
  plan: TrainingPlan,
  table: TrainingTable,
  inputOf: (row: number) => ScoreInput,
): FrozenHoldout {
  const { units } = table;
  const rows = Array.from(units.keys());
  const trained = [...new Set(rows.filter((row) => table.isHeldOut[row] === 0).map((row) => units[row]!))].sort(
    (a, b) => a - b,
  );
  const held = rows.filter((row) => table.isHeldOut[row] === 1).sort((a, b) => units[a]! - units[b]! || a - b);
  return {
    unit: isHeldOutByEntity(plan) ? 'entity' : 'row',
    columns: [...table.features.map(({ name }) => name), ...table.targets.map(({ head }) => head.name)],
    cases: held.slice(0, MOST_CASES).map((row) => caseOf(table, row, units[row]!, inputOf(row))),
    trainedUnits: Float64Array.from(trained.slice(0, MOST_TRAINED)),
    trainedUntil: trained.length > MOST_TRAINED ? trained[MOST_TRAINED - 1]! : null,
  };
}

function caseOf(table: TrainingTable, row: number, unit: number, input: ScoreInput): HoldoutCase {
  const known = table.targets.filter(({ y }) => !Number.isNaN(y[row]!));
  const outcome = known.map(({ head, y, classes }) => [head.name, classes[y[row]!] ?? y[row]!] as const);
  return { unit, input, outcome: Object.fromEntries(outcome) };
}
