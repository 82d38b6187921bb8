import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import type { ErrorCode } from '../../core/errors.js';
import type { Role } from '../../core/roles.js';
import type { ApiContext } from '../http-context.js';

/** One endpoint: how it is reached, what it takes and answers, and what runs. OpenAPI and the router are made from it. */
export interface RouteDefinition {
  method: 'get' | 'post' | 'put' | 'delete';
  /** With `{name}` for parameters, as in OpenAPI. */
  path: string;
  tag:
    | 'Predict'
    | 'Inference'
    | 'Models'
    | 'Jobs'
    | 'Runs'
    | 'Data'
    | 'Features'
    | 'Lineage'
    | 'Deployments'
    | 'Experiments'
    | 'Drills'
    | 'Sweeps'
    | 'Schedules'
    | 'Alerts'
    | 'Monitoring'
    | 'Webhooks'
    | 'Access'
    | 'Operate';
  summary: string;
  description?: string;
  /** The role that a caller needs, once authentication is configured. */
  role: 'public' | Role;
  query?: z.ZodType;
  body?: z.ZodType;
  /** An empty body means all defaults. */
  isBodyOptional?: boolean;
  example?: unknown;
  /** Read the body instead of the JSON parser, for routes that take other media types. */
  readBody?: readonly RequestHandler[];
  /** Other media types that the body may have, with what they hold. */
  otherBodies?: Record<string, { schema: Record<string, unknown>; example?: unknown }>;
  answers: { status: number; description: string; schema?: Record<string, unknown>; contentType?: string }[];
  errors?: readonly ErrorCode[];
  handle(request: Request, response: Response, context: ApiContext): Promise<unknown>;
}

export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (name: string) => ({
  type: 'object',
  required: ['items', 'next_cursor'],
  properties: { items: { type: 'array', items: ref(name) }, next_cursor: { type: ['string', 'null'] } },
});
