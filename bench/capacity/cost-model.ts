/** What a cloud asks for, in any one currency. */
export interface Prices {
  vcpuHour: number;
  gibHour: number;
  /** Of disk, a GB (10^9 bytes) for a month. */
  gbMonth: number;
}

/** What is to be carried. */
export interface Load {
  predictionsPerSecond: number;
  trainingsPerDay: number;
  /** Days that logged predictions are kept. */
  logDays: number;
  /** Share of a core that may be used at the peak, 0 to 1: above it waiting times grow. */
  utilisation: number;
  /** Of each machine. */
  machineCores: number;
  machineGib: number;
}

/** What was measured. */
export interface Measured {
  /** Answers that one core gives in a second. */
  predictionsPerCore: number;
  /** GiB of an API process with all models loaded. */
  apiGib: number;
  logBytesPerPrediction: number;
  trainingCpuSeconds: number;
  trainingWallSeconds: number;
  trainingGib: number;
}

export interface Cost {
  apiCores: number;
  /** At least two, so that one may be restarted. */
  apiMachines: number;
  trainingCores: number;
  trainingMachines: number;
  logGb: number;
  /** Cores and memory for the time that they compute, and the log for as long as it is kept. */
  perMillionPredictions: number;
  perTraining: number;
}

const SECONDS_A_DAY = 86_400;
const DAYS_A_MONTH = 365.25 / 12;
const LEAST_API_MACHINES = 2;

/** How many machines a load needs, and what it costs: what is measured, by price. PostgreSQL and Temporal come on top. */
export function estimateCost(prices: Prices, load: Load, measured: Measured): Cost {
  const { utilisation, machineCores, machineGib } = load;
  const apiCores = load.predictionsPerSecond / (measured.predictionsPerCore * utilisation);
  const trainingCores = (load.trainingsPerDay * measured.trainingCpuSeconds) / SECONDS_A_DAY / utilisation;
  const logGb = (load.predictionsPerSecond * SECONDS_A_DAY * load.logDays * measured.logBytesPerPrediction) / 1e9;
  const coreHoursPerMillion = 1e6 / (measured.predictionsPerCore * utilisation) / 3600;
  const logMonths = load.logDays / DAYS_A_MONTH;
  const perMillionPredictions =
    coreHoursPerMillion * (prices.vcpuHour + measured.apiGib * prices.gibHour) +
    ((1e6 * measured.logBytesPerPrediction) / 1e9) * logMonths * prices.gbMonth;
  const perTraining =
    (measured.trainingCpuSeconds / 3600 / utilisation) * prices.vcpuHour +
    (measured.trainingWallSeconds / 3600) * measured.trainingGib * prices.gibHour;
  // A process a core, each with all models.
  const processes = Math.ceil(apiCores);
  const byMemory = (processes * measured.apiGib) / machineGib;
  return {
    apiCores,
    apiMachines: Math.max(LEAST_API_MACHINES, Math.ceil(Math.max(processes / machineCores, byMemory))),
    trainingCores,
    trainingMachines: Math.max(
      1,
      Math.ceil(trainingCores / machineCores),
      Math.ceil(measured.trainingGib / machineGib),
    ),
    logGb,
    perMillionPredictions,
    perTraining,
  };
}
