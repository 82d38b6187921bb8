import fc from 'fast-check';
import type { JsonSchema } from '../integration/api/support/json-schema.js';
import { hostileText } from './hostile-values.js';
import type { Operation, Parameter } from './read-operations.js';
import { fittingValue, spoil } from './schema-arbitrary.js';

export interface FuzzRequest {
  method: string;
  /** With its query. */
  target: string;
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer> | undefined;
}

/** Names of things that exist, by the name of the parameter that takes them. */
export type KnownNames = Record<string, readonly string[]>;

/** Bodies that are no JSON, or not what their type says. */
const RAW_BODIES = [
  '',
  '{',
  '{"a":1}}',
  '[1,2',
  'null',
  '"text"',
  '42',
  '{"a":1,"a":2}',
  '{"a":01}',
  "{'a':1}",
  '\uFEFF{}',
  '{"a":NaN}',
  '{"a":1e999}',
  '{"\\u0000":1}',
  '{"__proto__":{"x":1}}',
  '['.repeat(5000),
  `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`,
  '\n\n\n',
];

/** Requests to an operation: half of them as the document says, the others spoilt in one way or another. */
export function requestTo(operation: Operation, document: JsonSchema, known: KnownNames): fc.Arbitrary<FuzzRequest> {
  return fc
    .record({
      path: fc.tuple(...parametersIn(operation, 'path').map((parameter) => pathValue(parameter, document, known))),
      query: queryOf(operation, document),
      headers: headersOf(operation, document),
      content: bodyOf(operation, document),
    })
    .map(({ path, query, headers, content }) => {
      let at = 0;
      const pathname = operation.path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(wellFormed(path[at++]!)));
      return {
        method: operation.method,
        target: query === '' ? pathname : `${pathname}?${query}`,
        headers: { ...headers, ...(content.type === undefined ? {} : { 'content-type': content.type }) },
        body: content.body,
      };
    });
}

const parametersIn = (operation: Operation, place: Parameter['in']) =>
  operation.parameters.filter((parameter) => parameter.in === place);

/** Lone surrogates have no percent-encoding. */
const wellFormed = (text: string) => Buffer.from(text).toString();

function pathValue({ name, schema }: Parameter, document: JsonSchema, known: KnownNames): fc.Arbitrary<string> {
  const names = known[name] ?? [];
  // Clients resolve a part of dots, however it is written, and ask for another path.
  const made = fc
    .oneof(fittingValue(schema, document).map(String), hostileText)
    .filter((text) => text.length > 0 && text.length < 2000 && !/^\.{1,2}$/.test(text));
  return names.length === 0
    ? made
    : fc.oneof({ arbitrary: fc.constantFrom(...names), weight: 3 }, { arbitrary: made, weight: 1 });
}

function queryOf(operation: Operation, document: JsonSchema): fc.Arbitrary<string> {
  const values = parametersIn(operation, 'query').map(({ name, schema }) => {
    const hostile = hostileText.filter((text) => text.length < 2000);
    const value = fc.oneof(fittingValue(schema, document).map(asText), hostile);
    return fc.option(
      value.map((text) => [name, text] as const),
      { freq: 2 },
    );
  });
  const stray = fc.constantFrom(
    '',
    '',
    '',
    'unknown=1',
    '__proto__=1',
    'limit=1&limit=2',
    'a[b]=1',
    '%',
    '%ff=1',
    '&&&=',
  );
  return fc.tuple(fc.tuple(...values), stray).map(([given, more]) => {
    const pairs = given.flatMap((pair) =>
      pair ? [`${encodeURIComponent(pair[0])}=${encodeURIComponent(wellFormed(pair[1]))}`] : [],
    );
    return [...pairs, ...(more === '' ? [] : [more])].join('&');
  });
}

const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** Header values that can be sent at all: bytes without line ends. */
const headerText = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
  fc.constantFrom('a'.repeat(3000), '\u00FF', '*/*;q=2', '../x', '__proto__', '{}'),
);

const NO_HEADER_BYTE = /[^\t\u0020-\u007E\u0080-\u00FF]/g;

function headersOf(operation: Operation, document: JsonSchema): fc.Arbitrary<Record<string, string>> {
  const declared = parametersIn(operation, 'header').map(({ name, schema }) => {
    // A deadline of a millisecond is answered with 504, as it should be; here it would hide everything else.
    const fitting = name === 'X-Timeout-Ms' ? fc.constant('60000') : fittingValue(schema, document).map(asText);
    return [
      name,
      fc.oneof(
        fitting,
        headerText.filter((text) => !/^\d+$/.test(text)),
      ),
    ] as const;
  });
  const always = ['Accept', 'Accept-Encoding', 'X-Correlation-Id', 'If-None-Match', 'Range'].map(
    (name) => [name, headerText] as const,
  );
  const pair = fc.oneof(...[...declared, ...always].map(([name, value]) => value.map((text) => [name, text] as const)));
  return fc
    .array(pair, { maxLength: 2 })
    .map((pairs) => Object.fromEntries(pairs.map(([name, value]) => [name, value.replaceAll(NO_HEADER_BYTE, '?')])));
}

interface MadeBody {
  type?: string;
  body: FuzzRequest['body'];
}

function bodyOf(operation: Operation, document: JsonSchema): fc.Arbitrary<MadeBody> {
  const nothing = fc.constant<MadeBody>({ body: undefined });
  if (!operation.body || operation.method === 'GET') return nothing;
  const kinds = Object.entries(operation.body).map(([type, { schema = {}, example }]) =>
    type === 'application/json' ? jsonBody(type, schema, example, document) : rawBody(type, example),
  );
  const types = Object.keys(operation.body);
  return fc.oneof(
    { arbitrary: fc.oneof(...kinds), weight: 8 },
    { arbitrary: rawBody(types[0]!, undefined), weight: 2 },
    { arbitrary: rawBody('text/plain; charset=utf-7', undefined), weight: 1 },
    { arbitrary: nothing, weight: 1 },
  );
}

function jsonBody(type: string, schema: JsonSchema, example: unknown, document: JsonSchema): fc.Arbitrary<MadeBody> {
  const fitting = fittingValue(schema, document);
  const given = example === undefined ? fitting : fc.constant(example);
  return fc.oneof(fitting, given, spoil(fitting), spoil(given), spoil(spoil(given))).map((value) => ({
    type,
    body: JSON.stringify(value),
  }));
}

function rawBody(type: string, example: unknown): fc.Arbitrary<MadeBody> {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array));
  const texts = fc.constantFrom(...RAW_BODIES, ...(typeof example === 'string' ? [example] : []));
  return fc.oneof(texts, bytes).map((body) => ({ type, body }));
}
