import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { compiledScript, projectRoot } from '../../services/project-root.js';
import { runSinks } from '../../workers/traced-worker.js';

const folder = join(projectRoot(), 'test', 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
const options = { workflowBundle: { codePath: compiledScript('workflow-bundle.js') }, sinks: runSinks };

function load(file: string) {
  const saved = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { workflowId: string; history: unknown };
  return { workflowId: saved.workflowId, history: historyFromJSON(saved.history) };
}

describe('workflows that run while a new release is deployed', () => {
  it('have a saved history of each type, and of jobs that ended in each way', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'deploy-model.json',
        'ingest-data.json',
        'ingest-data-failed.json',
        'monitor-model.json',
        'repair-model.json',
        'run-sweep.json',
        'run-sweep-lanes.json',
        'run-sweep-steered.json',
        'train-model.json',
        'train-model-cancelled.json',
        'train-model-deployed.json',
        'train-model-searched.json',
      ]),
    );
  });

  it.each(files)('go on as they began: %s', async (file) => {
    const { history, workflowId } = load(file);
    await expect(Worker.runReplayHistory(options, history, workflowId)).resolves.not.toThrow();
  });

  it('are told apart from a workflow that does other things', async () => {
    const { history, workflowId } = load('train-model.json');
    const scheduled = history.events?.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'buildTrainingTable',
    );
    scheduled!.activityTaskScheduledEventAttributes!.activityType!.name = 'anotherActivity';
    await expect(Worker.runReplayHistory(options, history, workflowId)).rejects.toThrow(/determinism|Activity type/i);
  });
});
