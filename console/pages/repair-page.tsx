import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatValue } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

type Repair = components['schemas']['RepairInFull'];
type Step = Repair['steps'][number];

export default function RepairPage() {
  const { id } = useParams<{ id: string }>();
  const repair = useRead('/repairs/{repair_id}', { path: { repair_id: id } }, { everyMs: LIVE_MS });
  return (
    <Page
      title={repair.data ? `Repair of ${repair.data.model}` : 'Repair'}
      tab={`Repair ${id}`}
      parents={[{ title: 'Repairs', to: '/repairs' }]}
      lead={id}
    >
      <Loaded of={repair}>
        {(read) => (
          <>
            <Panel title="State">
              <Facts items={factsOf(read)} />
            </Panel>
            <Panel title="The story">
              <ol className="story">
                {read.steps.map((step) => (
                  <li key={step.step}>
                    <Text span size="sm" c="dimmed">
                      {formatName(step.step)}, <Time at={step.at} />
                    </Text>
                    <Text>{step.summary}</Text>
                    {step.step === 'closed' && isNews(read) && <Text c="dimmed">{read.reason}</Text>}
                    <Facts items={detailsOf(step, read.model)} />
                  </li>
                ))}
              </ol>
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function factsOf(repair: Repair): [string, ReactNode][] {
  const { model, former_version: before, new_version: after } = repair;
  return [
    ['State', <Status key="state" state={repair.state} />],
    [
      'Model',
      <AppLink key="model" to={pathTo.model(model)}>
        {model}
      </AppLink>,
    ],
    [
      'Answered before',
      <AppLink key="before" to={pathTo.version(model, before)}>
        {before}
      </AppLink>,
    ],
    [
      'New version',
      after && (
        <AppLink key="after" to={pathTo.version(model, after)}>
          {after}
        </AppLink>
      ),
    ],
    [
      'Compared',
      after && (
        <AppLink key="both" to={pathTo.compare(model, before, after)}>
          side by side
        </AppLink>
      ),
    ],
    [
      'Alert',
      repair.alert_id && (
        <AppLink key="alert" to={pathTo.alert(repair.alert_id)}>
          what was found
        </AppLink>
      ),
    ],
    ['Asked for by', repair.requested_by],
    ['Learns from what was seen since', repair.since && <Time key="since" at={repair.since} />],
    [
      'Job',
      <AppLink key="job" to={pathTo.job(repair.job_id)}>
        its stages
      </AppLink>,
    ],
    ['Begun', <Time key="begun" at={repair.created_at} />],
    ['Ended', repair.finished_at && <Time key="ended" at={repair.finished_at} />],
  ];
}

/** The reason of a judgement stands in its own sentence already. */
const isNews = ({ reason, steps }: Repair) => reason !== null && !steps.some(({ summary }) => summary.includes(reason));

const TOLD = ['since', 'state', 'reason'];

/** The figures behind a sentence, with links to what they name. */
function detailsOf({ detail }: Step, model: string): [string, ReactNode][] {
  return Object.entries(detail as Record<string, unknown>).flatMap(([name, value]): [string, ReactNode][] => {
    // What is nested, and how it ended, stand in the sentences already.
    if (value === null || value === '' || typeof value === 'object' || TOLD.includes(name)) return [];
    return [[formatName(name), linkTo(name, String(value), model) ?? formatValue(value)]];
  });
}

function linkTo(name: string, value: string, model: string): ReactNode {
  if (name === 'dataset_id') return <AppLink to={pathTo.dataset(value)}>{value}</AppLink>;
  if (name === 'deployment_id') return <AppLink to={pathTo.rollout(value)}>{value}</AppLink>;
  return name === 'version' ? <AppLink to={pathTo.version(model, value)}>{value}</AppLink> : undefined;
}
