// A JSON Schema as rows of a table: what each field may be, how it is left out, what it means.
import { code } from './markdown-table.mjs';

const DEEPEST = 5;

/** `find` gives what a `$ref` points at; `link` makes a link of a shared shape, where there is a page of them. */
export function schemaReader({ find, link }) {
  const follow = (schema) => (schema?.$ref && !link?.(schema.$ref) ? follow(find(schema.$ref)) : (schema ?? {}));

  /** In words: `text`, `1..500`, `a` or `b`, list of … */
  function describeType(given) {
    const schema = follow(given);
    if (schema.$ref) return link(schema.$ref);
    if (schema.const !== undefined) return code(JSON.stringify(schema.const).replaceAll('"', ''));
    if (schema.enum) return schema.enum.map((value) => code(value)).join(', ');
    const branches = schema.anyOf ?? schema.oneOf;
    if (branches) return [...new Set(branches.map(describeType))].join(' or ');
    if (schema.allOf) return describeType(schema.allOf[0]);
    if (Array.isArray(schema.type))
      return schema.type.map((type) => (type === 'null' ? '`null`' : describeType({ ...schema, type }))).join(' or ');
    if (schema.type === 'array') return `list of ${schema.items ? describeType(schema.items) : 'anything'}`;
    if (schema.type === 'integer' || schema.type === 'number')
      return `${schema.type === 'integer' ? 'whole number' : 'number'}${describeRange(schema)}`;
    return { string: schema.format ?? 'text', boolean: 'truth value', object: 'object', null: '`null`' }[schema.type] ?? 'anything';
  }

  /** One row a field, those of objects below it: `a.b`, `a[].b`, `a.{name}`. */
  function rowsOf(given, prefix = '', depth = 0) {
    const schema = follow(given);
    if (schema.$ref || depth > DEEPEST) return [];
    const own = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
      const path = `${prefix}${name}`;
      const isRequired = schema.required?.includes(name) && property.default === undefined;
      const { description, default: fallback } = { ...follow(property), ...property };
      return [
        { path, type: describeType(property), isRequired, fallback, description: description ?? '' },
        ...rowsBelow(property, path, depth),
      ];
    });
    const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
    const others = parts.flatMap((part) => rowsOf(part, prefix, depth));
    // A field that several shapes have is told once, in the words of the first.
    const seen = new Set();
    return [...own, ...others].filter(({ path }) => !seen.has(path) && seen.add(path));
  }

  function rowsBelow(given, path, depth) {
    const schema = follow(given);
    if (schema.$ref) return [];
    const branches = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].map(follow);
    return branches.flatMap((branch) => {
      const isMap = typeof branch.additionalProperties === 'object' && !branch.$ref;
      return [
        ...(branch.properties ? rowsOf(branch, `${path}.`, depth + 1) : []),
        ...(branch.items ? rowsInside(branch.items, `${path}[]`, depth) : []),
        ...(isMap ? rowsInside(branch.additionalProperties, `${path}.{name}`, depth) : []),
      ];
    });
  }
  const rowsInside = (schema, path, depth) => rowsBelow(schema, path, depth + 1);

  return { describeType, rowsOf };
}

function describeRange({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  // Bounds of the type itself say nothing.
  const isReal = (bound) => bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  const parts = [
    isReal(exclusiveMinimum) && `above ${exclusiveMinimum}`,
    isReal(exclusiveMaximum) && `below ${exclusiveMaximum}`,
    isReal(minimum) && isReal(maximum) && `${minimum} to ${maximum}`,
    isReal(minimum) && !isReal(maximum) && `from ${minimum}`,
    !isReal(minimum) && isReal(maximum) && `up to ${maximum}`,
  ].filter(Boolean);
  return parts.length ? `, ${parts.join(', ')}` : '';
}
