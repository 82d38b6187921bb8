// The pages of reference/http: one a tag of the OpenAPI document, one of the shapes of answers, and the list of all calls.
import { NOTE, code, table } from './markdown-table.mjs';
import { schemaReader } from './schema-rows.mjs';

const SHAPES = '#/components/schemas/';
const fileOf = (tag) => `${tag.toLowerCase()}.md`;
const anchorOf = (title) =>
  title
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(/\s/g, '-');

/** @returns `[path below reference/http, text]` of each page */
export function renderHttp(document) {
  const reader = schemaReader({
    find: (ref) =>
      ref
        .split('/')
        .slice(1)
        .reduce((node, key) => node?.[key], document),
    link: (ref) => {
      const name = ref.slice(SHAPES.length);
      return ref.startsWith(SHAPES) && `[${name}](shapes.md#${name.toLowerCase()})`;
    },
  });
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ title: `${method.toUpperCase()} ${path}`, operation })),
  );
  const tags = new Map();
  for (const call of calls) tags.set(call.operation.tags[0], [...(tags.get(call.operation.tags[0]) ?? []), call]);
  return [
    ['README.md', renderIndex(tags, calls.length)],
    ...[...tags].map(([tag, own]) => [fileOf(tag), renderTag(tag, own, reader)]),
    ['shapes.md', renderShapes(document.components.schemas, reader)],
  ];
}

function renderIndex(tags, count) {
  const parts = [...tags].map(
    ([tag, calls]) =>
      `## ${tag}\n\n${table(
        ['Call', 'What it does', 'Least role'],
        calls.map(({ title, operation }) => [
          `[${code(title)}](${fileOf(tag)}#${anchorOf(title)})`,
          operation.summary,
          code(operation['x-role']),
        ]),
      )}`,
  );
  return `${NOTE}

# HTTP

All ${count} calls, made from the OpenAPI document. The running service has the same at \`/docs\`, with a form to try each call and samples in curl,
TypeScript and Python; \`/openapi.json\` is the document itself.

JSON in and out, with names in \`snake_case\`, times in UTC (ISO 8601 with \`Z\`), durations in seconds and probabilities from 0 to 1. In paths
\`{model}\` takes the name with \`_\` or with \`-\`. Lists take \`limit\` (50 unless given, at most 500) and \`cursor\`, and answer \`{items, next_cursor}\`.
Each answer has the header \`X-Correlation-Id\`; a failure is \`application/problem+json\` with one of [these codes](../errors.md). Where the service asks
for [a token](../../guide/security.md), it is sent as \`Authorization: Bearer …\`; the least role that a call takes stands beside it.

${parts.join('\n\n')}
`;
}

const renderTag = (tag, calls, reader) =>
  `${NOTE}\n\n# HTTP: ${tag}\n\n${calls.map((call) => renderCall(call, reader)).join('\n\n')}\n`;

function renderCall({ title, operation }, reader) {
  const { summary, description, parameters, requestBody, responses } = operation;
  const role = operation['x-role'];
  const parts = [
    `## ${code(title)}`,
    `${summary}${/[.?!]$/.test(summary) ? '' : '.'} ${role === 'public' ? 'Needs no token.' : `Needs the role ${code(role)}.`}`,
    ...(description ? [description] : []),
  ];
  if (parameters.length)
    parts.push(
      table(
        ['Parameter', 'In', 'Type', 'Meaning'],
        parameters.map(({ name, in: place, schema, description: meaning }) => [
          code(name),
          place,
          reader.describeType(schema),
          `${meaning ?? schema.description ?? ''}${schema.default === undefined ? '' : ` (default ${code(JSON.stringify(schema.default))})`}`,
        ]),
      ),
    );
  for (const [type, { schema, example }] of Object.entries(requestBody?.content ?? {})) {
    parts.push(`Body, ${code(type)}${requestBody.required ? '' : ', may be left out'}:`, fieldTable(schema, reader));
    if (example !== undefined && type.endsWith('json'))
      parts.push(`\`\`\`json\n${JSON.stringify(example, null, 2)}\n\`\`\``);
  }
  const good = Object.entries(responses).filter(([status]) => Number(status) < 400);
  parts.push(
    `Answers:`,
    table(
      ['Status', 'Meaning', 'Shape'],
      good.map(([status, { description: meaning, content = {} }]) => [
        status,
        meaning,
        Object.entries(content)
          .map(([type, { schema }]) => (type === 'application/json' ? describeShape(schema, reader) : code(type)))
          .join(' or '),
      ]),
    ),
  );
  return parts.join('\n\n');
}

/** A page of a list by what is in it; an object by its fields. */
function describeShape(schema, reader) {
  const type = reader.describeType(schema ?? {});
  if (type !== 'object' || !schema.properties) return type;
  return Object.entries(schema.properties)
    .map(([name, property]) => `${code(name)}: ${reader.describeType(property)}`)
    .join('; ');
}

function fieldTable(schema, reader) {
  const rows = reader.rowsOf(schema ?? {});
  if (rows.length === 0) return `This is ${reader.describeType(schema ?? {})}.`;
  return table(
    ['Field', 'Type', 'Meaning'],
    rows.map(({ path, type, isRequired, fallback, description }) => [
      code(path),
      type,
      [
        isRequired ? 'needed' : '',
        description,
        fallback === undefined ? '' : `default ${code(JSON.stringify(fallback))}`,
      ]
        .filter(Boolean)
        .join('; '),
    ]),
  );
}

const renderShapes = (schemas, reader) => `${NOTE}

# HTTP: shapes of answers

${Object.entries(schemas)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(
    ([name, schema]) =>
      `## ${name}\n\n${schema.description ? `${schema.description}\n\n` : ''}${shapeTable(schema, reader)}`,
  )
  .join('\n\n')}
`;

function shapeTable(schema, reader) {
  const rows = reader.rowsOf(schema);
  if (rows.length === 0) return `This is ${reader.describeType(schema)}.`;
  const hasMeaning = rows.some(({ description }) => description);
  const kept = rows.map(({ path, type, isRequired, description }) => [
    code(path),
    `${type}${isRequired ? '' : ', may be absent'}`,
    ...(hasMeaning ? [description] : []),
  ]);
  return table(['Field', 'Type', ...(hasMeaning ? ['Meaning'] : [])], kept);
}
