import type { RouteDefinition } from './routes/route-definition.js';

interface ObjectSchema {
  properties?: Record<string, { type?: unknown; items?: { $ref?: string }; $ref?: string }>;
  required?: readonly string[];
}
type Schemas = Record<string, unknown>;
type Link = { operationId: string; description: string; parameters: Record<string, string> };

const parametersOf = ({ path }: RouteDefinition) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);

function resolve(schema: unknown, schemas: Schemas): ObjectSchema {
  const { $ref } = (schema ?? {}) as { $ref?: string };
  return ($ref === undefined ? schema : schemas[$ref.split('/').at(-1)!]) as ObjectSchema;
}

/** What an answer says was made: something with an id, or a version. */
const isMade = (name: string, status: number) => name.endsWith('_id') || (name === 'version' && status === 201);

/** What an answer always has under the name of a path parameter, by where it stands in the body. */
function namesIn({ properties = {}, required = [] }: ObjectSchema, place: string): Map<string, string> {
  const named = Object.entries(properties).filter(([name, { type }]) => type === 'string' && required.includes(name));
  return new Map(named.map(([name]) => [name, `$response.body#/${place}${name}`]));
}

/**
 * Where one can go from an answer: what a call has made, and each thing of a list, leads to the calls whose path names it. They follow from the
 * names alone: an answer says `job_id`, and a path has `{job_id}`.
 * @param operationIdOf what the document calls an operation
 * @returns nothing for what makes and lists nothing
 */
export function describeLinks(
  route: RouteDefinition,
  { status, schema }: { status: number; schema?: unknown },
  schemas: Schemas,
  { routes, operationIdOf }: { routes: readonly RouteDefinition[]; operationIdOf: (route: RouteDefinition) => string },
): Record<string, Link> {
  const answer = resolve(schema, schemas);
  const items = answer?.properties?.['items']?.items;
  const isList = route.method === 'get' && items !== undefined;
  const own = new Map(parametersOf(route).map((name) => [name, `$request.path.${name}`]));
  // What a command says of an object that its path names already was there before.
  const isMaking = ['post', 'put'].includes(route.method) && (status > 200 || own.size === 0 || own.has('model'));
  if (!answer || (!isList && !isMaking)) return {};
  const found = isList ? namesIn(resolve(items, schemas), 'items/0/') : namesIn(answer, '');
  const links: Record<string, Link> = {};
  for (const target of routes) {
    const names = parametersOf(target);
    // The model alone says nothing of what was made.
    const isOfIt = names.some(
      (name) => name !== 'model' && found.has(name) && !own.has(name) && (isList || isMade(name, status)),
    );
    const isFilled = names.every((name) => found.has(name) || own.has(name));
    if (!isOfIt || !isFilled || (isList && !target.path.startsWith(`${route.path}/`))) continue;
    const operationId = operationIdOf(target);
    const parameters = Object.fromEntries(names.map((name) => [name, own.get(name) ?? found.get(name)!]));
    links[operationId] = { operationId, description: target.summary, parameters };
  }
  return links;
}
