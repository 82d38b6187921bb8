import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { DashboardSpec, PanelSpec } from './dashboard-spec.js';

/** Whoever imports a dashboard chooses which Prometheus it asks. */
const SOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };
const PANEL_HEIGHT = 8;

/** A dashboard in the shape that Grafana reads. The same spec gives the same JSON. */
export function buildDashboard({ uid, title, hasModels, rows }: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .tags(['mlops'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  if (hasModels) builder.withVariable(modelVariable());
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(buildPanel(panel));
  }
  const dashboard = builder.build();
  return { ...dashboard, panels: dashboard.panels?.map((panel, at) => ({ ...panel, id: at + 1 })) };
}

function modelVariable(): QueryVariableBuilder {
  return new QueryVariableBuilder('model')
    .label('Model')
    .datasource(SOURCE)
    .query('label_values(mlops_model_versions, model)')
    .refresh(VariableRefresh.OnDashboardLoad)
    .multi(true)
    .includeAll(true)
    .allValue('.*');
}

function buildPanel({ title, description, kind, unit, width, queries }: PanelSpec) {
  const builder = kind === 'stat' ? new StatBuilder() : new TimeseriesBuilder();
  builder.title(title).description(description).datasource(SOURCE).unit(unit).height(PANEL_HEIGHT).span(width);
  // A duration has examples, with the ids of their traces.
  for (const { expr, legend } of queries)
    builder.withTarget(
      new DataqueryBuilder().datasource(SOURCE).expr(expr).legendFormat(legend).exemplar(expr.includes('_bucket')),
    );
  return builder;
}
