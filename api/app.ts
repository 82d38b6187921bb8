import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { ServiceError } from '../core/errors.js';
import { auditCall, auditDenied, auditFailure, isAudited } from './audit-call.js';
import { mountConsole } from './console.js';
import { refuseDeep } from '../services/refuse-deep.js';
import { signedInCallerOf, type ApiContext } from './http-context.js';
import { mountDocs } from './docs.js';
import { refuseOtherData } from './data-scope.js';
import { limitToModels, refuseOtherModelInBody } from './model-scope.js';
import { admit } from './middleware/admit.js';
import { authenticate, authorize } from './middleware/authenticate.js';
import { correlate } from './middleware/correlate.js';
import { observe } from './middleware/observe.js';
import { allowOrigins, refuseOtherSites } from './middleware/guard-site.js';
import { handleErrors } from './middleware/problem.js';
import { requireCertificate } from './middleware/require-certificate.js';
import { refuseMethod } from './middleware/refuse-method.js';
import { requireType } from './middleware/require-type.js';
import { trace } from './middleware/trace.js';
import { ALL_ROUTES } from './routes/index-of-routes.js';
import type { RouteDefinition } from './routes/route-definition.js';

const BODY_LIMIT = '1mb';

/** Builds the API; listening is somebody else's job. */
export function createApp(context: ApiContext): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.use(trace, correlate, observe(context.metrics, context.logger), helmet());
  const { authenticator, config } = context;
  if (config.tls.server?.ca !== undefined) app.use(requireCertificate);
  if (config.corsOrigins.length > 0) app.use(allowOrigins(config.corsOrigins));
  if (!authenticator) app.use(refuseOtherSites(config.corsOrigins));
  app.use(authenticate(authenticator), admit(context.admission));
  mountDocs(app);
  mountConsole(app, context.config.temporal);
  // Bodies are read once the route is known, so that an unknown path costs nothing.
  const usual = [
    requireType('application/json'),
    express.json({ limit: BODY_LIMIT, strict: true, verify: refuseDeep }),
  ];
  for (const route of longestFirst(ALL_ROUTES)) {
    const handlers = route.readBody ?? (route.body ? usual : []);
    app[route.method](
      route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      nameRoute(route),
      authorize(route.role),
      holdToRate(route, context),
      limitToModels(route, context),
      ...handlers,
      run(route, context),
    );
  }
  for (const path of new Set(longestFirst(ALL_ROUTES).map((route) => route.path)))
    app.all(path.replaceAll(/\{(\w+)\}/g, ':$1'), refuseMethod(methodsOf(path)));
  app.get('/', (_request, response) => response.redirect('/docs'));
  app.use((request: Request) => {
    throw new ServiceError(
      'resource_not_found',
      `There is nothing at ${request.method} ${request.path.slice(0, 200)}. GET /openapi.json lists all endpoints.`,
    );
  });
  app.use(auditDenied(context), handleErrors(context.logger));
  return app;
}

/** `/models/train` must be tried before `/models/{model}`. */
function longestFirst(routes: readonly RouteDefinition[]): RouteDefinition[] {
  const parameters = (route: RouteDefinition) => (route.path.match(/\{/g) ?? []).length;
  return routes.toSorted((a, b) => parameters(a) - parameters(b));
}

function nameRoute(route: RouteDefinition) {
  return function setRouteName(_request: Request, response: Response, next: NextFunction) {
    response.locals['route'] = route.path;
    next();
  };
}

/** @throws ServiceError `rate_limited` */
function holdToRate({ method, path }: RouteDefinition, { admission }: ApiContext) {
  const route = `${method.toUpperCase()} ${path}`;
  return function limitRate(request: Request, response: Response, next: NextFunction) {
    const caller = signedInCallerOf(response);
    const refusal = admission.refuseRoute(caller, request.socket.remoteAddress ?? '', route);
    if (refusal) throw refusal;
    next();
  };
}

function run(route: RouteDefinition, context: ApiContext) {
  return async (request: Request, response: Response) => {
    // Without a body there is nothing to parse, and the schema says what is missing.
    if (route.body) request.body ??= {};
    if (route.role !== 'public') {
      refuseOtherModelInBody(route, request, response);
      await refuseOtherData(route, request, response, context);
    }
    const answer = await route.handle(request, response, context).catch(async (error: unknown) => {
      if (isAudited(route)) await auditFailure(error, request, response, context);
      throw error;
    });
    if (isAudited(route)) await auditCall(request, response, context, response.statusCode);
    if (response.headersSent) return;
    if (answer === undefined) response.end();
    else response.json(answer);
  };
}

function methodsOf(path: string): string[] {
  return ALL_ROUTES.filter((route) => route.path === path).map((route) => route.method.toUpperCase());
}
