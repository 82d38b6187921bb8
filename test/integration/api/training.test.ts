import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApplicationFailure, type WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csv, eventually, Service, type JobBody, type ProblemBody } from './support/service.js';
import { learnableTable, wideTable } from './support/tables.js';

const MODELS = `user_behavior: {}
customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
dated:
  kind: classification
  source: customers
  timestamp: signed_up
  target: outcome
  features: [usage, plan]
badly_dated: { kind: classification, source: customers, timestamp: plan, target: outcome, features: [usage] }
many_classes: { kind: classification, source: customers, target: spend, features: [usage] }
text_target: { kind: regression, source: customers, target: plan, features: [usage] }
lost_target: { kind: classification, source: customers, target: gone }
one_class: { kind: classification, source: constant, target: y }
no_features: { kind: classification, source: constant, target: z, features: [y] }
one_entity: { kind: classification, source: constant, target: z, entity: y, features: [x] }
tiny: { kind: classification, source: tiny, target: y }
never_ingested: { kind: classification, target: y }
slow: { kind: classification, source: wide, entity: id, target: outcome }
`;

let service: Service;
beforeAll(async () => {
  service = await Service.start(MODELS);
  service.file('customers.csv', learnableTable(400));
  const rows = Array.from({ length: 60 }, (_, at) => [at, 'same', at % 2 === 0 ? 'p' : 'q'] as const);
  service.file('constant.csv', csv(['x', 'y', 'z'], rows));
  service.file(
    'tiny.csv',
    csv(
      ['x', 'y'],
      rows.slice(0, 12).map(([x, , z]) => [x, z]),
    ),
  );
  service.file('wide.csv', wideTable(6000, 20));
  await Promise.all(
    ['customers', 'constant', 'tiny', 'wide'].map((name) =>
      service.run('/data/ingest', { source: `${name}.csv`, data_type: name }),
    ),
  );
});
afterAll(() => service?.stop());

const SMALL = { n_estimators: 10, max_depth: 4 };
const LONG = { model_type: 'slow', hyperparameters: { n_estimators: 2000, max_depth: null } };

/** Running processes that do the work of a fit of this stack. */
function trainers(): number[] {
  const worker = service.stack.pid('training-worker');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return Number(parent) === worker && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('trainer-process');
      } catch {
        return false;
      }
    });
}

const staging = (id: string) => join(service.stack.stateDir, 'models', '.staging', id);

describe('a training request that cannot be', () => {
  it.each<[string, object, number, string, string]>([
    ['of an unknown model', { model_type: 'nobody' }, 404, 'model_not_found', ''],
    ['on a model whose data was never ingested', { model_type: 'never_ingested' }, 404, 'dataset_not_found', ''],
    [
      'on an unknown dataset',
      { model_type: 'customers', training_data: { source: 'ds_nothing' } },
      404,
      'dataset_not_found',
      '',
    ],
    [
      'with a parameter that no algorithm has',
      { hyperparameters: { momentum: 0.1 } },
      422,
      'request_invalid',
      'hyperparameters.momentum',
    ],
    ['with no trees', { hyperparameters: { n_estimators: 0 } }, 422, 'request_invalid', 'hyperparameters.n_estimators'],
    [
      'with half a tree',
      { hyperparameters: { n_estimators: 1.5 } },
      422,
      'request_invalid',
      'hyperparameters.n_estimators',
    ],
    ['with a split of 0', { validation_split: 0 }, 422, 'request_invalid', 'validation_split'],
    ['with a split of 0.51', { validation_split: 0.51 }, 422, 'request_invalid', 'validation_split'],
    [
      'with dates on a table without a time',
      { training_data: { start_date: '2024-01-01' } },
      422,
      'request_invalid',
      'training_data.start_date',
    ],
    [
      'with a date that is none',
      { training_data: { end_date: '2024-02-30' } },
      422,
      'request_invalid',
      'training_data.end_date',
    ],
    [
      'with dates the wrong way round',
      { training_data: { start_date: '2024-02-01', end_date: '2024-01-01' } },
      422,
      'request_invalid',
      'training_data.end_date',
    ],
    [
      'with a filter on no column',
      { training_data: { filters: { colour: 'red' } } },
      422,
      'request_invalid',
      'training_data.filters.colour',
    ],
    ['on a target that the data lacks', { model_type: 'lost_target' }, 422, 'request_invalid', 'model_type'],
    [
      'with a time column that holds no times',
      { model_type: 'badly_dated', training_data: { start_date: '2024-01-01' } },
      422,
      'request_invalid',
      'model_type',
    ],
  ])('%s is refused at once', async (_title, body, status, code, path) => {
    const answer = await service.post<ProblemBody>('/models/train', { model_type: 'customers', ...body });
    expect([answer.status, answer.body.type]).toEqual([status, `urn:problem:${code}`]);
    if (path) expect(answer.body.errors!.map((item) => item.path)).toContain(path);
    if (code === 'model_not_found') expect(answer.body.detail).toMatch(/Known models: .*customers/);
  });

  it('names both dates when a table without a time is given both', async () => {
    const answer = await service.post<ProblemBody>('/models/train', {
      model_type: 'customers',
      training_data: { start_date: '2024-01-01', end_date: '2024-02-01' },
    });
    expect(answer.body.errors!.map((item) => item.path)).toEqual([
      'training_data.start_date',
      'training_data.end_date',
    ]);
  });

  it.each([
    ['tiny', /Only 12 rows/],
    ['one_class', /one value only/],
    ['many_classes', /different values, more than 200/],
    ['text_target', /no number/],
    ['no_features', /nothing|no .*(column|feature)/],
    ['one_entity', /entit|held out|rows/],
  ])('for %s ends with training_data_insufficient and what is wrong', async (model_type, message) => {
    const error = await service.fail('/models/train', { model_type, hyperparameters: SMALL });
    expect(error).toMatchObject({ code: 'training_data_insufficient', detail: expect.stringMatching(message) });
  });
});

