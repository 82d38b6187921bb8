import { describe, expect, it } from 'vitest';
import { buildOpenApi } from '../../../api/openapi.js';

interface Answer {
  links?: Record<string, { operationId: string; parameters: Record<string, string> }>;
}
interface Operation {
  operationId: string;
  parameters: { name: string; in: string }[];
  responses: Record<string, Answer>;
}

const operations = Object.values(buildOpenApi()['paths'] as Record<string, Record<string, Operation>>).flatMap((path) =>
  Object.values(path),
);
const byId = new Map(operations.map((operation) => [operation.operationId, operation]));
const linksOf = (operationId: string, status: string) => byId.get(operationId)!.responses[status]!.links ?? {};
const places = (operation: Operation) =>
  operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name);

describe('the links of the OpenAPI document', () => {
  it('lead from what a call has made to the calls about it', () => {
    expect(linksOf('post_models_train', '202')['get_jobs_job_id']).toEqual({
      operationId: 'get_jobs_job_id',
      description: expect.any(String),
      parameters: { job_id: '$response.body#/job_id' },
    });
    expect(linksOf('post_predict_model', '200')['post_predictions_prediction_id_feedback']?.parameters).toEqual({
      prediction_id: '$response.body#/prediction_id',
    });
    expect(linksOf('post_models_model_deploy', '202')['post_deployments_deployment_id_abort']).toBeDefined();
    expect(linksOf('post_webhooks', '201')['delete_webhooks_webhook_id']).toBeDefined();
  });

  it('lead from a list to what is in it', () => {
    expect(linksOf('get_models_model_versions', '200')['get_models_model_versions_version']?.parameters).toEqual({
      model: '$request.path.model',
      version: '$response.body#/items/0/version',
    });
  });

  it('do not lead from a command back to the object of its path, nor from what says nothing but a model', () => {
    expect(linksOf('post_deployments_deployment_id_pause', '202')).not.toHaveProperty('get_deployments_deployment_id');
    expect(linksOf('put_monitors_model', '200')).toEqual({});
  });

  it('each fill all places in the path of an operation that there is', () => {
    const all = operations.flatMap(({ responses }) =>
      Object.values(responses).flatMap(({ links = {} }) => Object.values(links)),
    );
    expect(all.length).toBeGreaterThan(150);
    for (const { operationId, parameters } of all)
      expect(Object.keys(parameters), operationId).toEqual(places(byId.get(operationId)!));
  });
});
