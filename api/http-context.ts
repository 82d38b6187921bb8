import type { Request, Response } from 'express';
import { ServiceError } from '../core/errors.js';
import { LOCAL_CALLER, type Caller } from '../core/roles.js';
import type { AuditLog } from '../services/audit/audit-log.js';
import type { DeniedCalls } from '../services/audit/denied-calls.js';
import type { Authenticator } from '../services/auth/authenticator.js';
import type { TokenStore } from '../services/auth/token-store.js';
import type { TokenTable } from '../services/auth/token-table.js';
import type { Container } from '../services/container.js';
import type { AlertStore } from '../services/alerts/alert-store.js';
import type { RuleCatalogue } from '../services/alerts/rule-catalogue.js';
import type { SilenceStore } from '../services/alerts/silence-store.js';
import type { createDatasetStore } from '../services/datasets/dataset-store.js';
import type { DeploymentStore } from '../services/deployments/deployment-store.js';
import type { DrillStore } from '../services/drills/drill-store.js';
import type { EventIntake } from '../services/events/event-intake.js';
import type { ExperimentStore } from '../services/experiments/experiment-store.js';
import type { ErasureStore } from '../services/erasure/erasure-store.js';
import type { HealthMonitor } from '../services/health/health-monitor.js';
import type { LineageReader } from '../services/lineage/read-lineage.js';
import type { OnlineFeatures } from '../services/features/online-features.js';
import type { ViewCatalogue } from '../services/features/view-catalogue.js';
import type { createFreezeStore } from '../services/freezes/freeze-store.js';
import type { SharedCounts } from '../services/limits/shared-counts.js';
import type { BatchTurns } from '../services/serving/batch-turns.js';
import type { OutcomeRecorder } from '../services/serving/outcome-recorder.js';
import type { PredictionLog } from '../services/serving/prediction-log.js';
import type { PredictionStore } from '../services/serving/prediction-store.js';
import type { Predictor } from '../services/serving/predict.js';
import type { RedisCache } from '../services/serving/redis-cache.js';
import type { RoutingTable } from '../services/serving/routing-table.js';
import type { createWatermarkStore } from '../services/sources/watermark-store.js';
import type { UploadStore } from '../services/uploads/upload-store.js';
import type { RunStore } from '../services/tracking/run-store.js';
import type { RepairStore } from '../services/repair/repair-store.js';
import type { SweepStore } from '../services/search/sweep-store.js';
import type { WebhookStore } from '../services/webhooks/webhook-store.js';
import type { InventoryMetrics } from '../services/telemetry/inventory-metrics.js';
import type { Metrics } from '../services/telemetry/metrics.js';
import type { Admission } from './admission.js';

/** What the routes work with: the shared services and those of the serving process. */
export interface ApiContext extends Container {
  metrics: Metrics;
  /** Undefined where callers need no token. */
  authenticator: Authenticator | undefined;
  tokens: TokenStore;
  tokenTable: TokenTable;
  audit: AuditLog;
  deniedCalls: DeniedCalls;
  /** Where REDIS_URL is set and there are rates to hold callers to. */
  sharedCounts: SharedCounts | undefined;
  inventory: InventoryMetrics;
  health: HealthMonitor;
  routing: RoutingTable;
  predictionStore: PredictionStore;
  predictionLog: PredictionLog;
  outcomes: OutcomeRecorder;
  /** Where REDIS_URL is set. */
  redis: RedisCache | undefined;
  admission: Admission;
  batchTurns: BatchTurns;
  predict: Predictor;
  datasets: ReturnType<typeof createDatasetStore>;
  events: EventIntake;
  uploads: UploadStore;
  watermarks: ReturnType<typeof createWatermarkStore>;
  deployments: DeploymentStore;
  freezes: ReturnType<typeof createFreezeStore>;
  experiments: ExperimentStore;
  drills: DrillStore;
  sweeps: SweepStore;
  webhooks: WebhookStore;
  alerts: AlertStore;
  repairs: RepairStore;
  alertRules: RuleCatalogue;
  silences: SilenceStore;
  lineage: LineageReader;
  erasures: ErasureStore;
  viewCatalogue: ViewCatalogue;
  onlineFeatures: OnlineFeatures;
  runs: RunStore;
  /** False from the first sign of a shutdown on. */
  isAccepting: () => boolean;
}

export function correlationIdOf(response: Response): string {
  return response.locals['correlationId'] as string;
}

/** Who sent the request. Only routes that need no role can have a request of nobody; they must not ask. */
export function callerOf(response: Response): Caller {
  const caller = response.locals['caller'] as Caller | undefined;
  if (!caller) throw new Error('Nobody has signed in, and the route has asked for nobody to.');
  return caller;
}

/** The name of a caller that has signed in. */
export function signedInCallerOf(response: Response): string | undefined {
  const caller = response.locals['caller'] as Caller | undefined;
  return caller === LOCAL_CALLER ? undefined : caller?.subject;
}

/** A path parameter; Express types them as possibly absent or repeated. */
export function pathParameter(request: Request, name: string): string {
  const value = request.params[name];
  if (value?.includes('\0')) throw new ServiceError('request_malformed', 'The path has a NUL character.');
  return typeof value === 'string' ? value : '';
}
