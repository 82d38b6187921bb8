import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import express, { type Request, type Response } from 'express';
import { ServiceError } from '../../core/errors.js';
import { NAME_PATTERN } from '../../core/names.js';
import { DATA_FORMATS, type DataFormat } from '../../core/schemas/ingestion.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { eventSchema, uploadQuerySchema } from '../../core/schemas/intake.js';
import { withDatabase } from '../../services/database/database.js';
import { MOST_EVENT_BYTES } from '../../services/events/read-event.js';
import { parseRequest } from '../../services/parse-request.js';
import { callerOf, pathParameter, type ApiContext } from '../http-context.js';
import { requireType } from '../middleware/require-type.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const NDJSON = 'application/x-ndjson';
const BINARY = 'application/octet-stream';

/** A body that was cut off is the caller's doing, not a failure of ours. */
async function* wholeBody(body: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code?.startsWith('Z_') || code?.startsWith('ERR_ZLIB'))
      throw new ServiceError('request_malformed', 'The body is no gzip, though its Content-Encoding says so.');
    throw new ServiceError('request_malformed', 'The request was cut off.');
  }
}

function unpackedBody(request: Request): AsyncIterable<Uint8Array> {
  const encoding = request.get('content-encoding') ?? 'identity';
  if (encoding === 'identity') return wholeBody(request);
  if (encoding !== 'gzip')
    throw new ServiceError('media_type_unsupported', 'The Content-Encoding is not supported; use gzip, or none.');
  // An error of either reaches whoever reads.
  return wholeBody(pipeline(request, createGunzip(), () => undefined));
}

function dataTypeOf(request: Request): string {
  const type = pathParameter(request, 'data_type');
  if (NAME_PATTERN.test(type)) return type;
  const message = 'must be lower-case letters, digits and `_`, starting with a letter';
  throw new ServiceError('request_invalid', `The type of data ${message}.`, [{ path: 'data_type', message }]);
}

async function takeEvents(request: Request, _response: Response, context: ApiContext) {
  const dataType = dataTypeOf(request);
  if (!request.is(NDJSON))
    return context.events.takeOne(dataType, Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));
  const taken = await context.events.takeStream(dataType, unpackedBody(request));
  if (taken.accepted > 0 || taken.rejected === 0) return taken;
  throw new ServiceError(
    'request_invalid',
    `None of the ${taken.rejected} lines is an event.`,
    taken.problems.map(({ line, path, message }) => ({ path: `lines.${line}.${path}`, message })),
  );
}

const FORMAT_OF_TYPE: Readonly<Record<string, DataFormat>> = {
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  [NDJSON]: 'ndjson',
  'application/json': 'json',
  'application/vnd.apache.parquet': 'parquet',
  'application/vnd.apache.arrow.file': 'arrow',
  'application/vnd.apache.arrow.stream': 'arrow',
};

function formatOfType(request: Request): DataFormat {
  const [type = ''] = (request.get('content-type') ?? '').split(';');
  const format = FORMAT_OF_TYPE[type.trim().toLowerCase()];
  if (format) return format;
  const message = `must be given, such as ?format=csv, where the Content-Type does not tell it: one of ${DATA_FORMATS.join(', ')}`;
  throw new ServiceError('request_invalid', `The format of the upload ${message}.`, [{ path: 'format', message }]);
}

async function receiveUpload(request: Request, response: Response, context: ApiContext) {
  const { format = formatOfType(request), compression, sha256 } = parseRequest(uploadQuerySchema, request.query);
  const encoding = request.get('content-encoding') ?? 'identity';
  const packed = { identity: 'none', gzip: 'gzip', zstd: 'zstd' } as const;
  if (!Object.hasOwn(packed, encoding))
    throw new ServiceError('media_type_unsupported', 'The Content-Encoding is not supported; use gzip, zstd or none.');
  if (Number(request.get('content-length')) > context.config.uploads.maxBytes)
    throw new ServiceError('body_too_large', 'The upload is larger than UPLOAD_MAX_MB allows.');
  const asked = {
    format,
    compression: compression ?? packed[encoding as keyof typeof packed],
    sha256,
    subject: callerOf(response).subject,
  };
  const upload = await withDatabase(() => context.uploads.receive(wholeBody(request), asked));
  response.status(201);
  return upload;
}

/** What is sent to the service instead of being read by it, and how far other sources were read. */
export const intakeRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/data/uploads',
    tag: 'Data',
    summary: 'Send a file',
    description:
      'The body is the file, streamed to the disk. The answer names a `source` for POST /data/ingest. The same content sent again is the same upload, ' +
      'and is kept longer. With `sha256` a body that arrived damaged is refused.',
    role: 'engineer',
    query: uploadQuerySchema,
    readBody: [],
    otherBodies: { [BINARY]: { schema: { type: 'string', format: 'binary' }, example: 'id,name\n1,Ada\n' } },
    answers: [{ status: 201, description: 'The upload is kept', schema: ref('Upload') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'body_too_large',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    handle: receiveUpload,
  },
  {
    method: 'get',
    path: '/data/uploads/{upload_id}',
    tag: 'Data',
    summary: 'An upload, until its time is over',
    role: 'viewer',
    answers: [{ status: 200, description: 'The upload', schema: ref('Upload') }],
    errors: ['upload_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.uploads.get(pathParameter(request, 'upload_id'))),
  },
  {
    method: 'post',
    path: '/data/events/{data_type}',
    tag: 'Data',
    summary: 'Send one event, or a stream of them',
    description:
      `An event is a JSON object with an \`event_id\`. As \`application/json\` the body is one; as \`${NDJSON}\` it is one a line, and a bad line ` +
      'is told with its number and costs itself only. The answer comes once all accepted events are on the disk; of several with one `event_id` the first is kept. ' +
      'POST /data/ingest with the source `events:{data_type}` makes a dataset of them.',
    role: 'engineer',
    body: eventSchema,
    example: { event_id: 'e-1', user_id: 'user_123', event_type: 'login', timestamp: '2026-11-28T12:00:00Z' },
    readBody: [
      requireType('application/json', NDJSON),
      express.raw({ type: 'application/json', limit: MOST_EVENT_BYTES }),
    ],
    otherBodies: { [NDJSON]: { schema: { type: 'string' }, example: '{"event_id": "e-1"}\n{"event_id": "e-2"}\n' } },
    answers: [{ status: 200, description: 'What was taken', schema: ref('EventIntake') }],
    errors: ['dependency_unavailable'],
    handle: takeEvents,
  },
  {
    method: 'get',
    path: '/data/watermarks',
    tag: 'Data',
    summary: 'How far sources were read by ingestions with a cursor column',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of watermarks', schema: listOf('Watermark') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle(request, _response, context) {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.watermarks.list(page));
    },
  },
  {
    method: 'delete',
    path: '/data/watermarks/{watermark_id}',
    tag: 'Data',
    summary: 'Have a source read from its beginning again',
    role: 'engineer',
    answers: [{ status: 204, description: 'The watermark is gone' }],
    errors: ['watermark_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      await withDatabase(() => context.watermarks.remove(pathParameter(request, 'watermark_id')));
      response.status(204);
      return undefined;
    },
  },
];
