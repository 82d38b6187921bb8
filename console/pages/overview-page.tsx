import { Group, List, SimpleGrid, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { AppLink, ButtonLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Time } from '../parts/format-time.js';
import { formatName } from '../parts/format-number.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import type { DependencyHealth } from '../service/shapes.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { JobTable } from './job-table.js';

type Model = components['schemas']['Model'];
/** Failures that are older are history. */
const RECENT_MS = 86_400_000;

/** Is everything well, and what needs me? */
export function OverviewPage() {
  const models = useRead('/models', {}, { everyMs: LIVE_MS });
  const running = useRead('/jobs', { query: { status: 'running', limit: 10 } }, { everyMs: LIVE_MS });
  return (
    <Page title="Overview">
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Attention models={models.data?.items ?? []} />
        <HealthPanel />
      </SimpleGrid>
      <Panel title="Models" actions={<AppLink to="/models">All models</AppLink>}>
        <Loaded of={models}>{({ items }) => <ModelTable models={items} />}</Loaded>
      </Panel>
      <Panel title="At work now" actions={<AppLink to="/jobs">All jobs</AppLink>}>
        <Loaded of={running} lines={2}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="No job is running" />
            ) : (
              <JobTable jobs={items} caption="Running jobs" />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}

function HealthPanel() {
  const health = useRead('/health', {}, { everyMs: LIVE_MS });
  return (
    <Panel title="Health">
      <Loaded of={health}>
        {({ status, version, dependencies }) => (
          <Stack gap="sm">
            <Group gap="md">
              <Text fw={600} component="div">
                <Status state={status} tone={status === 'ok' ? 'good' : 'waiting'} />
              </Text>
              <Text size="sm" c="dimmed">
                release {version}
              </Text>
            </Group>
            <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs">
              {Object.entries(dependencies as unknown as Record<string, DependencyHealth>).map(([name, dependency]) => (
                <div key={name}>
                  <Text size="sm" component="div">
                    <Status state={dependency.status} />{' '}
                    <Text span c="dimmed">
                      {formatName(name)}
                    </Text>
                  </Text>
                  {dependency.status === 'down' && (
                    <Text size="xs" c="dimmed">
                      {dependency.error}. Affects: {dependency.affects}.
                    </Text>
                  )}
                </div>
              ))}
            </SimpleGrid>
          </Stack>
        )}
      </Loaded>
    </Panel>
  );
}

/** What waits for a person, the gravest first. */
function Attention({ models }: { models: readonly Model[] }) {
  const rollouts = useRead('/deployments', { query: { limit: 50 } }, { everyMs: LIVE_MS });
  const failed = useRead('/jobs', { query: { status: 'failed', limit: 20 } }, { everyMs: LIVE_MS });
  const alerts = useRead('/alerts', { query: { status: 'open', limit: 50 } }, { everyMs: LIVE_MS });
  const needs: [string, ReactNode][] = [];
  for (const alert of alerts.data?.items ?? [])
    needs.push([
      alert.alert_id,
      <>
        <AppLink to={pathTo.alert(alert.alert_id)}>
          {alert.model ?? 'The platform'}: {alert.subject || formatName(alert.rule)}
        </AppLink>{' '}
        has an alert: {alert.summary}
      </>,
    ]);
  for (const rollout of rollouts.data?.items ?? [])
    if (rollout.state === 'holding' || rollout.state === 'paused')
      needs.push([
        rollout.deployment_id,
        <>
          <AppLink to={pathTo.rollout(rollout.deployment_id)}>
            Rollout of {rollout.model} {rollout.version}
          </AppLink>{' '}
          is {rollout.state === 'holding' ? 'held' : 'paused'}
          {rollout.reason ? `: ${rollout.reason}` : ''}
        </>,
      ]);
  for (const job of failed.data?.items ?? [])
    if (Date.now() - Date.parse(job.created_at) < RECENT_MS)
      needs.push([
        job.job_id,
        <>
          <AppLink to={pathTo.job(job.job_id)}>
            {job.type} {job.model ?? ''}
          </AppLink>{' '}
          failed <Time at={job.finished_at ?? job.created_at} />
          {job.error ? `: ${String((job.error as { detail?: unknown }).detail ?? '')}` : ''}
        </>,
      ]);
  for (const model of models)
    if (!model.serving.version)
      needs.push([
        model.model,
        <>
          <AppLink to={pathTo.model(model.model)}>{model.model}</AppLink>{' '}
          {model.latest_version ? `has ${model.latest_version}, but nothing is deployed` : 'has no version yet'}
        </>,
      ]);
  return (
    <Panel title="Needs you">
      <Loaded of={rollouts}>
        {() =>
          needs.length === 0 ? (
            <EmptyState title="Nothing needs you">
              Every model is served, no rollout is held, and no job has failed today.
            </EmptyState>
          ) : (
            <List spacing={8} size="sm">
              {needs.slice(0, 12).map(([key, content]) => (
                <List.Item key={key}>
                  <Text inherit component="div" lineClamp={2}>
                    {content}
                  </Text>
                </List.Item>
              ))}
              {needs.length > 12 && <List.Item>and {needs.length - 12} more</List.Item>}
            </List>
          )
        }
      </Loaded>
    </Panel>
  );
}

export function ModelTable({ models }: { models: readonly Model[] }) {
  if (models.length === 0)
    return (
      <EmptyState title="No models">models/config.yaml has no entry. The guide “Your own data” shows one.</EmptyState>
    );
  return (
    <DataTable
      caption="Models"
      rows={models}
      keyOf={({ model }) => model}
      columns={[
        { title: 'Model', isHeading: true, cell: ({ model }) => <AppLink to={pathTo.model(model)}>{model}</AppLink> },
        { title: 'Kind', cell: ({ kind }) => formatName(kind) },
        {
          title: 'Serves',
          cell: ({ model, serving }) =>
            serving.version ? (
              <AppLink to={pathTo.version(model, serving.version)}>{serving.version}</AppLink>
            ) : (
              <Status state="nothing" tone="waiting" />
            ),
        },
        {
          title: 'Loaded',
          cell: ({ serving }) =>
            serving.version ? (
              <Status
                state={serving.loaded_version === serving.version ? 'by all processes' : 'not by all yet'}
                tone={serving.loaded_version === serving.version ? 'good' : 'waiting'}
              />
            ) : (
              '—'
            ),
        },
        {
          title: 'Newest',
          cell: ({ model, latest_version: latest }) =>
            latest ? <AppLink to={pathTo.version(model, latest)}>{latest}</AppLink> : 'none yet',
        },
        {
          title: 'Next',
          cell: ({ model, latest_version: latest, serving }) =>
            latest && latest !== serving.version ? (
              <ButtonLink to={pathTo.version(model, latest)} size="compact-xs" variant="default">
                Look at {latest}
              </ButtonLink>
            ) : null,
        },
      ]}
    />
  );
}
