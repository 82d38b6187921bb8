import { Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatValue } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { ServiceProblem, type components } from '../service/client.js';
import type { RolloutStep } from '../service/shapes.js';
import { useRead } from '../service/use-read.js';
import { EvidencePanel } from './evidence-panel.js';
import { RolloutActions } from './rollout-actions.js';

type Rollout = components['schemas']['DeploymentDetail'];

const LIVE_MS = 1500;
/** So long after the page was opened a rollout may still be about to begin: its job was only just accepted. */
const OPENING_MS = 20_000;
export const isUnderWay = ({ state }: Rollout): boolean => ['pending', 'running', 'holding', 'paused'].includes(state);

export default function RolloutPage() {
  const { id } = useParams<{ id: string }>();
  const [openedMs] = useState(() => Date.now());
  const read = useRead('/deployments/{deployment_id}', { path: { deployment_id: id } }, { everyMs: LIVE_MS });
  const rollout = read.data;
  const isOpening =
    !rollout && read.error instanceof ServiceProblem && read.error.status === 404 && Date.now() - openedMs < OPENING_MS;
  return (
    <Page
      title={rollout ? `${rollout.model} ${rollout.version}` : 'Rollout'}
      tab={`Rollout ${id}`}
      parents={[{ title: 'Rollouts', to: '/rollouts' }]}
      lead={id}
      actions={rollout && isUnderWay(rollout) && <RolloutActions rollout={rollout} />}
    >
      {isOpening ? (
        <div role="status">
          <EmptyState title="It is not there yet">
            What was asked for a moment ago begins within seconds, and is shown here then.
          </EmptyState>
        </div>
      ) : (
        <Loaded of={read}>
          {(shown) => (
            <>
              <State rollout={shown} />
              {(shown.strategy === 'canary' || shown.strategy === 'shadow') && <EvidencePanel rollout={shown} />}
              <Steps steps={shown.steps as unknown as RolloutStep[]} />
              {shown.commands.length > 0 && <Commands commands={shown.commands} />}
              {Object.keys(shown.settings).length > 0 && (
                <Panel title="Settings">
                  <JsonView value={shown.settings} label="Settings of the rollout" />
                </Panel>
              )}
            </>
          )}
        </Loaded>
      )}
    </Page>
  );
}

function State({ rollout }: { rollout: Rollout }) {
  const { traffic, previous_version: before } = rollout;
  return (
    <Panel title="Where it stands">
      <Stack>
        <Text fw={600} component="div" aria-live="polite">
          <Status state={rollout.state} />
        </Text>
        {rollout.reason && <Text>{rollout.reason}</Text>}
        {rollout.strategy === 'canary' && <Ladder rollout={rollout} />}
        <Facts
          items={[
            [
              'Version',
              <AppLink key="v" to={pathTo.version(rollout.model, rollout.version)}>
                {rollout.version}
              </AppLink>,
            ],
            ['Before', before && <AppLink to={pathTo.version(rollout.model, before)}>{before}</AppLink>],
            ['Strategy', rollout.strategy],
            ['Answers now', traffic?.version],
            [
              'On trial',
              traffic?.candidate_version &&
                `${traffic.candidate_version}, ${traffic.phase} ${traffic.phase === 'canary' ? `${traffic.share} %` : ''}`,
            ],
            ['Started', <Time key="s" at={rollout.created_at} />],
            ['Ended', rollout.finished_at && <Time at={rollout.finished_at} />],
            [
              'Job',
              <AppLink key="j" to={pathTo.job(rollout.job_id)}>
                {rollout.job_id}
              </AppLink>,
            ],
          ]}
        />
      </Stack>
    </Panel>
  );
}

/** The steps of the traffic, with the one that it is at. */
function Ladder({ rollout }: { rollout: Rollout }) {
  const steps = ((rollout.settings as { steps?: number[] }).steps ?? []).filter((share) => Number.isFinite(share));
  const share = rollout.traffic?.candidate_version === rollout.version ? rollout.traffic.share : 0;
  const isDone = rollout.state === 'promoted';
  const isLost = ['rolled_back', 'aborted', 'failed'].includes(rollout.state);
  const classOf = (step: number) => {
    if (isDone || step < share) return 'rung-done';
    if (isLost) return 'rung-failed';
    return step === share ? 'rung-now' : undefined;
  };
  return (
    <ol className="ladder" aria-label="Steps of the traffic">
      {steps.map((step) => (
        <li key={step} className={classOf(step)} aria-current={step === share && !isDone ? 'step' : undefined}>
          {step} %
        </li>
      ))}
    </ol>
  );
}

function Steps({ steps }: { steps: readonly RolloutStep[] }) {
  return (
    <Panel title="What was done">
      <DataTable
        caption="Steps of the rollout"
        rows={steps}
        keyOf={({ step }, index) => `${index} ${step}`}
        columns={[
          { title: 'Step', isHeading: true, cell: ({ step }) => formatName(step) },
          {
            title: 'Detail',
            cell: ({ detail = {} }) =>
              Object.entries(detail)
                .map(([name, value]) => `${formatName(name)} ${formatValue(value)}`)
                .join(', '),
          },
          { title: 'When', cell: ({ at }) => <Time at={at} /> },
        ]}
      />
    </Panel>
  );
}

function Commands({ commands }: { commands: Rollout['commands'] }) {
  return (
    <Panel title="What people wanted">
      <DataTable
        caption="Commands, newest first"
        rows={commands}
        keyOf={({ at, action }) => at + action}
        columns={[
          { title: 'Command', isHeading: true, cell: ({ action }) => formatName(action) },
          { title: 'By', cell: ({ by }) => by },
          { title: 'Reason', cell: ({ note }) => note ?? '—' },
          { title: 'Refused', cell: ({ refused }) => refused ?? 'no' },
          { title: 'When', cell: ({ at }) => <Time at={at} /> },
        ]}
      />
    </Panel>
  );
}