describe('filters and dates', () => {
  const rowsOf = async (training_data: object, model_type = 'dated') => {
    const result = await service.run('/models/train', { model_type, hyperparameters: SMALL, training_data });
    const { body } = await service.get<{ lineage: { training_rows: number; holdout_rows: number } }>(
      `/models/${model_type}/versions/${String(result['version'])}`,
    );
    return body.lineage.training_rows + body.lineage.holdout_rows;
  };
  const table = learnableTable(400)
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));

  it('choose rows by value, numbers as numbers, and by time from start to before end', async () => {
    const perPlan = table.filter((row) => row[2] === 'pro').length;
    expect(await rowsOf({ filters: { plan: 'pro' } })).toBe(perPlan);
    const days = table.filter((row) => row[3]! >= '2024-01-10' && row[3]! < '2024-01-20').length;
    expect(await rowsOf({ start_date: '2024-01-10', end_date: '2024-01-20T00:00:00Z' })).toBe(days);
    const numbers = service.file(
      'numbers.csv',
      csv(
        ['usage', 'plan', 'signed_up', 'level', 'outcome'],
        Array.from({ length: 100 }, (_, at) => [
          at,
          'p',
          '2024-01-01',
          at % 2 === 0 ? '1.0' : '2.5',
          at % 3 === 0 ? 'a' : 'b',
        ]),
      ),
    );
    const { dataset_id: source } = await service.run('/data/ingest', { source: numbers, data_type: 'numbers' });
    expect(await rowsOf({ source, filters: { level: 1 } })).toBe(50);
    expect(await rowsOf({ source, filters: { level: 2.5 } })).toBe(50);
  });
});

