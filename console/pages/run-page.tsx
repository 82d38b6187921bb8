import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { CurvePanel } from '../parts/curve-panel.js';
import { Facts } from '../parts/facts.js';
import { formatBytes, formatName, formatNumber, formatValue } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Time } from '../parts/format-time.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { orderMetrics } from '../parts/order-metrics.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

export default function RunPage() {
  const { id } = useParams<{ id: string }>();
  const run = useRead('/runs/{run_id}', { path: { run_id: id } }, { everyMs: LIVE_MS });
  return (
    <Page
      title={run.data ? `Run of ${run.data.model}` : 'Run'}
      tab={`Run ${id}`}
      parents={[{ title: 'Runs', to: '/runs' }]}
      lead={id}
    >
      <Loaded of={run} lines={8}>
        {({
          status,
          model,
          version,
          dataset_id: dataset,
          cost,
          params,
          metrics,
          environment,
          error,
          created_at: at,
        }) => (
          <>
            <Panel title="Run">
              <Facts
                items={[
                  ['State', <Status key="s" state={status} />],
                  [
                    'Version',
                    version && <AppLink to={pathTo.version(model, version)}>{`${model} ${version}`}</AppLink>,
                  ],
                  ['Dataset', dataset && <AppLink to={pathTo.dataset(dataset)}>{dataset}</AppLink>],
                  [
                    'Job',
                    <AppLink key="j" to={pathTo.job(id)}>
                      {id}
                    </AppLink>,
                  ],
                  ['Took', formatSeconds(cost.wall_seconds)],
                  ['CPU', formatSeconds(cost.cpu_seconds)],
                  ['Memory at most', formatBytes(cost.peak_memory_bytes)],
                  ['Started', <Time key="t" at={at} />],
                ]}
              />
            </Panel>
            {error && (
              <Panel title="Why it failed">
                <JsonView value={error} label="The error in full" />
              </Panel>
            )}
            <Panel title="Parameters">
              <Facts
                items={Object.entries(params as Record<string, unknown>).map(([name, value]) => [
                  formatName(name),
                  formatValue(value),
                ])}
              />
            </Panel>
            <Panel title="Figures">
              <Facts items={orderMetrics(metrics).map(([name, value]) => [formatName(name), formatNumber(value)])} />
            </Panel>
            <Curves id={id} />
            <Panel title="Where it ran">
              <JsonView value={environment} label="Environment of the run" />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Curves({ id }: { id: string }) {
  const curves = useRead(
    '/runs/{run_id}/metrics',
    { path: { run_id: id }, query: { points: 300 } },
    { everyMs: LIVE_MS },
  );
  return (
    <Loaded of={curves}>
      {({ items }) => (
        <CurvePanel
          title="Curves"
          curves={items.map(({ name, points }) => ({
            name,
            note: 'As the fit reported it',
            rows: points.map(({ step, value }) => ({ step, value })),
            lines: ['value'],
          }))}
        />
      )}
    </Loaded>
  );
}
