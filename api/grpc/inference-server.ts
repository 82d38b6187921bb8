import { join } from 'node:path';
import {
  experimental,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ERROR_TABLE, ServiceError } from '../../core/errors.js';
import type { Caller } from '../../core/roles.js';
import { projectRoot } from '../../services/project-root.js';
import type { Config } from '../../services/config.js';
import type { TlsFiles } from '../../services/network/tls-files.js';
import { inferenceMetadata } from '../../services/serving/inference-model.js';
import { correlationIdFrom } from '../../services/telemetry/correlation.js';
import type { ApiContext } from '../http-context.js';
import { serverMetadata, versionAsked } from '../routes/open-inference.js';
import { admitCall, noteDenied } from './admit-call.js';
import { answerInfer, type InferMessage } from './infer-message.js';

const MOST_MESSAGE_BYTES = 32 * 1024 * 1024;
const DRAIN_MS = 10_000;

interface ModelMessage {
  name: string;
  version: string;
}

type Call<Request> = ServerUnaryCall<Request, unknown>;
type Method<Request> = (request: Request, call: Call<Request>, caller: Caller) => unknown;

/**
 * Serves the Open Inference Protocol over gRPC, with TLS where the API itself has it.
 * @returns what stops it: calls under way get ten seconds
 * @throws Error where the port is taken
 */
export async function startInferenceServer(
  context: ApiContext,
  { host, grpcPort: port, tls }: Config,
): Promise<() => Promise<void>> {
  const definition = loadSync(join(projectRoot(), 'api/grpc/open-inference.proto'), {
    keepCase: true,
    longs: Number,
    defaults: true,
    oneofs: true,
  });
  const { inference } = loadPackageDefinition(definition) as unknown as {
    inference: { GRPCInferenceService: ServiceClientConstructor };
  };
  const server = new Server({ 'grpc.max_receive_message_length': MOST_MESSAGE_BYTES });
  server.addService(inference.GRPCInferenceService.service, {
    ServerLive: unary(context, 'ServerLive', () => ({ live: true })),
    ServerReady: unary(context, 'ServerReady', () => ({ ready: context.isAccepting() })),
    ServerMetadata: unary(context, 'ServerMetadata', serverMetadata),
    ModelReady: unary<ModelMessage>(context, 'ModelReady', async ({ name, version }) => {
      await versionAsked(context, name, version);
      return { ready: true };
    }),
    ModelMetadata: unary<ModelMessage>(context, 'ModelMetadata', async ({ name, version }) =>
      inferenceMetadata(await versionAsked(context, name, version)),
    ),
    ModelInfer: unary<InferMessage>(context, 'ModelInfer', async (message, call, caller) => {
      const served = await versionAsked(context, message.model_name, message.model_version);
      return answerInfer(context, served.model, message, {
        correlationId: correlationIdFrom(call.metadata.get('x-correlation-id')[0]?.toString()),
        caller: caller.subject,
        isGone: () => call.cancelled,
      });
    }),
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentialsOf(tls.server), (error) =>
      error ? reject(new Error(`GRPC_PORT=${port} on ${host} cannot be used: ${error.message}`)) : resolve(),
    );
  });
  context.logger.info({ port }, 'the inference protocol is served over gRPC');
  return () => stopServer(server);
}

/** The certificate of the API, read again when it changes; who has none of TLS_CLIENT_CA_FILE is refused in the handshake. */
function credentialsOf(tls: TlsFiles | undefined): ServerCredentials {
  if (!tls) return ServerCredentials.createInsecure();
  const files = new experimental.FileWatcherCertificateProvider({
    certificateFile: tls.cert,
    privateKeyFile: tls.key,
    caCertificateFile: tls.ca,
    refreshIntervalMs: 5000,
  });
  return experimental.createCertificateProviderServerCredentials(
    files,
    tls.ca === undefined ? null : files,
    tls.ca !== undefined,
  );
}

async function stopServer(server: Server): Promise<void> {
  const force = setTimeout(() => server.forceShutdown(), DRAIN_MS);
  await new Promise((resolve) => server.tryShutdown(resolve));
  clearTimeout(force);
}

/** @param name of the method, as in the protocol */
function unary<Request extends Partial<ModelMessage & InferMessage>>(
  context: ApiContext,
  name: string,
  method: Method<Request>,
) {
  return (call: Call<Request>, respond: sendUnaryData<unknown>): void => {
    const { name: model = call.request.model_name } = call.request;
    admitCall(context, name, call, model)
      .then((caller) => method(call.request, call, caller))
      .then((answer) => respond(null, answer))
      .catch(async (error: unknown) => {
        await noteDenied(context, name, error);
        if (!(error instanceof ServiceError)) context.logger.error({ err: error }, 'a gRPC call failed unexpectedly');
        respond({
          code: statusOf(error),
          details: error instanceof ServiceError ? error.message : 'Something went wrong on our side.',
        });
      });
  };
}

function statusOf(error: unknown): status {
  if (!(error instanceof ServiceError)) return status.INTERNAL;
  switch (ERROR_TABLE[error.code].status) {
    case 400:
    case 422:
      return status.INVALID_ARGUMENT;
    case 401:
      return status.UNAUTHENTICATED;
    case 403:
      return status.PERMISSION_DENIED;
    case 404:
      return status.NOT_FOUND;
    case 429:
      return status.RESOURCE_EXHAUSTED;
    case 503:
      return status.UNAVAILABLE;
    default:
      return status.INTERNAL;
  }
}