describe('a job', () => {
  it('reports progress that is real, never goes back, and is the same in events and in answers', async () => {
    const id = await service.start('/models/train', {
      ...LONG,
      hyperparameters: { n_estimators: 150, max_depth: 12 },
    });
    const response = await fetch(`${service.stack.api}/jobs/${id}/events`);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const [text, polled] = await Promise.all([
      response.text(),
      (async () => {
        const seen: JobBody[] = [];
        await eventually('the end', async () => {
          const { body } = await service.get<JobBody>(`/jobs/${id}/status`);
          seen.push(body);
          return ['completed', 'failed'].includes(body.status) ? body : undefined;
        });
        return seen;
      })(),
    ]);
    const events = text
      .split('\n\n')
      .map((block) => /^data: (.*)$/m.exec(block)?.[1])
      .filter((data) => data !== undefined)
      .map((data) => JSON.parse(data) as JobBody);
    for (const list of [events, polled]) {
      const shares = list.map((item) => item.progress);
      expect(shares).toEqual(shares.toSorted((a, b) => a - b));
      expect(list.at(-1)).toMatchObject({ job_id: id, status: 'completed', progress: 1, stage: 'done' });
    }
    const whileFitting = new Set(polled.filter((item) => item.stage === 'fit').map((item) => item.progress));
    expect(whileFitting.size, 'intermediate values of the fit').toBeGreaterThan(2);
    expect(text).toMatch(/^id: 1\nevent: status\n/);
    expect((await service.get<ProblemBody>('/jobs/nothing/events')).status).toBe(404);
  });

  it('that is cancelled in its fit loses its process within seconds, leaves nothing behind, and can be retried', async () => {
    const id = await service.start('/models/train', LONG);
    await eventually('the fit', async () =>
      (await service.job(id)).stage === 'fit' && trainers().length > 0 ? true : undefined,
    );
    expect(existsSync(staging(id))).toBe(true);
    const first = await service.post(`/jobs/${id}/cancel`);
    expect([first.status, (await service.post(`/jobs/${id}/cancel`)).status]).toEqual([202, 202]);
    await eventually(
      'the end of the process',
      () => Promise.resolve(trainers().length === 0 ? true : undefined),
      10_000,
    );
    expect(await service.ended(id, 15_000)).toMatchObject({ status: 'cancelled', error: null, result: null });
    expect((await service.post(`/jobs/${id}/cancel`)).status).toBe(202);
    await eventually('the staging folder to go', () => Promise.resolve(existsSync(staging(id)) ? undefined : true));
    expect(await service.query('SELECT 1 FROM model_versions WHERE job_id = $1', [id])).toEqual([]);

    const again = await service.start(`/jobs/${id}/retry`);
    expect(again).not.toBe(id);
    expect((await service.job(again)).request).toEqual((await service.job(id)).request);
    await service.post(`/jobs/${again}/cancel`);
    expect(await service.ended(again)).toMatchObject({ status: 'cancelled' });
  });

  it('that has completed or failed cannot be cancelled, and only a failed or cancelled one retried', async () => {
    const failed = await service.ended(await service.start('/models/train', { model_type: 'tiny' }));
    expect((await service.post(`/jobs/${failed.job_id}/cancel`)).status).toBe(409);
    expect(await service.ended(await service.start(`/jobs/${failed.job_id}/retry`))).toMatchObject({
      status: 'failed',
      error: failed.error,
    });
    const done = await service.start('/models/train', { model_type: 'customers', hyperparameters: SMALL });
    await service.ended(done);
    for (const action of ['cancel', 'retry']) {
      const answer = await service.post<ProblemBody>(`/jobs/${done}/${action}`);
      expect([answer.status, answer.body.type]).toEqual([409, 'urn:problem:job_conflict']);
    }
  });

  it('that was accepted while Temporal did not know it can be cancelled all the same', async () => {
    await service.query(
      `INSERT INTO jobs (id, type, model, status, request, correlation_id) VALUES ('train-never-started', 'train', 'customers', 'queued', '{}', 'x')`,
    );
    expect((await service.post('/jobs/train-never-started/cancel')).status).toBe(202);
    expect(await service.job('train-never-started')).toMatchObject({ status: 'cancelled' });
  });

  it('whose workflow was terminated is cancelled, and its process and its files go', async () => {
    const id = await service.start('/models/train', LONG);
    await eventually('the fit', async () =>
      (await service.job(id)).stage === 'fit' && trainers().length > 0 ? true : undefined,
    );
    await (await service.temporal()).workflow.getHandle(id).terminate('by an operator');
    expect(await service.ended(id)).toMatchObject({ status: 'cancelled', error: { code: 'job_terminated' } });
    const { items } = (await service.get<{ items: JobBody[] }>('/jobs?status=cancelled')).body;
    expect(items.map((job) => job.job_id)).toContain(id);
    await eventually(
      'the end of the process',
      () => Promise.resolve(trainers().length === 0 ? true : undefined),
      20_000,
    );
    await eventually('the staging folder to go', () => Promise.resolve(existsSync(staging(id)) ? undefined : true));
  });
});

