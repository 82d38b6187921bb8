import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { Configuration } from '../../ml/search/search-space.js';
import type { Report, Trial } from '../../ml/search/trial.js';
import type { OpenTrials } from '../kinds/recipe.js';
import { RECIPES } from '../kinds/recipes.js';
import { lowerPriority } from '../training/lower-priority.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { NumbersFolder } from './numbers-folder.js';
import { endedBefore, measureTrial, type Measurement } from './measure-trial.js';

export type TrialOrder =
  /** First: the data to load. `shared`: a folder for what the processes of the sweep have in common. */
  | { type: 'open'; plan: TrainingPlan; staging: string; shared: string }
  /** `ended` are the next ends by number that this process has not been told of. */
  | { type: 'run'; index: number; configuration: Configuration; ended: readonly Trial[] };
export type TrialMessage =
  | { type: 'opened' }
  | { type: 'report'; report: Report }
  | { type: 'measured'; measurement: Measurement }
  | { type: 'failed'; code?: ServiceError['code']; message: string; problems?: readonly FieldProblem[] };

const LOOK_EVERY_MS = 1000;

/**
 * Runs the trials of one sweep, one after another, on data that is loaded once. It ends itself when its worker is gone: a killed worker
 * sends no signal, and a busy loop sees no event, so the parent's id is looked at in each report.
 */
function main(): void {
  const parent = process.ppid;
  const endOrphan = () => {
    if (process.ppid !== parent) process.exit(1);
  };
  // Training never takes the cores from serving.
  lowerPriority();
  process.on('disconnect', () => process.exit(1));
  setInterval(endOrphan, LOOK_EVERY_MS).unref();
  const known: Trial[] = [];
  let opened: { trials: OpenTrials; plan: TrainingPlan } | undefined;
  const perform = async (order: TrialOrder) => {
    if (order.type === 'open') {
      const { plan, staging, shared } = order;
      const numbers = new NumbersFolder(shared);
      opened = { trials: await RECIPES[plan.kind].search!.openTrials(plan, staging, numbers), plan };
      return send({ type: 'opened' });
    }
    known.push(...order.ended);
    const { trials, plan } = opened!;
    const { index, configuration } = order;
    const history = known.slice(0, endedBefore(index, plan.search!));
    const measurement = await measureTrial(
      trials,
      { search: plan.search!, index, configuration, history },
      (report) => {
        endOrphan();
        send({ type: 'report', report });
      },
    );
    send({ type: 'measured', measurement });
  };
  process.on('message', (message) => {
    perform(message as TrialOrder).catch((error: unknown) =>
      send(
        error instanceof ServiceError
          ? { type: 'failed', code: error.code, message: error.message, problems: error.problems }
          : { type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      ),
    );
  });
}

const send = (message: TrialMessage): void => void process.send?.(message);

main();
