import type { JsonSchema } from '../integration/api/support/json-schema.js';

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: JsonSchema;
}
/** An answer or a body, by its media type. */
export type Content = Record<string, { schema?: JsonSchema; example?: unknown }>;

/** One operation of the OpenAPI document. */
export interface Operation {
  /** Upper case. */
  method: string;
  path: string;
  parameters: readonly Parameter[];
  body: Content | undefined;
  responses: Record<string, { content?: Content }>;
}

interface DocumentedOperation {
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Operation['responses'];
}

/** @returns every operation of the document, in its order */
export function readOperations(document: JsonSchema): Operation[] {
  const paths = document['paths'] as Record<string, Record<string, DocumentedOperation>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content,
      responses,
    })),
  );
}
