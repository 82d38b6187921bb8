import { describe, expect, it } from 'vitest';
import { estimateCost, type Load, type Measured, type Prices } from '../../../bench/capacity/cost-model.js';

const prices: Prices = { vcpuHour: 0.04, gibHour: 0.005, gbMonth: 0.1 };
const load: Load = {
  predictionsPerSecond: 3600,
  trainingsPerDay: 24,
  logDays: 365.25 / 12,
  utilisation: 0.5,
  machineCores: 4,
  machineGib: 16,
};
const measured: Measured = {
  predictionsPerCore: 1000,
  apiGib: 0.5,
  logBytesPerPrediction: 500,
  trainingCpuSeconds: 3600,
  trainingWallSeconds: 1800,
  trainingGib: 2,
};

describe('what a load costs', () => {
  it('is the measured time and space, by price, at the share of a core that may be used', () => {
    const cost = estimateCost(prices, load, measured);
    expect(cost.apiCores).toBeCloseTo(7.2);
    expect(cost.apiMachines).toBe(2);
    expect(cost.trainingCores).toBeCloseTo(2);
    expect(cost.trainingMachines).toBe(1);
    // 1e6 / 500 a second = 2000 core-seconds; half a GB for a month.
    expect(cost.perMillionPredictions).toBeCloseTo((2000 / 3600) * (0.04 + 0.5 * 0.005) + 0.5 * 0.1);
    expect(cost.perTraining).toBeCloseTo(2 * 0.04 + 0.5 * 2 * 0.005);
  });

  it('needs two API machines for the smallest load, and more where memory asks for them', () => {
    expect(estimateCost(prices, { ...load, predictionsPerSecond: 1 }, measured).apiMachines).toBe(2);
    expect(estimateCost(prices, load, { ...measured, apiGib: 8 }).apiMachines).toBe(4);
  });
});
