import { auditRoutes } from './audit.js';
import { codecRoutes } from './codec.js';
import { alertRuleRoutes } from './alert-rules.js';
import { alertRoutes } from './alerts.js';
import { dataRoutes } from './data.js';
import { dataSchemaRoutes } from './data-schemas.js';
import { deploymentRoutes } from './deployments.js';
import { driftRoutes } from './drift.js';
import { drillRoutes } from './drills.js';
import { encryptionRoutes } from './encryption.js';
import { exchangeRoutes } from './exchange.js';
import { experimentRoutes } from './experiments.js';
import { featureRoutes } from './features.js';
import { freezeRoutes } from './freezes.js';
import { intakeRoutes } from './intake.js';
import { jobLogRoutes } from './job-logs.js';
import { jobRoutes } from './jobs.js';
import { lineageRoutes } from './lineage.js';
import { logLevelRoutes } from './log-level.js';
import { modelRoutes } from './models.js';
import { monitorRoutes } from './monitors.js';
import { openInferenceRoutes } from './open-inference.js';
import { operateRoutes } from './operate.js';
import { performanceRoutes } from './performance.js';
import { predictBatchRoutes } from './predict-batch.js';
import { predictRoutes } from './predict.js';
import { preprocessingRoutes } from './preprocessing.js';
import { quarantineRoutes } from './quarantine.js';
import { repairRoutes } from './repairs.js';
import { reportRoutes } from './reports.js';
import type { RouteDefinition } from './route-definition.js';
import { retentionRoutes } from './retention.js';
import { scheduleRoutes } from './schedules.js';
import { validationRoutes } from './validation.js';
import { subjectRoutes } from './subjects.js';
import { runRoutes } from './runs.js';
import { sweepRoutes } from './sweeps.js';
import { tokenRoutes } from './tokens.js';
import { webhookRoutes } from './webhooks.js';
import { whoamiRoutes } from './whoami.js';
import { versionRoutes } from './versions.js';

/** Every endpoint. The router, OpenAPI and the tests that walk all routes are made from this list. */
export const ALL_ROUTES: readonly RouteDefinition[] = [
  ...predictRoutes,
  ...predictBatchRoutes,
  ...openInferenceRoutes,
  ...modelRoutes,
  ...versionRoutes,
  ...reportRoutes,
  ...exchangeRoutes,
  ...deploymentRoutes,
  ...freezeRoutes,
  ...experimentRoutes,
  ...drillRoutes,
  ...sweepRoutes,
  ...jobRoutes,
  ...jobLogRoutes,
  ...runRoutes,
  ...dataRoutes,
  ...intakeRoutes,
  ...preprocessingRoutes,
  ...validationRoutes,
  ...quarantineRoutes,
  ...dataSchemaRoutes,
  ...featureRoutes,
  ...lineageRoutes,
  ...retentionRoutes,
  ...subjectRoutes,
  ...scheduleRoutes,
  ...alertRuleRoutes,
  ...alertRoutes,
  ...repairRoutes,
  ...monitorRoutes,
  ...driftRoutes,
  ...performanceRoutes,
  ...webhookRoutes,
  ...whoamiRoutes,
  ...tokenRoutes,
  ...auditRoutes,
  ...operateRoutes,
  ...encryptionRoutes,
  ...codecRoutes,
  ...logLevelRoutes,
];
