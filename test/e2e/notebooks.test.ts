import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareJupyter } from '../../infra/local/jupyter.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { projectRoot } from '../../services/project-root.js';
import { createApiClient } from '../support/api-client.js';
import { simulateFiles } from '../support/simulate-files.js';

interface Output {
  output_type: string;
  text?: string[];
  data?: Record<string, string[]>;
}
interface Notebook {
  cells: { cell_type: string; outputs?: Output[]; execution_count?: number | null }[];
}

const root = projectRoot();
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Notebook;
const names = readdirSync(join(root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));
const outputsOf = (notebook: Notebook) => notebook.cells.flatMap(({ outputs }) => outputs ?? []);

/** What each must have drawn and said. */
const PROMISED: Record<string, { plots: number; said: RegExp }> = {
  'data_exploration.ipynb': {
    plots: 11,
    said: /2043 rows, 0 in quarantine[\s\S]*events in all[\s\S]*7043 customers read, 1869 have left, 11 have no bill yet/,
  },
  'model_training.ipynb': { plots: 1, said: /v1\.1\.0 against v1\.0\.0[\s\S]*the best is trial \d/ },
  'model_evaluation.ipynb': { plots: 5, said: /Start a project from a probability of 0\.\d+ on[\s\S]*"label":/ },
};

const jupyter = prepareJupyter(root, { withLab: false });
if ('reason' in jupyter) process.stderr.write(`SKIPPED: the notebooks are not executed. ${jupyter.reason}\n`);

describe('the notebooks', () => {
  it('are kept without their outputs', () => {
    expect(names.sort()).toEqual(Object.keys(PROMISED).sort());
    for (const name of names)
      for (const cell of read(join(root, 'notebooks', name)).cells)
        if (cell.cell_type === 'code')
          expect(cell, `npm run notebooks -- --strip`).toMatchObject({ outputs: [], execution_count: null });
  });
});

describe.skipIf('reason' in jupyter)('each notebook, from its first to its last cell', () => {
  let stack: TestStack;
  const folder = mkdtempSync(join(tmpdir(), 'mlops-notebooks-'));
  beforeAll(async () => {
    stack = await TestStack.start({ AUTO_ML_ENABLED: 'false' });
    simulateFiles(stack.stateDir, 150);
    const api = createApiClient(() => stack.api);
    await api.run('/data/ingest', { source: 'user_events.parquet', data_type: 'user_events' }, 'notebooks');
  });
  afterAll(async () => {
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** In the order in which a person would open them. */
  it.each(['data_exploration.ipynb', 'model_training.ipynb', 'model_evaluation.ipynb'])(
    '%s shows what it promises',
    async (name) => {
      if ('reason' in jupyter) return;
      const child = spawn(
        jupyter.python,
        [
          '-m',
          'nbconvert',
          '--to',
          'notebook',
          '--execute',
          join(root, 'notebooks', name),
          '--output-dir',
          folder,
          '--ExecutePreprocessor.timeout=240',
        ],
        { env: { ...jupyter.env, MLOPS_URL: stack.api, MLOPS_TOKEN: '' }, stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const code = await new Promise<number | null>((done) => child.on('close', done));
      expect(code, said.slice(-3000)).toBe(0);
      const outputs = outputsOf(read(join(folder, name)));
      expect(outputs.filter(({ output_type: type }) => type === 'error')).toEqual([]);
      const plots = outputs.filter(({ data }) => data?.['text/html']?.join('').startsWith('<svg'));
      expect(plots.length).toBeGreaterThanOrEqual(PROMISED[name]!.plots);
      expect(outputs.flatMap(({ text }) => text ?? []).join('')).toMatch(PROMISED[name]!.said);
    },
  );
});
