import { readFile } from 'node:fs/promises';
import { answerRows, type FeatureRow, type ImportedBody } from '../kinds/imported/imported-model.js';
import { openOnnxSession } from './onnx-session.js';

export interface TryOrder {
  path: string;
  body: ImportedBody;
  rows: readonly FeatureRow[];
}
export type TryAnswer = { answers: number[][]; millisecondsPerRow: number } | { problem: string };

const TIMED_ROWS = 20;

/** Runs a file that nobody knows: in a process of its own, since the runtime may end with it. */
async function tryModel({ path, body, rows }: TryOrder): Promise<TryAnswer> {
  try {
    const session = openOnnxSession(await readFile(path));
    const answers = rows.map((row) => answerRows(session, body, [row])[0]!);
    const startMs = performance.now();
    for (let at = 0; at < TIMED_ROWS; at++) answerRows(session, body, [rows[at % rows.length]!]);
    return { answers, millisecondsPerRow: (performance.now() - startMs) / TIMED_ROWS };
  } catch (error) {
    return { problem: (error as Error).message.slice(0, 500) };
  }
}

process.on('disconnect', () => process.exit(1));
process.once('message', (order) => {
  void tryModel(order as TryOrder).then((answer) => process.send?.(answer, undefined, {}, () => process.exit(0)));
});
