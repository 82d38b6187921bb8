import { Group, Select } from '@mantine/core';
import { useState } from 'react';
import { useLocation, useParams } from 'wouter';
import { AppLink, ButtonLink, pathTo } from '../parts/app-link.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { TELLING } from '../parts/order-metrics.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { client, newKey, type components } from '../service/client.js';
import type { Version } from '../service/shapes.js';
import { useMay } from '../service/use-caller.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { TrainButton } from './train-button.js';

type Model = components['schemas']['Model'];

export default function ModelPage() {
  const { model } = useParams<{ model: string }>();
  const read = useRead('/models/{model}', { path: { model } }, { everyMs: LIVE_MS });
  return (
    <Page
      title={model}
      parents={[{ title: 'Models', to: '/models' }]}
      lead={read.data?.description}
      actions={
        read.data && (
          <>
            <RollBackButton model={read.data} />
            <TrainButton models={[]} model={read.data.model} />
          </>
        )
      }
    >
      <Loaded of={read}>{(shown) => <ModelFacts model={shown} />}</Loaded>
      {/* Of a model that there is not, once is enough to say so. */}
      {(read.data !== undefined || !read.error) && (
        <>
          <Versions model={model} />
          <Traffic model={model} />
        </>
      )}
    </Page>
  );
}

function RollBackButton({ model }: { model: Model }) {
  const [, navigate] = useLocation();
  if (!useMay('operator') || !model.serving.version) return null;
  return (
    <ConfirmButton
      label="Roll back"
      question={`Take ${model.model} ${model.serving.version} back?`}
      takesNote
      isDanger
      send={(note) =>
        client.post('/models/{model}/rollback', {
          path: { model: model.model },
          body: note ? { note } : {},
          idempotencyKey: newKey(),
        })
      }
      onDone={({ deployment_id: rollout }) => navigate(pathTo.rollout(rollout))}
    >
      A rollout or an experiment that is under way ends, and the version before answers again, at once.
    </ConfirmButton>
  );
}

function ModelFacts({ model }: { model: Model }) {
  const { serving } = model;
  return (
    <Panel title="What it is">
      <Facts
        items={[
          ['Kind', formatName(model.kind)],
          ['Algorithm', formatName(model.algorithm)],
          [
            'Learns from',
            <AppLink key="d" to={`/datasets?data_type=${encodeURIComponent(model.source)}`}>
              {model.source}
            </AppLink>,
          ],
          ['Target', model.target],
          [
            'Serves',
            serving.version ? (
              <AppLink key="s" to={pathTo.version(model.model, serving.version)}>
                {serving.version}
              </AppLink>
            ) : (
              'nothing'
            ),
          ],
          [
            'Loaded',
            serving.version && (
              <Status
                state={serving.loaded_version === serving.version ? 'by all processes' : 'not by all yet'}
                tone={serving.loaded_version === serving.version ? 'good' : 'waiting'}
              />
            ),
          ],
        ]}
      />
    </Panel>
  );
}

/** The measure by which versions are told apart at a glance: the first that a head has. */
function tellingMetric(version: Version) {
  for (const name of TELLING)
    for (const [head, metrics] of Object.entries(version.metrics))
      if (metrics[name]) return { name, head, metric: metrics[name] };
  return undefined;
}

function Versions({ model }: { model: string }) {
  const [cursor] = useFilter('cursor');
  const versions = useRead(
    '/models/{model}/versions',
    { path: { model }, query: { limit: 20, cursor } },
    { everyMs: LIVE_MS },
  );
  return (
    <Panel title="Versions" actions={<CompareChoice model={model} versions={versions.data?.items ?? []} />}>
      <Loaded of={versions}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No version yet">
              Ingest its data, then train it: each training registers a version.
            </EmptyState>
          ) : (
            <>
              <VersionTable versions={items} />
              <NextPage cursor={next} />
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function VersionTable({ versions }: { versions: readonly Version[] }) {
  const telling = versions.map(tellingMetric);
  const ends = telling
    .flatMap((one) => (one ? [one.metric.lower, one.metric.upper, one.metric.value] : []))
    .filter((end) => end !== null);
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  return (
    <DataTable
      caption="Versions, newest first"
      rows={versions}
      keyOf={({ version }) => version}
      columns={[
        {
          title: 'Version',
          isHeading: true,
          cell: ({ model, version }) => <AppLink to={pathTo.version(model, version)}>{version}</AppLink>,
        },
        { title: 'State', cell: ({ state }) => <Status state={state} /> },
        {
          title: 'Verdict',
          cell: ({ promotable }) => (
            <Status state={promotable ? 'may take traffic' : 'no skill shown'} tone={promotable ? 'good' : 'waiting'} />
          ),
        },
        {
          title: telling[0] ? `${formatName(telling[0].head)}: ${formatName(telling[0].name)}` : 'Measure',
          cell: (version) => {
            const one = tellingMetric(version);
            if (!one) return '—';
            return (
              <Group gap="sm" wrap="nowrap">
                <span className="figure">{formatNumber(one.metric.value)}</span>
                <IntervalBar {...one.metric} from={from} to={to} />
              </Group>
            );
          },
        },
        { title: 'Aliases', cell: ({ aliases }) => aliases.join(', ') },
        { title: 'Trained', cell: ({ created_at: at }) => <Time at={at} /> },
      ]}
    />
  );
}

function CompareChoice({ model, versions }: { model: string; versions: readonly Version[] }) {
  const [a, setA] = useState<string | null>(null);
  const [b, setB] = useState<string | null>(null);
  if (versions.length < 2) return null;
  const names = versions.map(({ version }) => version);
  return (
    <Group gap="xs">
      <Select
        aria-label="First version to compare"
        placeholder="version"
        data={names}
        value={a ?? names[1]}
        onChange={setA}
        w={120}
        size="xs"
      />
      <Select
        aria-label="Second version to compare"
        placeholder="version"
        data={names}
        value={b ?? names[0]}
        onChange={setB}
        w={120}
        size="xs"
      />
      <ButtonLink to={pathTo.compare(model, a ?? names[1]!, b ?? names[0]!)} size="xs" variant="default">
        Compare
      </ButtonLink>
    </Group>
  );
}

function Traffic({ model }: { model: string }) {
  const traffic = useRead('/models/{model}/traffic', { path: { model }, query: { limit: 10 } }, { everyMs: LIVE_MS });
  return (
    <Panel title="Who served when" note="Written by the database itself, and only ever added to">
      <Loaded of={traffic}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="Nothing was served yet" />
          ) : (
            <DataTable
              caption="Who served when, newest first"
              rows={items}
              keyOf={({ since }) => since}
              columns={[
                { title: 'Since', cell: ({ since }) => <Time at={since} /> },
                { title: 'Version', cell: ({ version }) => version ?? 'none' },
                {
                  title: 'On trial',
                  cell: ({ candidate_version: candidate, phase, share }) =>
                    candidate ? `${candidate}, ${phase}${phase === 'canary' ? ` ${share} %` : ''}` : '—',
                },
                { title: 'Experiments', align: 'right', cell: ({ experiments }) => experiments.length },
                {
                  title: 'By',
                  cell: ({ deployment_id: id }) => (id ? <AppLink to={pathTo.rollout(id)}>{id}</AppLink> : '—'),
                },
              ]}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}
