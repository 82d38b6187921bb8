import { Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatNumber, formatPercent } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status, toneOf } from '../parts/status.js';
import { client, ServiceProblem, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

type Experiment = components['schemas']['ExperimentDetail'];
interface ArmFinding {
  arm: string;
  decision: string;
  estimate: number | null;
  lower: number | null;
  upper: number | null;
  reason: string;
}

const OPENING_MS = 20_000;

export default function ExperimentPage() {
  const { id } = useParams<{ id: string }>();
  const [openedMs] = useState(() => Date.now());
  const read = useRead('/experiments/{experiment_id}', { path: { experiment_id: id } }, { everyMs: LIVE_MS });
  const mayStop = useMay('operator');
  const experiment = read.data;
  const isOpening =
    !experiment &&
    read.error instanceof ServiceProblem &&
    read.error.status === 404 &&
    Date.now() - openedMs < OPENING_MS;
  const isUnderWay = experiment?.state === 'pending' || experiment?.state === 'running';
  return (
    <Page
      title={experiment ? `Experiment on ${experiment.model}` : 'Experiment'}
      tab={`Experiment ${id}`}
      parents={[{ title: 'Experiments', to: '/experiments' }]}
      lead={id}
      actions={
        mayStop &&
        isUnderWay && (
          <ConfirmButton
            label="Stop"
            question="Stop the experiment?"
            isDanger
            send={() => client.post('/experiments/{experiment_id}/stop', { path: { experiment_id: id } })}
          >
            The deployed version has all traffic again. What was seen is kept.
          </ConfirmButton>
        )
      }
    >
      {isOpening ? (
        <div role="status">
          <EmptyState title="It is not there yet">
            What was asked for a moment ago begins within seconds, and is shown here then.
          </EmptyState>
        </div>
      ) : (
        <Loaded of={read} lines={6}>
          {(shown) => (
            <>
              <State experiment={shown} />
              {shown.latest_evidence && (
                <Arms arms={shown.latest_evidence.arms as unknown as ArmFinding[]} experiment={shown} />
              )}
              <Panel title="Settings">
                <JsonView value={{ settings: shown.settings, plan: shown.plan }} label="Settings of the experiment" />
              </Panel>
            </>
          )}
        </Loaded>
      )}
    </Page>
  );
}

function State({ experiment }: { experiment: Experiment }) {
  return (
    <Panel title="Where it stands">
      <Stack>
        <Status state={experiment.state} />
        {experiment.reason && <Text>{experiment.reason}</Text>}
        <Facts
          items={[
            [
              'Model',
              <AppLink key="m" to={pathTo.model(experiment.model)}>
                {experiment.model}
              </AppLink>,
            ],
            ['Control', experiment.control],
            ['Started', <Time key="t" at={experiment.created_at} />],
            ['Ended', experiment.finished_at && <Time at={experiment.finished_at} />],
            [
              'Job',
              <AppLink key="j" to={pathTo.job(experiment.job_id)}>
                {experiment.job_id}
              </AppLink>,
            ],
          ]}
        />
        <DataTable
          caption="Arms"
          rows={experiment.arms}
          keyOf={({ arm }) => arm}
          columns={[
            { title: 'Arm', isHeading: true, cell: ({ arm }) => arm },
            {
              title: 'Version',
              cell: ({ version }) => <AppLink to={pathTo.version(experiment.model, version)}>{version}</AppLink>,
            },
            {
              title: 'Share',
              align: 'right',
              cell: ({ weight }) =>
                formatPercent(
                  weight === undefined
                    ? undefined
                    : weight / experiment.arms.reduce((sum, arm) => sum + (arm.weight ?? 0), 0),
                ),
            },
            { title: 'Retired', cell: ({ retired }) => (retired ? 'yes' : 'no') },
          ]}
        />
      </Stack>
    </Panel>
  );
}

function Arms({ arms, experiment }: { arms: readonly ArmFinding[]; experiment: Experiment }) {
  const most = Math.max(
    ...arms.flatMap(({ estimate, lower, upper }) => [estimate, lower, upper].map((end) => Math.abs(end ?? 0))),
    1e-12,
  );
  return (
    <ChartPanel
      title="Evidence"
      note={`Each arm minus ${experiment.control}; right of the middle is better. The intervals hold at any time.`}
      rows={arms.map(({ arm, decision, estimate, lower, upper }) => ({ arm, decision, estimate, lower, upper }))}
    >
      <Text size="sm" mb="sm">
        {experiment.latest_evidence?.reason}
      </Text>
      <DataTable
        caption="Arms against the control"
        rows={arms}
        keyOf={({ arm }) => arm}
        columns={[
          { title: 'Arm', isHeading: true, cell: ({ arm }) => arm },
          {
            title: 'Decision',
            cell: ({ decision }) => (
              <Status state={decision} tone={decision === 'winner' ? 'good' : toneOf(decision)} />
            ),
          },
          { title: 'Difference', align: 'right', cell: ({ estimate }) => formatNumber(estimate) },
          {
            title: 'Interval',
            cell: ({ estimate, lower, upper }) => (
              <IntervalBar value={estimate} lower={lower} upper={upper} from={-most} to={most} />
            ),
          },
          { title: 'Why', cell: ({ reason }) => reason },
        ]}
      />
    </ChartPanel>
  );
}
