import { Progress, Stack } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber, formatValue } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { client, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

const RunPlots = lazy(() => import('./run-plots.js'));

type Sweep = components['schemas']['Sweep'];

export default function SweepPage() {
  const { id } = useParams<{ id: string }>();
  const read = useRead('/sweeps/{sweep_id}', { path: { sweep_id: id } }, { everyMs: LIVE_MS });
  const sweep = read.data;
  return (
    <Page
      title={sweep ? `Sweep of ${sweep.model}` : 'Sweep'}
      tab={`Sweep ${id}`}
      parents={[{ title: 'Sweeps', to: '/sweeps' }]}
      lead={id}
      actions={sweep && <SweepActions sweep={sweep} />}
    >
      <Loaded of={read} lines={6}>
        {(shown) => (
          <>
            <Panel title="Where it stands">
              <Stack>
                <Status state={shown.state} />
                <Progress value={(100 * doneOf(shown)) / Math.max(1, shown.trials)} aria-label="Trials that are done" />
                <Facts
                  items={[
                    ['Trials', `${doneOf(shown)} of ${shown.trials}`],
                    ...Object.entries(shown.counts).map(
                      ([name, count]) => [formatName(name), formatNumber(count)] as const,
                    ),
                    ['Time left', shown.eta_seconds === null ? null : formatSeconds(shown.eta_seconds)],
                    ['Best trial', shown.best && `${shown.best.trial}, loss ${formatNumber(shown.best.loss)}`],
                    [
                      'Job',
                      <AppLink key="j" to={pathTo.job(shown.job_id)}>
                        {shown.job_id}
                      </AppLink>,
                    ],
                    ['Reason', shown.reason],
                  ]}
                />
                {shown.best && (
                  <Facts
                    items={Object.entries(shown.best.configuration).map(([name, value]) => [
                      formatName(name),
                      formatValue(value),
                    ])}
                  />
                )}
              </Stack>
            </Panel>
            {shown.front.length > 0 && <Front front={shown.front} />}
            <Suspense fallback={<div role="status" aria-label="Loading" />}>
              <RunPlots query={{ parent_id: shown.job_id, kind: 'trial' }} />
            </Suspense>
          </>
        )}
      </Loaded>
      <Trials id={id} />
    </Page>
  );
}

const doneOf = ({ counts }: Sweep) => counts.completed + counts.pruned + counts.failed;

function SweepActions({ sweep }: { sweep: Sweep }) {
  const path = { sweep_id: sweep.sweep_id };
  if (!useMay('engineer') || !['running', 'paused'].includes(sweep.state)) return null;
  return (
    <>
      {sweep.state === 'paused' ? (
        <ConfirmButton
          key="resume"
          label="Resume"
          question="Let the sweep go on?"
          send={() => client.post('/sweeps/{sweep_id}/resume', { path })}
        />
      ) : (
        <ConfirmButton
          key="pause"
          label="Pause"
          question="Pause the sweep?"
          send={() => client.post('/sweeps/{sweep_id}/pause', { path })}
        >
          Trials under way end; no other begins.
        </ConfirmButton>
      )}
      <ConfirmButton
        label="Stop"
        question="Stop the sweep?"
        isDanger
        send={() => client.post('/sweeps/{sweep_id}/stop', { path })}
      >
        The training goes on with the best of the trials that are done.
      </ConfirmButton>
    </>
  );
}

/** What no other trial betters in all objectives: the choice among them is a matter of taste. */
function Front({ front }: Pick<Sweep, 'front'>) {
  const metrics = Object.keys(front[0]?.values ?? {});
  return (
    <Panel title="Best in one way or another">
      <DataTable
        caption="Trials that no other betters in all objectives"
        rows={front}
        keyOf={({ trial }) => String(trial)}
        columns={[
          { title: 'Trial', isHeading: true, cell: ({ trial }) => trial },
          ...metrics.map((metric) => ({
            title: formatName(metric),
            align: 'right' as const,
            cell: ({ values }: Sweep['front'][number]) => formatNumber(values[metric] ?? null),
          })),
          {
            title: 'Configuration',
            cell: ({ configuration }) =>
              Object.entries(configuration)
                .map(([name, value]) => `${formatName(name)} ${formatValue(value)}`)
                .join(', '),
          },
        ]}
      />
    </Panel>
  );
}

function Trials({ id }: { id: string }) {
  const trials = useRead(
    '/sweeps/{sweep_id}/trials',
    { path: { sweep_id: id }, query: { limit: 200 } },
    { everyMs: LIVE_MS },
  );
  return (
    <Loaded of={trials}>
      {({ items }) => (
        <ChartPanel
          title="Trials"
          rows={items.map(({ trial, state, loss, seconds, configuration }) => ({
            trial,
            state,
            loss,
            seconds,
            ...configuration,
          }))}
        >
          {items.length === 0 ? (
            <EmptyState title="No trial yet" />
          ) : (
            <DataTable
              caption="Trials of the sweep"
              rows={items}
              keyOf={({ trial }) => String(trial)}
              columns={[
                { title: 'Trial', isHeading: true, cell: ({ trial }) => trial },
                { title: 'State', cell: ({ state }) => <Status state={state} /> },
                { title: 'Loss', align: 'right', cell: ({ loss }) => formatNumber(loss) },
                { title: 'Took', align: 'right', cell: ({ seconds }) => formatSeconds(seconds) },
                {
                  title: 'Configuration',
                  cell: ({ configuration }) =>
                    Object.entries(configuration)
                      .map(([name, value]) => `${formatName(name)} ${formatValue(value)}`)
                      .join(', '),
                },
                { title: 'Reason', cell: ({ reason }) => reason ?? '—' },
              ]}
            />
          )}
        </ChartPanel>
      )}
    </Loaded>
  );
}
