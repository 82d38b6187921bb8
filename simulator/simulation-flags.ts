import { checkParameters, SimulationInputError, type SimulationParameters } from './simulation-parameters.js';

/** The flags that decide what is simulated, for `parseArgs`. */
export const PARAMETER_FLAGS = {
  users: { type: 'string' },
  seed: { type: 'string' },
  start: { type: 'string' },
  end: { type: 'string' },
  services: { type: 'string' },
  items: { type: 'string' },
  'metrics-step-minutes': { type: 'string' },
} as const;

export type Flags = Partial<Record<string, string | boolean>>;

/** Reads the parameters of the simulation from flags. */
export function parametersFromFlags(flags: Flags): SimulationParameters {
  const numbers = {
    users: 'users',
    seed: 'seed',
    services: 'services',
    items: 'items',
    metricsStepMinutes: 'metrics-step-minutes',
  };
  const given: Partial<SimulationParameters> = {};
  for (const [name, flag] of Object.entries(numbers)) {
    const text = flags[flag];
    if (typeof text !== 'string') continue;
    if (!/^-?\d+$/.test(text)) throw new SimulationInputError(`--${flag} is a whole number, not "${text}".`);
    Object.assign(given, { [name]: Number(text) });
  }
  if (typeof flags['start'] === 'string') given.start = flags['start'];
  if (typeof flags['end'] === 'string') given.end = flags['end'];
  return checkParameters(given);
}
