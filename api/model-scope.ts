import { setTimeout as sleep } from 'node:timers/promises';
import type { NextFunction, Request, Response } from 'express';
import { ServiceError, type ErrorCode } from '../core/errors.js';
import { canonicalModelName } from '../core/names.js';
import { mayTouch, type Caller } from '../core/roles.js';
import { withDatabase, type Database } from '../services/database/database.js';
import { READS_BEYOND } from './data-scope.js';
import { callerOf, type ApiContext } from './http-context.js';
import type { RouteDefinition } from './routes/route-definition.js';

/** A prediction of another process arrives in the database within about this time. */
const ARRIVES_WITHIN_MS = 3000;
const LOOK_AGAIN_MS = 100;

type OwnedTable =
  'jobs' | 'deployments' | 'experiments' | 'sweeps' | 'runs' | 'drills' | 'alerts' | 'repairs' | 'predictions';
interface Owned {
  table: OwnedTable;
  noun: string;
  code: ErrorCode;
}

/** Objects of a model, by the path parameter that names them. */
export const OWNED: Readonly<Record<string, Owned>> = {
  job_id: { table: 'jobs', noun: 'job', code: 'job_not_found' },
  deployment_id: { table: 'deployments', noun: 'deployment', code: 'deployment_not_found' },
  experiment_id: { table: 'experiments', noun: 'experiment', code: 'experiment_not_found' },
  sweep_id: { table: 'sweeps', noun: 'sweep', code: 'sweep_not_found' },
  run_id: { table: 'runs', noun: 'run', code: 'run_not_found' },
  drill_id: { table: 'drills', noun: 'drill', code: 'drill_not_found' },
  alert_id: { table: 'alerts', noun: 'alert', code: 'alert_not_found' },
  repair_id: { table: 'repairs', noun: 'repair', code: 'repair_not_found' },
  prediction_id: { table: 'predictions', noun: 'prediction', code: 'prediction_not_found' },
};

/** Calls whose body names the model, and where. */
export const NAMED_IN_BODY: Readonly<Record<string, string>> = {
  'post /models/train': 'model_type',
  'post /experiments': 'model',
};

/** The same of those whose query names it. */
const NAMED_IN_QUERY: Record<string, string> = {
  'get /analytics/predictions': 'model_type',
  'get /analytics/model-performance': 'model_type',
  'get /analytics/drift': 'model_type',
  'get /analytics/data-quality': 'model_type',
  'get /alerts/budget': 'model',
};

/** Who calls, and lists that leave out what the caller may not touch (see `modelsOf`). */
const FILTERED = [
  '/whoami',
  '/models',
  '/jobs',
  '/deployments',
  '/experiments',
  '/sweeps',
  '/runs',
  '/drills',
  '/alerts',
  '/repairs',
];

/** The models that a caller may touch, for lists; undefined = all. */
export const modelsOf = (response: Response): readonly string[] | undefined => callerOf(response).models;

/**
 * Keeps a caller that may touch some models only from all others, and from what belongs to no model. What belongs to another model is
 * answered as if it were not there: whether it is must not be told.
 * @throws ServiceError of the kind `…_not_found`, or `role_insufficient`
 */
export function limitToModels(route: RouteDefinition, context: ApiContext) {
  return async function refuseOtherModels(request: Request, response: Response, next: NextFunction): Promise<void> {
    const caller = response.locals['caller'] as Caller | undefined;
    // For the audit log: what is answered as if it were not there was denied all the same.
    response.locals['isHidden'] = true;
    if (caller?.models !== undefined && route.role !== 'public') await checkModels(caller, route, request, context);
    response.locals['isHidden'] = false;
    next();
  };
}

async function checkModels(caller: Caller, route: RouteDefinition, request: Request, context: ApiContext) {
  const model = modelNamed(route.path, request);
  if (model !== undefined) {
    refuseOtherModel(caller, model);
    if (!READS_BEYOND.includes(keyOf(route))) return;
  }
  const parameter = Object.keys(request.params).find((name) => name in OWNED);
  if (parameter) return refuseOtherObject(caller, OWNED[parameter]!, String(request.params[parameter]), context);
  const asked = NAMED_IN_QUERY[keyOf(route)];
  if (asked !== undefined) return refuseOtherModelNamed(caller, request.query[asked]);
  if (NAMED_IN_BODY[keyOf(route)] || (route.method === 'get' && FILTERED.includes(route.path))) return;
  throw new ServiceError(
    'role_insufficient',
    `This concerns more than single models, and the caller may touch only: ${caller.models?.join(', ')}.`,
  );
}

/** The same for calls whose body names the model, once it is read. */
export function refuseOtherModelInBody(route: RouteDefinition, request: Request, response: Response): void {
  const field = NAMED_IN_BODY[keyOf(route)];
  if (field === undefined) return;
  response.locals['isHidden'] = true;
  refuseOtherModelNamed(callerOf(response), (request.body as Record<string, unknown> | undefined)?.[field]);
  response.locals['isHidden'] = false;
}

function refuseOtherModelNamed(caller: Caller, named: unknown): void {
  // What is no text is refused by the schema of the route.
  if (typeof named === 'string') refuseOtherModel(caller, canonicalModelName(named));
}

const keyOf = ({ method, path }: RouteDefinition) => `${method} ${path}`;

/** @throws ServiceError `model_not_found` */
export function refuseOtherModel(caller: Caller, model: string): void {
  if (mayTouch(caller, model)) return;
  throw new ServiceError('model_not_found', `There is no model "${model.slice(0, 64)}" for this caller.`);
}

/** The model in the path: by its parameter, or as the path of a kind. @param route its path, as it is declared */
export function modelNamed(route: string, request: Request): string | undefined {
  const named = request.params['model'] ?? /^\/predict\/([a-z-]+)$/.exec(route)?.[1];
  if (named === undefined) return undefined;
  return named === 'recommendations' ? 'recommendation' : canonicalModelName(String(named));
}

async function refuseOtherObject(caller: Caller, owned: Owned, id: string, context: ApiContext): Promise<void> {
  const model = await withDatabase(() => ownerOf(owned.table, id, context));
  if (mayTouch(caller, model)) return;
  throw new ServiceError(owned.code, `There is no ${owned.noun} "${id.slice(0, 100)}" for this caller.`);
}

async function ownerOf(table: OwnedTable, id: string, { database, predictionLog }: ApiContext) {
  if (id.includes('\0')) return undefined;
  if (table !== 'predictions') return readOwner(database, table, id);
  // It may still be on its way to the database.
  await predictionLog.flush();
  for (const untilMs = Date.now() + ARRIVES_WITHIN_MS; ;) {
    const model = await readOwner(database, table, id);
    if (model !== undefined || Date.now() > untilMs) return model;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function readOwner({ pool }: Database, table: OwnedTable, id: string): Promise<string | null | undefined> {
  const { rows } = await pool.query<{ model: string | null }>(`SELECT model FROM ${table} WHERE id = $1 LIMIT 1`, [id]);
  return rows[0]?.model;
}
