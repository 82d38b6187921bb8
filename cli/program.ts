import { Command } from 'commander';
import { addDataCommands } from './commands/data.js';
import { addDeployCommands } from './commands/deploy.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addFeatureCommands } from './commands/features.js';
import { addJobCommands } from './commands/jobs.js';
import { addModelCommands } from './commands/models.js';
import { addPredictCommand } from './commands/predict.js';
import { addScheduleCommands } from './commands/schedules.js';
import { addSessionCommands } from './commands/session.js';
import { addTrainCommands } from './commands/train.js';
import { addWatchCommands } from './commands/watch.js';
import { addGlobalOptions } from './command-run.js';
import { addCompletionCommands } from './complete-words.js';
import { installedVersion } from './installation.js';

const EXIT_CODES = `
Exit codes:
  0    it is done, and well
  1    a job failed, a verdict is no, rows could not be answered, or doctor found something
  2    the command line is wrong
  3    the service, or something that it needs, cannot be reached
  4    the service refused
  130  Ctrl-C; a job that was started goes on

MLOPS_URL names the service (default http://127.0.0.1:8080), MLOPS_TOKEN the caller; \`mlops login\` keeps both.`;

/** The whole command line. Commander throws instead of ending the process, so that main() decides the exit code. */
export function createProgram(): Command {
  const program = new Command('mlops')
    .description('From a table to a watched model: the command line of the ML Pipeline Service.')
    .version(installedVersion(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(mlops <command> --help shows how it is used)')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
  // Also before the command, as other command lines take them.
  addGlobalOptions(program);
  addSessionCommands(program);
  addDataCommands(program);
  addTrainCommands(program);
  addModelCommands(program);
  addDeployCommands(program);
  addPredictCommand(program);
  addWatchCommands(program);
  addJobCommands(program);
  addFeatureCommands(program);
  addScheduleCommands(program);
  addDoctorCommand(program);
  addCompletionCommands(program);
  return program;
}
