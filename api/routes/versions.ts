import type { Request, Response } from 'express';
import { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import {
  aliasRequestSchema,
  approvalRequestSchema,
  noteRequestSchema,
  stateRequestSchema,
  tagsRequestSchema,
  versionsQuerySchema,
} from '../../core/schemas/version.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { addNote, listNotes, setTags } from '../../services/registry/annotate-version.js';
import { changeState } from '../../services/registry/change-state.js';
import { deleteVersion } from '../../services/registry/delete-version.js';
import { deleteAlias, listAliases, setAlias } from '../../services/registry/set-alias.js';
import { decideOnVersion, describeApprovals } from '../../services/registry/version-approvals.js';
import { listEvents, type VersionName } from '../../services/registry/version-events.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, pathParameter, type ApiContext } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const VERSIONS = '/models/{model}/versions';
const VERSION = `${VERSIONS}/{version}`;
const readErrors = ['model_not_found', 'version_not_found', 'dependency_unavailable'] as const;
const listErrors = [...readErrors, 'request_invalid'] as const;
const aliasSchema = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,62}$/,
    'must be lower-case letters, digits, `_` and `-`, starting with a letter, at most 63',
  );

const definitionOf = async (request: Request, context: ApiContext) =>
  modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));

/** The entry of the model and the stored version that a path names. */
async function versionOf(request: Request, context: ApiContext) {
  const definition = await definitionOf(request, context);
  const row = await context.versions.find(definition.name, pathParameter(request, 'version'));
  return { definition, row };
}

/** Answers with a page about the version in the path. */
const listOfVersion =
  (list: typeof listEvents | typeof listNotes): RouteDefinition['handle'] =>
  (request, _response, context) => {
    const page = parseRequest(pageQuerySchema, request.query);
    return withDatabase(async () => list(context.database, await versionThatWas(request, context), page));
  };

/** The version in the path, or one that was deleted: what is written about it stays. @throws ServiceError `version_not_found` */
async function versionThatWas(request: Request, context: ApiContext): Promise<VersionName> {
  try {
    return (await versionOf(request, context)).row;
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'version_not_found') throw error;
    const { name: model } = await definitionOf(request, context);
    const named = { model, version: pathParameter(request, 'version') };
    if ((await context.database.prisma.versionEvent.findFirst({ where: named })) === null) throw error;
    return named;
  }
}

const aliasOf = (request: Request) => parseRequest(z.object({ alias: aliasSchema }), request.params).alias;
const subjectOf = (response: Response) => callerOf(response).subject;