describe('a workflow started as the temporal command line does', () => {
  const start = async (type: string, workflowId: string, input?: unknown) =>
    (await service.temporal()).workflow.start(type, {
      taskQueue: 'pipeline',
      workflowId,
      args: input === undefined ? [] : [input],
    });

  it('works with the body of the HTTP call, and is a job like any other', async () => {
    const handle = await start('trainModel', 'my-own-training', { model_type: 'customers', hyperparameters: SMALL });
    expect(await handle.result()).toMatchObject({ model: 'customers', version: expect.stringMatching(/^v1\.\d+\.0$/) });
    expect(await service.job('my-own-training')).toMatchObject({
      type: 'train',
      model: 'customers',
      status: 'completed',
      progress: 1,
    });
    expect(await handle.query('progress')).toMatchObject({ stage: 'done', paused: false });
    const data = await start('ingestData', 'my-own-ingestion', { source: 'tiny.csv', data_type: 'tiny' });
    expect(await data.result()).toMatchObject({ rows: 12, quarantined_rows: 0 });
  });

  it.each<[string, string, unknown, string]>([
    ['no input', 'trainModel', undefined, 'body'],
    ['null', 'ingestData', null, 'body'],
    ['a text', 'trainModel', 'customers', 'body'],
    ['a list', 'deployModel', [{ model: 'customers' }], 'body'],
    ['a number', 'ingestData', 7, 'body'],
    ['wrong fields', 'trainModel', { model_type: 'customers', colour: 1 }, 'colour'],
    ['a text that no database keeps', 'trainModel', { model_type: 'a\0b' }, 'model_type'],
    ['half a character', 'ingestData', { source: '\ud800', data_type: 'x' }, 'source'],
    ['a missing version', 'deployModel', { model: 'customers' }, 'version'],
  ])('with %s for its input fails at once with request_invalid and the path', async (title, type, input, path) => {
    const id = `bad-input-${title.replaceAll(' ', '-')}`;
    const handle = await start(type, id, input);
    const failure = (await Promise.race([
      handle.result().catch((error: unknown) => error),
      new Promise((resolve) => setTimeout(resolve, 30_000, 'it hangs')),
    ])) as WorkflowFailedError;
    let cause: unknown = failure.cause;
    while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
    expect(cause, String(failure)).toMatchObject({ type: 'request_invalid' });
    const [problems] = (cause as ApplicationFailure).details as [{ path: string }[]];
    expect(problems.map((item) => item.path)).toContain(path);
    expect(await service.job(id)).toMatchObject({ status: 'failed', error: { code: 'request_invalid' } });
  });

  it.each(['..', '../..', '../../data', 'a/b', '.'])('under the id %s is refused and deletes nothing', async (id) => {
    const before = readdirSync(join(service.stack.stateDir, 'data', 'datasets')).toSorted();
    const models = readdirSync(join(service.stack.stateDir, 'models')).toSorted();
    const handle = await start('trainModel', id, { model_type: 'nobody' });
    await expect(handle.result()).rejects.toThrow('Workflow execution failed');
    expect(readdirSync(join(service.stack.stateDir, 'data', 'datasets')).toSorted()).toEqual(before);
    expect(readdirSync(join(service.stack.stateDir, 'models')).toSorted()).toEqual(models);
  });

  it('waits between steps while it is paused, says so, and goes on when it is resumed', async () => {
    const temporal = await service.temporal();
    const handle = await temporal.workflow.signalWithStart('trainModel', {
      taskQueue: 'pipeline',
      workflowId: 'paused-training',
      args: [{ model_type: 'customers', hyperparameters: SMALL }],
      signal: 'pause',
    });
    await eventually('the pause', async () => {
      const state = await handle.query<{ paused: boolean; stage: string }>('progress').catch(() => undefined);
      return state?.paused && state.stage === 'queued' ? true : undefined;
    });
    // Another job overtakes it from start to end, so it is held and not merely slow.
    await service.run('/models/train', { model_type: 'customers', hyperparameters: SMALL });
    const { events } = await handle.fetchHistory();
    const activities = events!
      .map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name)
      .filter(Boolean);
    expect(activities).not.toContain('planTraining');
    await handle.signal('resume');
    expect(await service.ended('paused-training')).toMatchObject({ status: 'completed' });
  });

  it('that is paused can be cancelled', async () => {
    const temporal = await service.temporal();
    await temporal.workflow.signalWithStart('trainModel', {
      taskQueue: 'pipeline',
      workflowId: 'paused-and-cancelled',
      args: [{ model_type: 'customers', hyperparameters: SMALL }],
      signal: 'pause',
    });
    await eventually('the job', async () =>
      (await service.job('paused-and-cancelled')).status === 'running' ? true : undefined,
    );
    expect((await service.post('/jobs/paused-and-cancelled/cancel')).status).toBe(202);
    expect(await service.ended('paused-and-cancelled')).toMatchObject({ status: 'cancelled' });
  });
});
