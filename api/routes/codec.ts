import type { PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { parseRequest } from '../../services/parse-request.js';
import { payloadFromText, payloadToText } from '../../services/encryption/payload-bytes.js';
import { dataConverterOf } from '../../services/pipelines/temporal-client.js';
import type { ApiContext } from '../http-context.js';
import type { RouteDefinition } from './route-definition.js';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const base64 = z.string().regex(BASE64, 'must be base64');

/** What Temporal's own programs send; they may add fields. */
const payloadsSchema = z.object({
  payloads: z
    .array(z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() }))
    .max(10_000)
    .describe('Payloads as JSON has them: bytes as base64'),
});
type Payloads = z.output<typeof payloadsSchema>;

const PAYLOADS = {
  type: 'object',
  required: ['payloads'],
  properties: { payloads: { type: 'array', items: { type: 'object' } } },
};
const EXAMPLE = { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'eyJtb2RlbCI6ImNodXJuIn0=' }] };

function codecOf({ config }: ApiContext): PayloadCodec {
  const codec = dataConverterOf(config.temporal)?.payloadCodecs?.[0];
  if (codec) return codec;
  throw new ServiceError('resource_not_found', 'Nothing is encrypted here: ENCRYPTION_KEYS is not set.');
}

async function translate(body: Payloads, context: ApiContext, way: 'encode' | 'decode') {
  const codec = codecOf(context);
  const payloads = body.payloads.map(payloadFromText);
  try {
    return { payloads: (await codec[way](payloads)).map(payloadToText) };
  } catch (error) {
    throw new ServiceError('request_invalid', `The payloads cannot be decrypted. ${(error as Error).message}`, [
      { path: 'payloads', message: (error as Error).message },
    ]);
  }
}

/** The codec server of Temporal's Web UI and command line: shows what the jobs were given to those who may see it. */
export const codecRoutes: RouteDefinition[] = (['decode', 'encode'] as const).map((way) => ({
  method: 'post',
  path: `/codec/${way}`,
  tag: 'Operate',
  summary:
    way === 'decode'
      ? 'Payloads of Temporal, decrypted: for its Web UI and command line'
      : 'Payloads for Temporal, encrypted: for its command line',
  description: `Temporal's codec server protocol. \`temporal workflow show --codec-endpoint http://127.0.0.1:8080/codec …\` shows inputs and results, and the Web UI takes the same address under "Configure Remote Codec Endpoint". Without \`ENCRYPTION_KEYS\` it answers 404.`,
  role: 'admin',
  body: payloadsSchema,
  example: EXAMPLE,
  answers: [{ status: 200, description: 'The payloads, in order', schema: PAYLOADS }],
  errors: ['resource_not_found', 'request_invalid'],
  handle: (request, _response, context) => translate(parseRequest(payloadsSchema, request.body), context, way),
}));
