import type * as Api from '@opentelemetry/api';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { NodeTracerProvider, ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-node';
import type * as TemporalTracing from '@temporalio/interceptors-opentelemetry';
import { releaseVersion } from '../release-version.js';

/** What tracing needs while it is on; the packages are loaded only then. */
interface Tracing {
  api: typeof Api;
  temporal: typeof TemporalTracing;
  provider: NodeTracerProvider;
  processor: SpanProcessor;
}

let tracing: Tracing | undefined;

/** Once a process, before any connection. Does nothing, and loads nothing, without an endpoint. */
export async function startTracing(endpoint: string | undefined, component: string): Promise<void> {
  if (endpoint === undefined) return;
  const [api, { NodeTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { Resource }, temporal] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
      import('@temporalio/interceptors-opentelemetry'),
    ]);
  const resource = new Resource({
    'service.name': `ml-pipeline-${component}`,
    'service.version': releaseVersion(),
    'process.pid': process.pid,
  });
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  const processor = new BatchSpanProcessor(exporter, { scheduledDelayMillis: 1000 });
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  provider.register();
  tracing = { api, temporal, provider, processor };
}

export const isTracing = (): boolean => tracing !== undefined;

/** Sends what was not sent yet. */
export async function stopTracing(): Promise<void> {
  await tracing?.provider.shutdown().catch(() => undefined);
}

/** The trace of the call under way, where it is traced and sampled. */
export function currentTraceId(): string | undefined {
  if (!tracing) return undefined;
  const { trace } = tracing.api;
  const context = trace.getActiveSpan()?.spanContext();
  return context && (context.traceFlags & 1) === 1 ? context.traceId : undefined;
}

/** The header that tells a called service of the trace; nothing where there is none. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  if (!tracing) return headers;
  const { context, propagation } = tracing.api;
  const setter: Api.TextMapSetter = { set: (carrier, name, value) => ((carrier as typeof headers)[name] = value) };
  propagation.inject(context.active(), headers, setter);
  return headers;
}

export interface SpanOptions {
  kind: keyof typeof Api.SpanKind;
  attributes?: Record<string, string | number>;
  /** Headers of the caller, who may have a trace already. */
  headers?: Record<string, unknown>;
  /** No span without one around it: what happens in the background all the time is nobody's call. */
  isOnlyInside?: boolean;
}

/** A span that is under way. */
export interface OpenSpan {
  /** Runs something within it. */
  within<T>(work: () => T): T;
  setAttributes(attributes: Record<string, string | number>): void;
  rename(name: string): void;
  end(error?: unknown): void;
}

/** Opens a span, below the one that is active. @returns undefined while nothing is traced */
export function openSpan(name: string, options: SpanOptions): OpenSpan | undefined {
  if (!tracing) return undefined;
  const { context, propagation, trace, SpanKind, SpanStatusCode } = tracing.api;
  const { headers, kind, attributes, isOnlyInside } = options;
  const around: Api.Context = headers ? propagation.extract(context.active(), headers) : context.active();
  if (isOnlyInside && !trace.getSpan(around)) return undefined;
  const span: Api.Span = trace.getTracer('ml-pipeline').startSpan(name, { kind: SpanKind[kind], attributes }, around);
  const inside = trace.setSpan(around, span);
  return {
    within: (work) => context.with(inside, work),
    setAttributes: (more) => void span.setAttributes(more),
    rename: (other) => void span.updateName(other),
    end: (error) => {
      if (error !== undefined) {
        // Only the kind of error: messages may hold what callers sent.
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.setAttribute('error.type', error instanceof Error ? error.name : String(error));
      }
      span.end();
    },
  };
}

/** Interceptors by which calls to Temporal carry their trace along. */
export function tracedClientInterceptors(): WorkflowClientInterceptor[] {
  return tracing ? [new tracing.temporal.OpenTelemetryWorkflowClientInterceptor()] : [];
}

/** What the tracing of workers needs of the packages; undefined while nothing is traced. */
export const loadedTracing = (): Pick<Tracing, 'api' | 'temporal'> | undefined => tracing;

/** Sends a span that was measured elsewhere. */
export function sendSpan(span: Omit<ReadableSpan, 'resource' | 'instrumentationLibrary'>): void {
  if (!tracing) return;
  const { processor, provider } = tracing;
  processor.onEnd({ ...span, resource: provider.resource, instrumentationLibrary: { name: 'ml-pipeline' } });
}
