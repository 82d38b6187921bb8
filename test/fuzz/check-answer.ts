import { schemaProblems, type JsonSchema } from '../integration/api/support/json-schema.js';
import type { Content, Operation } from './read-operations.js';

export interface FuzzAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Answered to requests that never come to their operation: a path with `%00`, say, is another path or none. */
const BEFORE_THE_OPERATION = [400, 404, 405, 431];

/**
 * Holds an answer to what the document says of its operation, and to what holds for all.
 * @returns what is wrong, empty when nothing is
 */
export function checkAnswer(operation: Operation, answer: FuzzAnswer, document: JsonSchema): string[] {
  const { status, headers, text } = answer;
  const problems: string[] = [];
  if (status >= 500 && !isAway(answer)) problems.push(`answered ${status}: ${text.slice(0, 300)}`);
  if (!headers.get('x-correlation-id')) problems.push('has no X-Correlation-Id');
  if (/\n\s+at \S+ \(|node_modules/.test(text)) problems.push(`shows a stack trace: ${text.slice(0, 300)}`);
  const described = operation.responses[String(status)];
  if (!described && !BEFORE_THE_OPERATION.includes(status))
    problems.push(`answered ${status}, which is not documented`);
  if (status >= 400 && !operation.path.startsWith('/v2')) problems.push(...problemsOfProblem(answer));
  return [...problems, ...(described ? problemsOfContent(described.content, answer, document) : [])];
}

/** A dependency that was away for a moment, as on a machine that has too much to do: said as it should be said. */
const isAway = ({ status, headers }: FuzzAnswer) => status === 503 && headers.has('retry-after');

/** RFC 9457, as the contract has it. */
function problemsOfProblem({ status, headers, text }: FuzzAnswer): string[] {
  if (!headers.get('content-type')?.startsWith('application/problem+json'))
    return [`answered ${status} as ${headers.get('content-type')}`];
  if (text === '') return [];
  const body = JSON.parse(text) as Record<string, unknown>;
  const wrong = ['type', 'title', 'detail', 'instance', 'correlation_id'].filter(
    (name) => typeof body[name] !== 'string',
  );
  if (body['status'] !== status) wrong.push('status');
  if (body['correlation_id'] !== headers.get('x-correlation-id')) wrong.push('correlation_id');
  return wrong.map((name) => `the problem has a wrong ${name}: ${text.slice(0, 300)}`);
}

function problemsOfContent(
  content: Content | undefined,
  { headers, text }: FuzzAnswer,
  document: JsonSchema,
): string[] {
  const type = headers.get('content-type')?.split(';', 1)[0]!.trim();
  if (!content) return text === '' ? [] : [`has a body of ${type}, and none is documented`];
  const media = type === undefined ? undefined : content[type];
  if (!media) return [`answered as ${type}, and documented is ${Object.keys(content).join(' or ')}`];
  if (!media.schema || !/[/+]json$/.test(type!)) return [];
  return schemaProblems(media.schema, JSON.parse(text), document).slice(0, 5);
}
