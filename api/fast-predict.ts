import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';
import type { ServiceError } from '../core/errors.js';
import { canonicalModelName } from '../core/names.js';
import { includesRole, LOCAL_CALLER, mayTouch, type Caller } from '../core/roles.js';
import type { PredictionAnswer } from '../services/serving/predict.js';
import type { ServedModel } from '../services/serving/routing-table.js';
import { correlationIdFrom } from '../services/telemetry/correlation.js';
import { isTracing } from '../services/telemetry/tracing.js';
import type { ApiContext } from './http-context.js';
import { isToLoopback } from './middleware/guard-site.js';
import { bearerOf } from './middleware/authenticate.js';
import { hasCertificate } from './middleware/require-certificate.js';
import { problemOf } from './middleware/problem.js';
import { isPlainKind, readPlainInstance } from './routes/plain-instance.js';
import { KIND_PREDICTIONS } from './routes/predict-kinds.js';

const PATH = /^\/predict\/([a-z][a-z0-9_-]{0,62})$/;
const PREDICTION = /^\/predict\/[a-z][a-z0-9_-]{0,62}(\/batch)?$/;
const JSON_TYPE = /^application\/json(;\s*charset=utf-8)?$/i;
/** What a socket hands over at once; bigger bodies come in pieces. */
const MOST_BYTES = 65_536;

/** The headers that Helmet would give each answer; they are the same for all. */
function securityHeaders(): string[] {
  const headers: string[] = [];
  const response = {
    setHeader: (name: string, value: string) => headers.push(name, value),
    removeHeader: () => undefined,
  };
  helmet()({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error) throw error;
  });
  return headers;
}

/**
 * Answers the common prediction past Express: a POST of JSON, a deployed model, an entity and features that are in order. Routing,
 * middleware and schemas take several times as long as such a model. What has to wait too long is turned away here, too, as that must cost
 * little. All else, and each request with something wrong in it, goes to Express untouched, so that one place says what it is.
 * @param otherwise Express
 * @returns the listener of the server
 */
