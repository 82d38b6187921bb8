import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../services/project-root.js';
import { buildDashboard } from './build-dashboard.js';
import { DASHBOARDS } from './all-dashboards.js';

/** Writes each dashboard as Grafana reads it, for its provisioning or for an import by hand. */
const folder = join(projectRoot(), 'infra', 'grafana', 'dashboards');
mkdirSync(folder, { recursive: true });
for (const spec of DASHBOARDS) {
  const file = `${spec.uid}.json`;
  writeFileSync(join(folder, file), `${JSON.stringify(buildDashboard(spec), undefined, 2)}\n`);
  process.stdout.write(`infra/grafana/dashboards/${file}\n`);
}
