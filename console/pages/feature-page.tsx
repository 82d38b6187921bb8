import { useLocation, useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { DataTable } from '../parts/data-table.js';
import { Facts } from '../parts/facts.js';
import { formatNumber, formatPercent, formatValue } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { client, newKey } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { Freshness } from './features-page.js';

export default function FeaturePage() {
  const { view } = useParams<{ view: string }>();
  const [, navigate] = useLocation();
  const mayFill = useMay('engineer');
  const read = useRead('/features/views/{view}', { path: { view } }, { everyMs: LIVE_MS });
  return (
    <Page
      title={view}
      parents={[{ title: 'Features', to: '/features' }]}
      lead={read.data?.description}
      actions={
        mayFill && (
          <ConfirmButton
            label="Fill online values"
            question={`Fill the online values of ${view}?`}
            send={() =>
              client.post('/features/views/{view}/materialize', { path: { view }, idempotencyKey: newKey() } as never)
            }
            onDone={(job) => navigate(pathTo.job((job as { job_id: string }).job_id))}
          >
            From the newest datasets; a job does it.
          </ConfirmButton>
        )
      }
    >
      <Loaded of={read} lines={6}>
        {(shown) => (
          <>
            <Panel title="View">
              <Facts
                items={[
                  ['Version', shown.version],
                  ['Entity', shown.entity],
                  ['Owner', shown.owner],
                  ['Declared in', shown.declared_in === 'file' ? 'models/features.yaml' : 'the API'],
                  ['Values are good for', formatSeconds(shown.ttl_seconds)],
                  ['Online values', <Freshness key="f" view={shown} />],
                  ['Entities', formatNumber(shown.materialized?.entities)],
                ]}
              />
            </Panel>
            <Panel title="Features">
              <DataTable
                caption="Features of the view"
                rows={shown.features}
                keyOf={({ name }) => name}
                columns={[
                  { title: 'Feature', isHeading: true, cell: ({ name }) => name },
                  { title: 'Type', cell: ({ type }) => type },
                  { title: 'Worked out', cell: ({ on_demand: onDemand }) => (onDemand ? 'when asked' : 'before') },
                ]}
              />
            </Panel>
            {shown.materialized && (
              <ChartPanel title="Values" rows={shown.materialized.statistics}>
                <DataTable
                  caption="Values of the features"
                  rows={shown.materialized.statistics}
                  keyOf={({ name }) => name}
                  columns={[
                    { title: 'Feature', isHeading: true, cell: ({ name }) => name },
                    { title: 'Empty', align: 'right', cell: ({ null_share: share }) => formatPercent(share) },
                    { title: 'Distinct', align: 'right', cell: ({ distinct }) => formatNumber(distinct) },
                    { title: 'Least', cell: ({ minimum }) => formatValue(minimum) },
                    { title: 'Mean', align: 'right', cell: ({ mean }) => formatNumber(mean) },
                    { title: 'Most', cell: ({ maximum }) => formatValue(maximum) },
                  ]}
                />
              </ChartPanel>
            )}
            {shown.consumers.length > 0 && (
              <Panel title="Used by">
                <DataTable
                  caption="Versions that use the view"
                  rows={shown.consumers}
                  keyOf={({ model, version }) => model + version}
                  columns={[
                    {
                      title: 'Version',
                      isHeading: true,
                      cell: ({ model, version }) => (
                        <AppLink to={pathTo.version(model, version)}>{`${model} ${version}`}</AppLink>
                      ),
                    },
                    { title: 'View version', align: 'right', cell: ({ view_version: used }) => used },
                    { title: 'State', cell: ({ state }) => state },
                  ]}
                />
              </Panel>
            )}
            <Panel title="Definition">
              <JsonView value={shown.definition} label="Definition of the view" />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}
