import { dataRoutes } from './data.js';
import { deploymentRoutes } from './deployments.js';
import { drillRoutes } from './drills.js';
import { exchangeRoutes } from './exchange.js';
import { experimentRoutes } from './experiments.js';
import { featureRoutes } from './features.js';
import { freezeRoutes } from './freezes.js';
import { jobRoutes } from './jobs.js';
import { lineageRoutes } from './lineage.js';
import { modelRoutes } from './models.js';
import { openInferenceRoutes } from './open-inference.js';
import { operateRoutes } from './operate.js';
import { predictBatchRoutes } from './predict-batch.js';
import { predictRoutes } from './predict.js';
import { reportRoutes } from './reports.js';
import type { RouteDefinition } from './route-definition.js';
import { retentionRoutes } from './retention.js';
import { scheduleRoutes } from './schedules.js';
import { subjectRoutes } from './subjects.js';
import { runRoutes } from './runs.js';
import { sweepRoutes } from './sweeps.js';
import { webhookRoutes } from './webhooks.js';
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
  ...runRoutes,
  ...dataRoutes,
  ...featureRoutes,
  ...lineageRoutes,
  ...retentionRoutes,
  ...subjectRoutes,
  ...scheduleRoutes,
  ...webhookRoutes,
  ...operateRoutes,
];
