/** A query of a panel: PromQL, and how its series are named. */
export interface QuerySpec {
  expr: string;
  legend: string;
}

/** A panel as it is written down here; `build-dashboard.ts` gives it Grafana's shape. */
export interface PanelSpec {
  title: string;
  /** What it tells, and what to do when it looks bad. */
  description: string;
  kind: 'timeseries' | 'stat';
  /** Of Grafana: `s`, `reqps`, `percentunit`, `bytes`, `short`. */
  unit: string;
  /** Of 24 columns. */
  width: number;
  queries: readonly QuerySpec[];
}

export interface RowSpec {
  title: string;
  panels: readonly PanelSpec[];
}

export interface DashboardSpec {
  uid: string;
  title: string;
  /** Offers a choice of models as `$model`. */
  hasModels: boolean;
  rows: readonly RowSpec[];
}

type Queries = Record<string, string>;
const queriesOf = (queries: Queries) => Object.entries(queries).map(([legend, expr]) => ({ legend, expr }));

/** A chart over time. @param queries PromQL by legend */
export const chart = (title: string, unit: string, queries: Queries, description: string, width = 12): PanelSpec => ({
  title,
  description,
  kind: 'timeseries',
  unit,
  width,
  queries: queriesOf(queries),
});

/** A number. @param queries PromQL by legend */
export const stat = (title: string, unit: string, queries: Queries, description: string, width = 6): PanelSpec => ({
  ...chart(title, unit, queries, description, width),
  kind: 'stat',
});
