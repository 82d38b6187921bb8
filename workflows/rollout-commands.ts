import { proxyActivities, setHandler } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { ladderProblem } from '../core/policy/ladder.js';
import { NOTE } from './activity-options.js';
import { approve, pause, promote, resume, setLadder } from './messages.js';
import type { JobRun } from './run-job.js';

const { noteCommands } = proxyActivities<Activities>(NOTE);

type Received = Parameters<typeof noteCommands>[0]['commands'][number];

/** What a signal may say besides its name. Whoever sends one by the command line says nothing, and is called so. */
interface Sender {
  by: string;
  note?: string;
}

const MOST_CHARACTERS = 500;

/** What persons want of a rollout, as it comes in by signals. Each is written down with its effect; what cannot be followed has none. */
export class RolloutCommands {
  /** Set once a person wants the version to have all traffic. */
  promotion: (Sender & { overridesFreeze: boolean }) | undefined;
  approval: Sender | undefined;
  /** Shares to come, below 100; where a person has changed them. */
  ladder: number[] | undefined;
  readonly #unwritten: Received[] = [];
  #count = 0;

  constructor(
    run: JobRun,
    private readonly deploymentId: string,
    plan: { strategy: 'immediate' | 'canary' | 'shadow'; approval?: boolean; then?: string },
  ) {
    const { strategy } = plan;
    const needsNobody =
      plan.approval === true || plan.then === 'ask'
        ? undefined
        : "It waits for nobody's approval: its evidence decides.";
    const hasSteps = strategy === 'immediate' ? 'An immediate rollout has no step that could be changed.' : undefined;
    setHandler(pause, (sent) => {
      this.#take('pause', sent);
      run.setPaused(true);
    });
    setHandler(resume, (sent) => {
      this.#take('resume', sent);
      run.setPaused(false);
    });
    setHandler(promote, (sent) => {
      const sender = this.#take('promote', sent, { refused: hasSteps });
      // Held at its step it would be nobody's: a promotion ends a pause.
      if (!hasSteps) run.setPaused(false);
      if (!hasSteps) this.promotion = { ...sender, overridesFreeze: fieldOf(sent, 'override_freeze') === true };
    });
    setHandler(approve, (sent) => {
      const sender = this.#take('approve', sent, { refused: hasSteps ?? needsNobody });
      if (!hasSteps && !needsNobody) this.approval = sender;
    });
    setHandler(setLadder, (steps, sent) => {
      const problem = strategy === 'canary' ? ladderProblem(steps) : 'Only a canary has a ladder.';
      this.#take('set_ladder', sent, problem === undefined ? { detail: { steps } } : { refused: problem });
      if (problem === undefined) this.ladder = (steps as number[]).filter((share) => share < 100);
    });
  }

  /** Whether something came in since the last `writeDown`. */
  hasNews(): boolean {
    return this.#unwritten.length > 0;
  }

  async writeDown(): Promise<void> {
    const commands = this.#unwritten.splice(0);
    if (commands.length > 0) await noteCommands({ deploymentId: this.deploymentId, commands });
  }

  #take(action: string, sent: unknown, { detail, refused }: { detail?: object; refused?: string } = {}): Sender {
    const by = textOf(sent, 'by') ?? 'temporal';
    const note = textOf(sent, 'note');
    const at = new Date().toISOString();
    this.#unwritten.push({ key: `signal-${++this.#count}`, action, by, note, detail, refused, at });
    return { by, note };
  }
}

// Signals can come from anywhere, with anything in them.
function fieldOf(sent: unknown, name: string): unknown {
  return typeof sent === 'object' && sent !== null ? (sent as Record<string, unknown>)[name] : undefined;
}

function textOf(sent: unknown, name: string): string | undefined {
  const value = fieldOf(sent, name);
  return typeof value === 'string' && value !== '' ? value.slice(0, MOST_CHARACTERS) : undefined;
}
