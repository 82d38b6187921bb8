import fc from 'fast-check';
import { resolveReference, type JsonSchema } from '../integration/api/support/json-schema.js';
import { hostileKey, hostileValue } from './hostile-values.js';

const MOST_DEPTH = 6;

/**
 * Values that fit a schema, as far as JSON Schema can say it.
 * @param document where its references lead
 */
export function fittingValue(schema: JsonSchema, document: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
  if (typeof schema['$ref'] === 'string')
    return fittingValue(resolveReference(document, schema['$ref']), document, depth);
  if (depth > MOST_DEPTH) return fc.constant(null);
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom<unknown>(...(schema['enum'] as unknown[]));
  const options = (schema['anyOf'] ?? schema['oneOf']) as JsonSchema[] | undefined;
  if (options) return fc.oneof(...options.map((option) => fittingValue(option, document, depth + 1)));
  const all = schema['allOf'] as JsonSchema[] | undefined;
  if (all) return fittingValue(Object.assign({}, ...all) as JsonSchema, document, depth + 1);
  const types = [schema['type']].flat().filter((type): type is string => typeof type === 'string');
  if (types.length === 0) return fc.jsonValue({ maxDepth: 2 });
  return fc.oneof(...types.map((type) => valueOfType(type, schema, document, depth)));
}

function valueOfType(type: string, schema: JsonSchema, document: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fittingText(schema);
    case 'integer':
    case 'number':
      return fittingNumber(schema, type === 'integer');
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(fittingValue((schema['items'] ?? {}) as JsonSchema, document, depth + 1), {
        minLength: (schema['minItems'] as number | undefined) ?? 0,
        maxLength: Math.max((schema['minItems'] as number | undefined) ?? 0, 3),
      });
    case 'object':
      return fittingObject(schema, document, depth);
    default:
      return fc.constant(null);
  }
}

function fittingNumber(schema: JsonSchema, isWhole: boolean): fc.Arbitrary<number> {
  const limit = (name: string, exclusive: string, otherwise: number, step: number) =>
    (schema[name] as number | undefined) ??
    (typeof schema[exclusive] === 'number' ? schema[exclusive] + step : otherwise);
  const min = limit('minimum', 'exclusiveMinimum', isWhole ? -1000 : -1e6, isWhole ? 1 : 1e-6);
  const max = Math.max(min, limit('maximum', 'exclusiveMaximum', Math.max(min + 1000, 1000), isWhole ? -1 : -1e-6));
  const edges = fc.constantFrom(min, max);
  return fc.oneof(edges, isWhole ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true }));
}

function fittingText(schema: JsonSchema): fc.Arbitrary<string> {
  if (schema['format'] === 'date-time')
    return fc
      .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  const minLength = (schema['minLength'] as number | undefined) ?? 0;
  const maxLength = Math.max(minLength, Math.min((schema['maxLength'] as number | undefined) ?? 20, minLength + 20));
  if (typeof schema['pattern'] === 'string')
    return fc.stringMatching(new RegExp(schema['pattern']), { size: '-1' }).filter((text) => text.length <= 10_000);
  return fc.string({ minLength, maxLength });
}

function fittingObject(schema: JsonSchema, document: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>);
  const required = (schema['required'] ?? []) as string[];
  const rest = schema['additionalProperties'];
  const known = fc.record(
    Object.fromEntries(properties.map(([name, inner]) => [name, fittingValue(inner, document, depth + 1)])),
    { requiredKeys: required.filter((name) => properties.some(([known_]) => known_ === name)) },
  );
  if (typeof rest !== 'object' || rest === null) return known;
  const key = fc.constantFrom('complexity_score', 'team_size', 'a', 'b_2');
  const more = fc.dictionary(key, fittingValue(rest as JsonSchema, document, depth + 1), { maxKeys: 3 });
  return fc.tuple(more, known).map(([first, second]) => ({ ...first, ...(second as object) }));
}

/** A value with one place of it changed to something that its schema does not mean, taken out, or added. */
export function spoil(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const change = fc.record({
    steps: fc.array(fc.nat(50), { maxLength: 5 }),
    kind: fc.constantFrom('replace', 'replace', 'remove', 'add'),
    hostile: hostileValue,
    key: hostileKey,
  });
  return fc.tuple(value, change).map(([whole, { steps, kind, hostile, key }]) => {
    const copy = structuredClone(whole);
    const { parent, name } = walk(copy, steps);
    if (parent === undefined) return kind === 'add' && isObject(copy) ? define(copy, key, hostile) : hostile;
    if (kind === 'remove') delete parent[name];
    else define(parent, kind === 'add' ? key : name, hostile);
    return copy;
  });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** As a key of its own, also where its name is `__proto__`, so that it stands in the JSON. */
function define(target: Record<string, unknown>, name: string, value: unknown): Record<string, unknown> {
  return Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function walk(value: unknown, steps: readonly number[]): { parent?: Record<string, unknown>; name: string } {
  let parent: Record<string, unknown> | undefined;
  let name = '';
  let at = value;
  for (const step of steps) {
    if (!isObject(at)) break;
    const names = Object.keys(at);
    if (names.length === 0) break;
    parent = at;
    name = names[step % names.length]!;
    at = at[name];
  }
  return { parent, name };
}