export function createFastPredict(
  context: ApiContext,
  otherwise: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const { routing, predict, predictionLog, metrics, admission, authenticator, logger, isAccepting } = context;
  const security = securityHeaders();
  const answerHeaders = [...security, 'Content-Type', 'application/json; charset=utf-8'];
  const problemHeaders = [...security, 'Content-Type', 'application/problem+json; charset=utf-8'];
  const hasOrigins = context.config.corsOrigins.length > 0;
  const needsCertificate = context.config.tls.server?.ca !== undefined;
  // Where each request is to have its line in the log, or its trace, all take the way of Express.
  const isVerbose = () => isTracing() || logger.isLevelEnabled('debug');

  interface Sent {
    status: number;
    headers: readonly string[];
    text: string;
    correlationId: string;
    startMs: number;
  }

  function sendText(request: IncomingMessage, response: ServerResponse, sent: Sent): void {
    const { status, headers, text, correlationId, startMs } = sent;
    // Its body came after it was answered that it comes too slowly.
    if (response.headersSent) return;
    const length = String(Buffer.byteLength(text));
    response.writeHead(status, [...headers, 'X-Correlation-Id', correlationId, 'Content-Length', length]);
    response.end(text);
    metrics.countRequest(request.method!, routeOf(request.url!), status, (performance.now() - startMs) / 1000);
  }

  function sendRefusal(request: IncomingMessage, response: ServerResponse, refusal: ServiceError, startMs: number) {
    const correlationId = correlationIdFrom(request.headers['x-correlation-id'] as string | undefined);
    const text = JSON.stringify(problemOf(refusal, request.url!, correlationId));
    const { retryAfterSeconds: seconds, status } = refusal;
    const headers = seconds === undefined ? problemHeaders : [...problemHeaders, 'Retry-After', String(seconds)];
    sendText(request, response, { status, headers, text, correlationId, startMs });
  }

  /** Who has come too late to be answered in time is told so before anything else is looked at. @returns whether it was */
  function refuseAtOnce(request: IncomingMessage, response: ServerResponse): boolean {
    // Browsers of other sites need headers of their own.
    if (!PREDICTION.test(request.url!) || request.headers.origin !== undefined) return false;
    const startMs = performance.now();
    const refusal = admission.refuseAtOnce(request);
    if (refusal) sendRefusal(request, response, refusal, startMs);
    return refusal !== undefined;
  }

  /** @returns whether the request is answered, or will be at the end of this turn */
  function answer(
    request: IncomingMessage,
    response: ServerResponse,
    served: ServedModel,
    caller: Caller,
    body: Buffer,
    giveToExpress: () => void,
  ): boolean {
    const startMs = performance.now();
    const correlationId = correlationIdFrom(request.headers['x-correlation-id'] as string | undefined);
    const send = (status: number, headers: readonly string[], text: string) =>
      sendText(request, response, { status, headers, text, correlationId, startMs });
    const refusal = admission.refuse(request, caller === LOCAL_CALLER ? undefined : caller.subject);
    if (refusal) {
      sendRefusal(request, response, refusal, startMs);
      return true;
    }
    const finish = (answered: PredictionAnswer) => {
      const text = JSON.stringify(answered);
      // Not before the prediction is on disk.
      predictionLog.afterWrite(() => send(200, answerHeaders, text));
    };
    try {
      const input = readPlainInstance(served.scorer.bundle.manifest.kind, JSON.parse(body.toString('utf8')));
      if (!input) return false;
      input.caller = caller.subject;
      const answered = predict.answerWith(served, input, correlationId);
      if (answered instanceof Promise) {
        // Its end must not have come when Express gets it after all.
        request.pause();
        answered.then(finish, giveToExpress).finally(() => request.resume());
      } else finish(answered);
    } catch {
      return false;
    }
    return true;
  }

  /** Who may have this answer, where that is known at once; Express tells all others why not. */
  function callerFor(request: IncomingMessage, { model }: ServedModel): Caller | undefined {
    if (needsCertificate && !hasCertificate(request)) return undefined;
    const { origin, host } = request.headers;
    if (origin !== undefined && (hasOrigins || !authenticator)) return undefined;
    if (!authenticator) return isToLoopback(host) ? LOCAL_CALLER : undefined;
    const token = bearerOf(request);
    const caller = token === undefined ? undefined : authenticator.recall(token);
    return caller && includesRole(caller.role, 'predictor') && mayTouch(caller, model) ? caller : undefined;
  }

  function servedModelOf({ method, url, headers }: IncomingMessage): ServedModel | undefined {
    if (method !== 'POST' || !JSON_TYPE.test(headers['content-type'] ?? '')) return undefined;
    if (headers['content-encoding'] !== undefined || headers.expect !== undefined) return undefined;
    const name = PATH.exec(url!)?.[1];
    const served = name === undefined ? undefined : routing.served(canonicalModelName(name));
    return served && isPlainKind(served.scorer.bundle.manifest.kind) ? served : undefined;
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    // A proxy then sends its next request elsewhere, before this process stops to listen.
    if (!isAccepting()) response.setHeader('Connection', 'close');
    if (refuseAtOnce(request, response)) return;
    const length = Number(request.headers['content-length']);
    const served = isVerbose() || !isAccepting() || !(length <= MOST_BYTES) ? undefined : servedModelOf(request);
    const caller = served && !admission.limitsRoute(`POST ${routeOf(request.url!)}`) && callerFor(request, served);
    if (!served || !caller) return otherwise(request, response);
    request.once('data', (chunk: Buffer) => {
      // Express finds the request as if nobody had looked at it.
      const giveToExpress = () => {
        request.pause();
        request.unshift(chunk);
        otherwise(request, response);
        request.resume();
      };
      if (chunk.length === length && answer(request, response, served, caller, chunk, giveToExpress)) return;
      giveToExpress();
    });
  };
}

const KIND_PATHS = new Set(KIND_PREDICTIONS.map(({ path }) => `/predict/${path}`));
/** As the metrics name it: models of the config are not told apart here. */
const routeOf = (url: string) =>
  KIND_PATHS.has(url) ? url : url.endsWith('/batch') ? '/predict/{model}/batch' : '/predict/{model}';
