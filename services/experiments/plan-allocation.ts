import { contextKeys, type AdaptiveAllocation } from '../../core/decisions/allocation.js';
import { ServiceError } from '../../core/errors.js';
import type { AllocationSettings, ExperimentRequest } from '../../core/schemas/experiment.js';
import type { ExperimentArmRoute } from './experiment-arms.js';

/** Share of an equal share that every arm keeps, where no floor is asked for. */
const FLOOR_SHARE = 0.2;
/** Share of the most time of an experiment after which all batches are in: the rest is for what the last ones show. */
const ENROLLED_BY = 0.5;

/** @throws ServiceError `request_invalid` for a floor that the arms cannot all have, or a context that the model does not know */
export function refuseBadAllocation(
  { allocation, arms }: ExperimentRequest,
  features: readonly { name: string }[],
): void {
  if (allocation.method === 'fixed') return;
  const { floor, context } = allocation;
  if (floor !== undefined && floor * arms.length >= 1)
    throw new ServiceError('request_invalid', `${arms.length} arms cannot each have a chance of ${floor}.`, [
      { path: 'allocation.floor', message: `must be below 1 / ${arms.length}` },
    ]);
  const unknown = context.findIndex((item) => !features.some(({ name }) => name === item.feature));
  if (unknown >= 0)
    throw new ServiceError('request_invalid', `The model’s features: ${features.map(({ name }) => name).join(', ')}.`, [
      { path: `allocation.context.${unknown}.feature`, message: 'is not a feature of the model' },
    ]);
}

/** With every default written out. */
export function completeAllocation({
  allocation,
  arms,
  max_seconds: mostSeconds,
}: ExperimentRequest): AllocationSettings {
  if (allocation.method === 'fixed') return allocation;
  const { floor = FLOOR_SHARE / arms.length, batches } = allocation;
  const { refresh_seconds: refresh = Math.max(1, (mostSeconds * ENROLLED_BY) / batches) } = allocation;
  return { ...allocation, floor, refresh_seconds: refresh };
}

/** The first batch is drawn by the weights, but for the floor: nothing is known yet. Undefined for a fixed allocation. */
export function openFirstBatch(
  { allocation }: { allocation: AllocationSettings },
  arms: readonly ExperimentArmRoute[],
): AdaptiveAllocation | undefined {
  if (allocation.method === 'fixed') return undefined;
  const { batches, context, floor = 0 } = allocation;
  const start = arms.map(({ weight }) => floor + (1 - floor * arms.length) * weight);
  const chances = Object.fromEntries(contextKeys(context).map((key) => [key, start]));
  return { batches, floor, context, opened: [{ window: 0, at: new Date().toISOString(), chances }] };
}

/** Of the arm that has the fewest entities and of the control; an adaptive allocation may give an arm as little as the floor. */
export function leastWeights(
  { allocation, control }: { allocation: AllocationSettings; control: string },
  arms: readonly ExperimentArmRoute[],
): [number, number] {
  if (allocation.method === 'thompson') {
    const floor = allocation.floor ?? FLOOR_SHARE / arms.length;
    return [floor, 1 - floor * (arms.length - 1)];
  }
  const others = arms.filter(({ arm }) => arm !== control);
  return [Math.min(...others.map(({ weight }) => weight)), arms.find(({ arm }) => arm === control)!.weight];
}
