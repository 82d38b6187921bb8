import cluster, { type Worker } from 'node:cluster';

/** A process that has not answered by now is not waited for. */
const ANSWER_WITHIN_MS = 2000;

interface Asked {
  ask: number;
  question: string;
  argument: unknown;
}
interface Answered {
  answers: number;
  answer: unknown;
}
type Answerer = (argument: unknown) => unknown;

const answerers = new Map<string, Answerer>();
const waiting = new Map<number, (answers: unknown[]) => void>();
let asked = 0;

/** Says how this process answers a question that any of the API processes asks. */
export function answerSiblings(question: string, answer: Answerer): void {
  answerers.set(question, answer);
}

/**
 * Asks all API processes of this machine, this one included.
 * @returns an answer a process; of one that did not answer in time, `undefined`
 */
export async function askSiblings<T>(question: string, argument?: unknown): Promise<(T | undefined)[]> {
  const own = answerers.get(question)!;
  if (!cluster.isWorker) return [(await own(argument)) as T];
  const ask = ++asked;
  return new Promise((resolve) => {
    waiting.set(ask, (answers) => resolve(answers as (T | undefined)[]));
    process.send!({ ask, question, argument } satisfies Asked);
  });
}

/** In a worker: hears the questions and the answers that come from the primary. */
export function listenToPrimary(): void {
  process.on('message', (message: Partial<Asked & Answered>) => {
    if (message.answers !== undefined) {
      waiting.get(message.answers)?.(message.answer as unknown[]);
      waiting.delete(message.answers);
      return;
    }
    const { ask, question, argument } = message;
    if (ask === undefined || question === undefined) return;
    void Promise.resolve(answerers.get(question)?.(argument)).then((answer) =>
      process.send!({ answers: ask, answer } satisfies Answered),
    );
  });
}

/** In the primary: carries questions of one worker to all, and all answers back. */
export function relayQuestions(workers: () => Worker[]): (from: Worker, message: unknown) => void {
  let relayed = 0;
  const collecting = new Map<number, (worker: Worker, answer: unknown) => void>();
  return (from, message) => {
    const { ask, question, argument, answers, answer } = message as Partial<Asked & Answered>;
    if (answers !== undefined) return collecting.get(answers)?.(from, answer);
    if (ask === undefined || question === undefined) return;
    const id = ++relayed;
    const open = new Map<number, unknown>(workers().map((worker) => [worker.id, undefined]));
    const missing = new Set(open.keys());
    const finish = () => {
      clearTimeout(timer);
      collecting.delete(id);
      if (from.isConnected()) from.send({ answers: ask, answer: [...open.values()] } satisfies Answered);
    };
    const timer = setTimeout(finish, ANSWER_WITHIN_MS);
    collecting.set(id, (worker, given) => {
      open.set(worker.id, given);
      missing.delete(worker.id);
      if (missing.size === 0) finish();
    });
    for (const worker of workers()) worker.send({ ask: id, question, argument } satisfies Asked);
  };
}
