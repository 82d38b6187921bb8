import { describe, expect, it } from 'vitest';
import { explainRequest } from '../../../cli/explain-request.js';

const URL = 'http://127.0.0.1:8080';
const explain = (method: string, path: string, body?: object, hasToken = false) =>
  explainRequest({ method, url: URL + path, hasToken, ...(body ? { body: JSON.stringify(body) } : {}) });

describe('what --explain prints', () => {
  it('quotes for the shell whatever a body holds', () => {
    const { curl } = explain('POST', '/predict/m', { features: { name: `O'Neil $HOME` } });
    expect(curl).toBe(
      String.raw`curl -sSf http://127.0.0.1:8080/predict/m -H 'content-type: application/json' -d '{"features":{"name":"O'\''Neil $HOME"}}'`,
    );
  });

  it('never prints the token', () => {
    expect(explain('GET', '/models', undefined, true).curl).toBe(
      'curl -sSf -H "Authorization: Bearer $MLOPS_TOKEN" http://127.0.0.1:8080/models',
    );
  });

  it('names the workflow that a call starts, with its input', () => {
    expect(explain('POST', '/models/user-behavior/deploy', { version: 'v1.0.0' })).toMatchObject({
      temporal: `temporal workflow start --type deployModel --task-queue pipeline --input '{"model":"user-behavior","version":"v1.0.0"}'`,
      tctl: `tctl workflow start --workflow_type deployModel --taskqueue pipeline --input '{"model":"user-behavior","version":"v1.0.0"}'`,
    });
  });

  it('gives a list of jobs as a query for Temporal', () => {
    expect(explain('GET', '/jobs?status=failed&type=train&model=user-behavior').temporal).toBe(
      `temporal workflow list --query "JobType='train' AND Model='user_behavior' AND ExecutionStatus='Failed'"`,
    );
  });

  it.each([
    ['POST', '/jobs/train-1/cancel', 'temporal workflow cancel --workflow-id train-1'],
    ['GET', '/jobs/train-1/events', 'temporal workflow show --follow --workflow-id train-1'],
    ['GET', '/jobs/train-1', 'temporal workflow describe --workflow-id train-1'],
    ['POST', '/schedules/user-behavior/trigger', 'temporal schedule trigger --schedule-id retrain-user_behavior'],
    ['DELETE', '/schedules/m', 'temporal schedule delete --schedule-id retrain-m'],
    ['POST', '/jobs/train-1/retry', undefined],
    ['GET', '/models', undefined],
  ])('of %s %s', (method, path, temporal) => {
    expect(explain(method, path).temporal).toBe(temporal);
  });
});
