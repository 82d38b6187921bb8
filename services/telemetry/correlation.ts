import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/** What every log line of one call carries, from the API through the workflow to its activities. */
export interface CallContext {
  correlationId: string;
  jobId?: string;
  model?: string;
  version?: string;
}

const storage = new AsyncLocalStorage<CallContext>();

export function runWithContext<T>(context: CallContext, work: () => T): T {
  return storage.run(context, work);
}

/** Says of the call under way which model it is about, for its lines in the log from here on. */
export function noteModel(model: string, version?: string): void {
  const context = storage.getStore();
  if (context) Object.assign(context, { model, ...(version === undefined ? {} : { version }) });
}

export function currentContext(): CallContext | undefined {
  return storage.getStore();
}

/** It is kept with what the call makes, so that a token is none. */
const WELL_FORMED = /^(?!mlps_|eyJ)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** The caller's own id when it is well formed (so that it can never forge a log line), else a new one. */
export function correlationIdFrom(header: string | undefined): string {
  return header !== undefined && WELL_FORMED.test(header) ? header : randomUUID();
}
