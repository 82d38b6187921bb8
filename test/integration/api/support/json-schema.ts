/** The part of JSON Schema that the service's OpenAPI document uses; just enough to hold answers to it. */
export type JsonSchema = Record<string, unknown>;

const typeOf = (value: unknown) =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'array'
      : Number.isInteger(value)
        ? 'integer'
        : (typeof value as string);

const fitsType = (wanted: string, value: unknown) =>
  typeOf(value) === wanted || (wanted === 'number' && typeof value === 'number');

/** Every place where a value does not fit a schema; empty when it conforms. */
export function schemaProblems(schema: JsonSchema, value: unknown, document: JsonSchema, path = '$'): string[] {
  if (typeof schema['$ref'] === 'string')
    return schemaProblems(resolveReference(document, schema['$ref']), value, document, path);
  const anyOf = schema['anyOf'] as JsonSchema[] | undefined;
  if (anyOf) {
    const attempts = anyOf.map((option) => schemaProblems(option, value, document, path));
    return attempts.some((problems) => problems.length === 0)
      ? []
      : [`${path} fits none of ${anyOf.length}: ${attempts.flat().join('; ')}`];
  }
  const types = [schema['type']].flat().filter((type): type is string => typeof type === 'string');
  if (types.length > 0 && !types.some((type) => fitsType(type, value)))
    return [`${path} must be ${types.join(' or ')}, is ${JSON.stringify(value)}`];
  return [
    ...valueProblems(schema, value, path),
    ...(Array.isArray(value) ? itemProblems(schema, value, document, path) : []),
    ...(typeOf(value) === 'object' ? propertyProblems(schema, value as JsonSchema, document, path) : []),
  ];
}

export function resolveReference(document: JsonSchema, reference: string): JsonSchema {
  let at: unknown = document;
  for (const step of reference.replace(/^#\//, '').split('/')) at = (at as JsonSchema | undefined)?.[step];
  if (at === undefined) throw new Error(`${reference} leads nowhere.`);
  return at as JsonSchema;
}

function valueProblems(schema: JsonSchema, value: unknown, path: string): string[] {
  const problems: string[] = [];
  if (Array.isArray(schema['enum']) && !schema['enum'].includes(value))
    problems.push(`${path} is ${JSON.stringify(value)}, none of ${schema['enum'].join(', ')}`);
  if ('const' in schema && schema['const'] !== value)
    problems.push(`${path} is not ${JSON.stringify(schema['const'])}`);
  if (typeof value === 'number') {
    if (typeof schema['minimum'] === 'number' && value < schema['minimum'])
      problems.push(`${path} is ${value}, below ${schema['minimum']}`);
    if (typeof schema['maximum'] === 'number' && value > schema['maximum'])
      problems.push(`${path} is ${value}, above ${schema['maximum']}`);
  }
  if (schema['format'] === 'date-time' && typeof value === 'string' && !/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value))
    problems.push(`${path} is no UTC time: ${value}`);
  return problems;
}

function itemProblems(schema: JsonSchema, value: readonly unknown[], document: JsonSchema, path: string): string[] {
  const items = schema['items'] as JsonSchema | undefined;
  return items ? value.flatMap((item, index) => schemaProblems(items, item, document, `${path}[${index}]`)) : [];
}

function propertyProblems(schema: JsonSchema, value: JsonSchema, document: JsonSchema, path: string): string[] {
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  const rest = schema['additionalProperties'];
  const missing = ((schema['required'] ?? []) as string[])
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${path}.${name} is missing`);
  // An answer may not carry what the document does not tell of, unless it says that it may.
  const known = Object.keys(properties);
  const unknown =
    known.length > 0 && rest === undefined
      ? Object.keys(value)
          .filter((name) => !known.includes(name))
          .map((name) => `${path}.${name} is not in the document`)
      : [];
  const inner = Object.entries(value).flatMap(([name, item]) => {
    const at = properties[name] ?? (typeof rest === 'object' && rest !== null ? (rest as JsonSchema) : undefined);
    return at ? schemaProblems(at, item, document, `${path}.${name}`) : [];
  });
  return [...missing, ...unknown, ...inner];
}
