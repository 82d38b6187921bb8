import { defaultPayloadConverter, workflowInfo, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** The header in which activities get the correlation id of the call that started their workflow. */
const CORRELATION_HEADER = 'x-correlation-id';

function correlationId(): string {
  const { memo, workflowId } = workflowInfo();
  const id = memo?.['correlation_id'];
  return typeof id === 'string' ? id : workflowId;
}

/** Copies the correlation id from the workflow's memo to each activity and to each log line of the workflow. */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity(input, next) {
        return next({
          ...input,
          headers: { ...input.headers, [CORRELATION_HEADER]: defaultPayloadConverter.toPayload(correlationId()) },
        });
      },
      startChildWorkflowExecution(input, next) {
        const memo = { ...input.options.memo, correlation_id: correlationId() };
        return next({ ...input, options: { ...input.options, memo } });
      },
      getLogAttributes(input, next) {
        return next({ ...input, correlation_id: correlationId() });
      },
    },
  ],
});
