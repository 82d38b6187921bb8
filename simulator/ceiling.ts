import { parseArgs } from 'node:util';
import { bayesCeiling } from './bayes-ceiling.js';
import { PARAMETER_FLAGS, parametersFromFlags } from './simulation-flags.js';
import { projectCeiling } from './project-ceiling.js';
import { SimulationInputError } from './simulation-parameters.js';

const HELP = `Prints, as JSON, the best that any model can be expected to reach on the simulated data.

  node dist/simulator/ceiling.js [--users n] [--seed n] [--start date] [--end date]
    --start-date <date> --end-date <date>   only events in between count
    --active-users-only                     only users with an event in the 30 days before the as-of time
    --every-days <n>                        days between as-of times (default 15)
    --lookback-days <n>                     default 60
`;

/** Runs the command line; answers with the exit code. */
export function main(argv: readonly string[]): number {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        ...PARAMETER_FLAGS,
        'start-date': { type: 'string' },
        'end-date': { type: 'string' },
        'active-users-only': { type: 'boolean' },
        'every-days': { type: 'string' },
        'lookback-days': { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const parameters = parametersFromFlags(values);
    const userBehavior = bayesCeiling({
      parameters,
      activeUsersOnly: values['active-users-only'] === true,
      ...(values['start-date'] === undefined ? {} : { startDate: values['start-date'] }),
      ...(values['end-date'] === undefined ? {} : { endDate: values['end-date'] }),
      ...(values['every-days'] === undefined ? {} : { everyDays: positive('every-days', values['every-days']) }),
      ...(values['lookback-days'] === undefined
        ? {}
        : { lookbackDays: positive('lookback-days', values['lookback-days']) }),
    });
    process.stdout.write(
      `${JSON.stringify({ parameters, userBehavior, projectSuccess: projectCeiling(parameters) }, shorten, 2)}\n`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(`ceiling: ${error instanceof Error ? error.message : String(error)} See --help.\n`);
    return 1;
  }
}

function positive(flag: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new SimulationInputError(`--${flag} is a whole number of days from 1 on, not "${text}".`);
}

const shorten = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? Math.round(value * 10_000) / 10_000 : value;

if (import.meta.url === `file://${process.argv[1]}`) process.exitCode = main(process.argv.slice(2));