export const versionRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: VERSIONS,
    tag: 'Models',
    summary: 'The versions of a model, newest first',
    description: 'All but the archived ones, unless `state` asks for them.',
    role: 'viewer',
    query: versionsQuerySchema,
    answers: [{ status: 200, description: 'A page of versions', schema: listOf('Version') }],
    errors: ['model_not_found', 'request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { state, tag, ...page } = parseRequest(versionsQuerySchema, request.query);
      const { name } = await definitionOf(request, context);
      return withDatabase(() => context.versions.list(name, page, { state, tag }));
    },
  },
  {
    method: 'get',
    path: VERSION,
    tag: 'Models',
    summary: 'A version: state, parameters, metrics with intervals, signature, lineage',
    description: 'Takes a version or an alias.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The version', schema: ref('Version') }],
    errors: readErrors,
    async handle(request, _response, context) {
      const { name } = await definitionOf(request, context);
      return withDatabase(() => context.versions.get(name, pathParameter(request, 'version')));
    },
  },
  {
    method: 'delete',
    path: VERSION,
    tag: 'Models',
    summary: 'Remove a version for good',
    description: 'Its history stays, and its number is not given out again. 409 while something relies on it.',
    role: 'operator',
    answers: [{ status: 204, description: 'The version is gone' }],
    errors: [...readErrors, 'version_in_use'],
    async handle(request, response, context) {
      const { modelStoragePath } = context.config;
      await withDatabase(async () => {
        const { row } = await versionOf(request, context);
        await deleteVersion({ ...context, modelStoragePath }, row, { subject: subjectOf(response) });
      });
      response.status(204);
      return undefined;
    },
  },
  {
    method: 'post',
    path: `${VERSION}/state`,
    tag: 'Models',
    summary: 'Propose a version, archive it, or bring it back',
    description:
      'An archived version cannot be deployed, takes no alias and is not listed. `shadow`, `canary`, `production` and what follows on ' +
      'them come from the traffic by themselves. A change that is not possible is a 409 that names those which are.',
    role: 'operator',
    body: stateRequestSchema,
    example: { state: 'candidate', reason: 'The best of this week.' },
    answers: [{ status: 200, description: 'The version', schema: ref('Version') }],
    errors: [...readErrors, 'version_conflict', 'version_in_use'],
    async handle(request, response, context) {
      const wanted = parseRequest(stateRequestSchema, request.body);
      return withDatabase(async () => {
        const { row } = await versionOf(request, context);
        await changeState(context.database, row, { ...wanted, subject: subjectOf(response) });
        return context.versions.get(row.model, row.version);
      });
    },
  },
  {
    method: 'get',
    path: `${VERSION}/history`,
    tag: 'Models',
    summary: 'What became of a version, newest first: every state, by whom, when and why',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of changes', schema: listOf('VersionEvent') }],
    errors: listErrors,
    handle: listOfVersion(listEvents),
  },
  {
    method: 'get',
    path: `${VERSION}/notes`,
    tag: 'Models',
    summary: 'The notes on a version, newest first',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of notes', schema: listOf('VersionNote') }],
    errors: listErrors,
    handle: listOfVersion(listNotes),
  },
  {
    method: 'post',
    path: `${VERSION}/notes`,
    tag: 'Models',
    summary: 'Add a note to a version',
    description: 'Notes are kept with their author and time, and are never changed.',
    role: 'engineer',
    body: noteRequestSchema,
    example: { text: 'Trained without the users of the pilot.' },
    answers: [{ status: 201, description: 'The note', schema: ref('VersionNote') }],
    errors: readErrors,
    async handle(request, response, context) {
      const { text } = parseRequest(noteRequestSchema, request.body);
      const note = await withDatabase(async () => {
        const { row } = await versionOf(request, context);
        return addNote(context.database, row, { text, subject: subjectOf(response) });
      });
      response.status(201);
      return note;
    },
  },
  {
    method: 'put',
    path: `${VERSION}/tags`,
    tag: 'Models',
    summary: 'Give a version its tags',
    description: 'These and no others. GET …/versions?tag= finds versions by them.',
    role: 'engineer',
    body: tagsRequestSchema,
    example: { tags: { team: 'growth' } },
    answers: [{ status: 200, description: 'The version', schema: ref('Version') }],
    errors: readErrors,
    async handle(request, _response, context) {
      const { tags } = parseRequest(tagsRequestSchema, request.body);
      return withDatabase(async () => {
        const { row } = await versionOf(request, context);
        await setTags(context.database, row, tags);
        return context.versions.get(row.model, row.version);
      });
    },
  },
  {
    method: 'get',
    path: `${VERSION}/approvals`,
    tag: 'Models',
    summary: 'Who agreed to a version, and what is missing',
    role: 'viewer',
    answers: [{ status: 200, description: 'The approvals', schema: ref('Approvals') }],
    errors: readErrors,
    handle: (request, _response, context) =>
      withDatabase(async () => {
        const { row, definition } = await versionOf(request, context);
        return describeApprovals(context.database, row, definition.approvals);
      }),
  },
  {
    method: 'post',
    path: `${VERSION}/approvals`,
    tag: 'Models',
    summary: 'Approve or reject a version',
    description:
      'Where the entry of the model has `approvals`, a version is deployed only with as many, by different subjects, and no rejection. ' +
      'The latest decision of a subject stands.',
    role: 'operator',
    body: approvalRequestSchema,
    example: { decision: 'approve', note: 'The slices look right.' },
    answers: [{ status: 200, description: 'The approvals', schema: ref('Approvals') }],
    errors: [...readErrors, 'role_insufficient'],
    async handle(request, response, context) {
      const wanted = parseRequest(approvalRequestSchema, request.body);
      return withDatabase(async () => {
        const { row, definition } = await versionOf(request, context);
        const rule = definition.approvals;
        await decideOnVersion(context.database, row, { ...wanted, rule, caller: callerOf(response) });
        return describeApprovals(context.database, row, rule);
      });
    },
  },
  {
    method: 'get',
    path: '/models/{model}/aliases',
    tag: 'Models',
    summary: 'The aliases of a model',
    role: 'viewer',
    answers: [{ status: 200, description: 'All aliases', schema: listOf('Alias') }],
    errors: ['model_not_found', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { name } = await definitionOf(request, context);
      return withDatabase(() => listAliases(context.database, name));
    },
  },
  {
    method: 'put',
    path: '/models/{model}/aliases/{alias}',
    tag: 'Models',
    summary: 'Point an alias at a version',
    description:
      '`model_version` of a prediction takes it from then on. The alias `production` follows the traffic by itself.',
    role: 'operator',
    body: aliasRequestSchema,
    example: { version: 'v1.0.0' },
    answers: [{ status: 200, description: 'The alias', schema: ref('Alias') }],
    errors: [...readErrors, 'version_conflict'],
    async handle(request, _response, context) {
      const { version } = parseRequest(aliasRequestSchema, request.body);
      const alias = aliasOf(request);
      const { name } = await definitionOf(request, context);
      return withDatabase(() => setAlias(context.database, name, alias, version));
    },
  },
  {
    method: 'delete',
    path: '/models/{model}/aliases/{alias}',
    tag: 'Models',
    summary: 'Take an alias away',
    role: 'operator',
    answers: [{ status: 204, description: 'The alias is gone' }],
    errors: ['model_not_found', 'alias_not_found', 'version_conflict', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { name } = await definitionOf(request, context);
      await withDatabase(() => deleteAlias(context.database, name, pathParameter(request, 'alias')));
      response.status(204);
      return undefined;
    },
  },
];
