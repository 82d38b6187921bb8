import type { DashboardSpec } from './dashboard-spec.js';
import { MODELS } from './models-dashboard.js';
import { PIPELINES } from './pipelines-dashboard.js';
import { SERVING } from './serving-dashboard.js';

export const DASHBOARDS: readonly DashboardSpec[] = [SERVING, MODELS, PIPELINES];
