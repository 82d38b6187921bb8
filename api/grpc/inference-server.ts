import { join } from 'node:path';
import {
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
import { projectRoot } from '../../services/project-root.js';
import { inferenceMetadata } from '../../services/serving/inference-model.js';
import { correlationIdFrom } from '../../services/telemetry/correlation.js';
import type { ApiContext } from '../http-context.js';
import { serverMetadata, versionAsked } from '../routes/open-inference.js';
import { answerInfer, type InferMessage } from './infer-message.js';

const MOST_MESSAGE_BYTES = 32 * 1024 * 1024;
const DRAIN_MS = 10_000;

interface ModelMessage {
  name: string;
  version: string;
}

type Call<Request> = ServerUnaryCall<Request, unknown>;
type Method<Request> = (request: Request, call: Call<Request>) => unknown;

/**
 * Serves the Open Inference Protocol over gRPC, without TLS as the API itself.
 * @returns what stops it: calls under way get ten seconds
 * @throws Error where the port is taken
 */
export async function startInferenceServer(
  context: ApiContext,
  host: string,
  port: number,
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
    ServerLive: unary(context, () => ({ live: true })),
    ServerReady: unary(context, () => ({ ready: context.isAccepting() })),
    ServerMetadata: unary(context, serverMetadata),
    ModelReady: unary<ModelMessage>(context, async ({ name, version }) => {
      await versionAsked(context, name, version);
      return { ready: true };
    }),
    ModelMetadata: unary<ModelMessage>(context, async ({ name, version }) =>
      inferenceMetadata(await versionAsked(context, name, version)),
    ),
    ModelInfer: unary<InferMessage>(context, async (message, call) => {
      const served = await versionAsked(context, message.model_name, message.model_version);
      return answerInfer(context, served.model, message, {
        correlationId: correlationIdFrom(call.metadata.get('x-correlation-id')[0]?.toString()),
        isGone: () => call.cancelled,
      });
    }),
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(new Error(`GRPC_PORT=${port} on ${host} cannot be used: ${error.message}`)) : resolve(),
    );
  });
  context.logger.info({ port }, 'the inference protocol is served over gRPC');
  return () => stopServer(server);
}

async function stopServer(server: Server): Promise<void> {
  const force = setTimeout(() => server.forceShutdown(), DRAIN_MS);
  await new Promise((resolve) => server.tryShutdown(resolve));
  clearTimeout(force);
}

function unary<Request>({ logger }: ApiContext, method: Method<Request>) {
  return (call: Call<Request>, respond: sendUnaryData<unknown>): void => {
    Promise.resolve()
      .then(() => method(call.request, call))
      .then((answer) => respond(null, answer))
      .catch((error: unknown) => {
        if (!(error instanceof ServiceError)) logger.error({ err: error }, 'a gRPC call failed unexpectedly');
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
    case 404:
      return status.NOT_FOUND;
    case 503:
      return status.UNAVAILABLE;
    default:
      return status.INTERNAL;
  }
}
