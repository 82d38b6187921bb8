import { SEARCH_ATTRIBUTES, TASK_QUEUES } from '../core/names.js';

/** A call as other tools make it. */
export interface ExplainedRequest {
  curl: string;
  /** The `temporal` command line, where Temporal can do the same. */
  temporal?: string;
  /** Its predecessor. */
  tctl?: string;
}

export interface PlainRequest {
  method: string;
  /** With the query. */
  url: string;
  /** JSON, or the name of a file that is sent. */
  body?: string | { file: string };
  isStream?: boolean;
  hasToken: boolean;
}

/** What stands for an id that only the answer of the call before would tell. */
export const PLACEHOLDERS = { job_id: '$JOB_ID', deployment_id: '$DEPLOYMENT_ID', upload_id: '$UPLOAD_ID' } as const;

const quote = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : text.startsWith('$') && /^\$[A-Z_]+$/.test(text)
      ? `"${text}"`
      : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The same call by curl and, where there is one, by the command lines of Temporal. */
export function explainRequest(request: PlainRequest): ExplainedRequest {
  const commands = temporalCommands(request);
  return { curl: curlOf(request), ...commands };
}

function curlOf({ method, url, body, isStream, hasToken }: PlainRequest): string {
  const parts = ['curl', isStream ? '-sSfN' : '-sSf'];
  if (method !== 'GET' && !(method === 'POST' && body !== undefined)) parts.push('-X', method);
  // Through curl's own expansion of the shell's variable, so that no token is printed.
  if (hasToken) parts.push('-H', '"Authorization: Bearer $MLOPS_TOKEN"');
  parts.push(url.includes('$') ? `"${url}"` : quote(url));
  if (typeof body === 'string') parts.push('-H', quote('content-type: application/json'), '-d', quote(body));
  else if (body) parts.push('-H', quote('content-type: application/octet-stream'), '-T', quote(body.file));
  return parts.join(' ');
}

/** The workflow that each call starts. */
const STARTS: readonly [RegExp, string][] = [
  [/^\/data\/ingest$/, 'ingestData'],
  [/^\/data\/preprocess$/, 'preprocessData'],
  [/^\/models\/train$/, 'trainModel'],
  [/^\/models\/([^/]+)\/deploy$/, 'deployModel'],
];

function temporalCommands({ method, url, body }: PlainRequest): { temporal?: string; tctl?: string } {
  // `$JOB_ID` stays as it is: URL parsing would not change it either.
  const { pathname, searchParams } = new URL(url);
  if (method === 'POST' && typeof body === 'string') return startCommand(pathname, body);
  const [, id, action] = /^\/jobs\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
  if (id !== undefined) return ofJob(decodeURIComponent(id), method, action);
  if (pathname === '/jobs' && method === 'GET') return listCommand(searchParams);
  const [, model, change] = /^\/schedules\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
  return model === undefined ? {} : ofSchedule(`retrain-${model.replaceAll('-', '_')}`, method, change);
}

function startCommand(pathname: string, body: string): { temporal?: string; tctl?: string } {
  for (const [path, workflow] of STARTS) {
    const found = path.exec(pathname);
    if (!found) continue;
    const model = found[1] === undefined ? {} : { model: decodeURIComponent(found[1]) };
    const input = quote(JSON.stringify({ ...model, ...(JSON.parse(body) as object) }));
    const { pipeline } = TASK_QUEUES;
    return {
      temporal: `temporal workflow start --type ${workflow} --task-queue ${pipeline} --input ${input}`,
      tctl: `tctl workflow start --workflow_type ${workflow} --taskqueue ${pipeline} --input ${input}`,
    };
  }
  return {};
}

function ofJob(id: string, method: string, action: string | undefined): { temporal?: string; tctl?: string } {
  const job = quote(id);
  const both = (verb: string, before: string = verb) => ({
    temporal: `temporal workflow ${verb} --workflow-id ${job}`,
    tctl: `tctl workflow ${before} --workflow_id ${job}`,
  });
  if (method === 'POST') return action === 'cancel' ? both('cancel') : {};
  if (action === 'events') return both('show --follow', 'observe');
  return both('describe');
}

function listCommand(query: URLSearchParams): { temporal: string; tctl: string } {
  const states: Record<string, string> = { completed: 'Completed', failed: 'Failed', cancelled: 'Canceled' };
  const status = query.get('status');
  const conditions = [
    query.has('type') ? `${SEARCH_ATTRIBUTES.jobType}='${query.get('type')}'` : undefined,
    query.has('model') ? `${SEARCH_ATTRIBUTES.model}='${query.get('model')?.replaceAll('-', '_')}'` : undefined,
    status === null ? undefined : `ExecutionStatus='${states[status] ?? 'Running'}'`,
  ].filter((one) => one !== undefined);
  const filter = conditions.length > 0 ? ` --query "${conditions.join(' AND ')}"` : '';
  return { temporal: `temporal workflow list${filter}`, tctl: `tctl workflow list${filter}` };
}

function ofSchedule(id: string, method: string, change: string | undefined): { temporal?: string; tctl?: string } {
  const verbs: Record<string, string> = {
    'GET ': 'describe',
    'DELETE ': 'delete',
    'POST pause': 'toggle --pause',
    'POST resume': 'toggle --unpause',
    'POST trigger': 'trigger',
  };
  const verb = verbs[`${method} ${change ?? ''}`];
  return verb === undefined
    ? {}
    : { temporal: `temporal schedule ${verb} --schedule-id ${id}`, tctl: `tctl schedule ${verb} --schedule_id ${id}` };
}
