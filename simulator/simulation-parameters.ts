/** What decides a simulation completely: the same parameters give the same rows, to the bit. */
export interface SimulationParameters {
  /** Users, 1..10,000,000. User i lives the same life however many there are. */
  users: number;
  /** Any integer. */
  seed: number;
  /** First midnight (UTC) of the window, as `YYYY-MM-DD`. */
  start: string;
  /** Midnight (UTC) at which the window ends; nothing happens at or after it. */
  end: string;
  /** Services that are measured, 1..500. */
  services: number;
  /** Items that can be recommended, 10..100,000. */
  items: number;
  /** Minutes between two measurements of a service: 5 or 60. */
  metricsStepMinutes: number;
}

export const DEFAULT_PARAMETERS: SimulationParameters = {
  users: 2000,
  seed: 42,
  start: '2023-10-01',
  end: '2024-07-01',
  services: 6,
  items: 400,
  metricsStepMinutes: 60,
};

export const DAY_MS = 86_400_000;

/** A flag or parameter that cannot be used; the message says which and what it may be. */
export class SimulationInputError extends Error {
  override readonly name = 'SimulationInputError';
}

/** Days since 1970-01-01 (a Thursday) of a date `YYYY-MM-DD`. */
export function dayNumber(date: string): number {
  return Math.floor(Date.parse(`${date}T00:00:00Z`) / DAY_MS);
}

/** Whether a day number falls on a Saturday or Sunday. */
export function isWeekend(day: number): boolean {
  return (((day + 3) % 7) + 7) % 7 >= 5;
}

/** Fills in the defaults and refuses what cannot be simulated. */
export function checkParameters(given: Partial<SimulationParameters>): SimulationParameters {
  const parameters = { ...DEFAULT_PARAMETERS, ...given };
  whole('users', parameters.users, 1, 10_000_000);
  whole('seed', parameters.seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  whole('services', parameters.services, 1, 500);
  whole('items', parameters.items, 10, 100_000);
  if (![5, 60].includes(parameters.metricsStepMinutes)) {
    throw new SimulationInputError(`--metrics-step-minutes is 5 or 60, not ${parameters.metricsStepMinutes}.`);
  }
  for (const name of ['start', 'end'] as const) {
    const date = parameters[name];
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || Number.isNaN(Date.parse(`${date}T00:00:00Z`))) {
      throw new SimulationInputError(`--${name} is a date such as 2024-01-31, not "${date}".`);
    }
  }
  const days = dayNumber(parameters.end) - dayNumber(parameters.start);
  if (days < 1 || days > 3660) {
    throw new SimulationInputError(
      `--end must lie 1 to 3660 days after --start; from ${parameters.start} to ${parameters.end} it is ${days}.`,
    );
  }
  return parameters;
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new SimulationInputError(`--${name} is a whole number from ${least} to ${most}, not ${value}.`);
}
