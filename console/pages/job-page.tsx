import { Anchor, Group, Progress, Stack, Text } from '@mantine/core';
import { useLocation, useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatPercent } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { secondsBetween, Time } from '../parts/format-time.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { client, newKey } from '../service/client.js';
import { JOB_STAGES } from '../service/job-stages.js';
import type { Job } from '../service/shapes.js';
import { useMay } from '../service/use-caller.js';
import { JobLog } from './job-log.js';
import { dataTypeOf } from './job-table.js';
import { isOver, useJobEvents, type JobLogLine } from '../service/use-job-events.js';
import { useRead } from '../service/use-read.js';

const workflows = document.querySelector<HTMLMetaElement>('meta[name=temporal-workflows]')?.content ?? '';

export default function JobPage() {
  const { id } = useParams<{ id: string }>();
  const read = useRead('/jobs/{job_id}', { path: { job_id: id } });
  const { status: latest, stages, lines } = useJobEvents(id);
  const job = read.data && { ...read.data, ...latest };
  const title = job ? `${job.type} ${job.model ?? dataTypeOf(job.request)}`.trim() : 'Job';
  return (
    <Page
      title={title}
      tab={`${title} ${id}`}
      parents={[{ title: 'Jobs', to: '/jobs' }]}
      lead={id}
      actions={job && <JobActions job={job} />}
    >
      <Loaded of={read}>{() => job && <JobDetail job={job} seen={stages} lines={lines} />}</Loaded>
    </Page>
  );
}

function JobActions({ job }: { job: Job }) {
  const [, navigate] = useLocation();
  const mayCancel = useMay('operator');
  const mayRetry = useMay('engineer');
  const path = { job_id: job.job_id };
  return (
    <>
      {mayCancel && !isOver(job.status) && (
        <ConfirmButton
          label="Cancel job"
          question={`Cancel this ${job.type} job?`}
          isDanger
          send={() => client.post('/jobs/{job_id}/cancel', { path })}
        >
          It stops at once: a fit is killed, a rollout gives the traffic back. What is finished stays.
        </ConfirmButton>
      )}
      {mayRetry && (job.status === 'failed' || job.status === 'cancelled') && (
        <ConfirmButton
          label="Start again"
          question="Start it again?"
          send={() => client.post('/jobs/{job_id}/retry', { path, idempotencyKey: newKey() })}
          onDone={({ job_id: again }) => navigate(pathTo.job(again))}
        >
          A new job with the same request; this one stays as it is.
        </ConfirmButton>
      )}
    </>
  );
}

function JobDetail({ job, seen, lines }: { job: Job; seen: readonly string[]; lines: readonly JobLogLine[] }) {
  return (
    <>
      <Panel title="Progress">
        <Stack>
          <Group justify="space-between">
            <Text component="div" fw={600}>
              <Status state={job.status} />
            </Text>
            <Text size="sm" c="dimmed" className="figure">
              {formatPercent(job.progress)}
              {job.eta_seconds !== null && !isOver(job.status) && `, about ${formatSeconds(job.eta_seconds)} left`}
            </Text>
          </Group>
          <Progress
            value={job.progress * 100}
            animated={job.status === 'running'}
            color={job.status === 'failed' ? 'red' : undefined}
            aria-label="Progress of the job"
          />
          <Stages job={job} seen={seen} />
        </Stack>
      </Panel>
      {job.error && <JobError error={job.error} />}
      <Outcome job={job} />
      <JobLog jobId={job.job_id} lines={lines} isOver={isOver(job.status)} />
      <Panel title="Job">
        <Facts
          items={[
            ['Created', <Time key="t" at={job.created_at} />],
            ['Waited', formatSeconds(secondsBetween(job.created_at, job.started_at ?? job.finished_at))],
            ['Took', formatSeconds(secondsBetween(job.started_at, job.finished_at))],
            ['Correlation id', job.correlation_id],
            [
              'Workflow',
              workflows && (
                <Anchor href={workflows + encodeURIComponent(job.job_id)} target="_blank" rel="noreferrer" inherit>
                  Open in the Temporal Web UI
                </Anchor>
              ),
            ],
          ]}
        />
      </Panel>
      <Panel title="Request">
        <JsonView value={job.request} label="The request of the job" />
      </Panel>
    </>
  );
}

/** Where the job is among its stages; those that it left out are not shown once it has ended. */
function Stages({ job, seen }: { job: Job; seen: readonly string[] }) {
  const usual = JOB_STAGES[job.type] ?? [];
  const stages =
    usual.includes(job.stage) || job.stage === 'done' || job.stage === 'queued'
      ? [...usual]
      : [...new Set([...usual, ...seen, job.stage])];
  const at = job.status === 'completed' ? stages.length : stages.indexOf(job.stage);
  if (stages.length === 0) return null;
  return (
    <ol className="timeline" aria-label="Stages">
      {stages.map((stage, index) => {
        const isNow = index === at;
        const tone = index < at ? 'good' : isNow ? (job.status === 'failed' ? 'bad' : 'active') : 'plain';
        return (
          <li
            key={stage}
            className={isNow ? 'stage-now' : index > at ? 'stage-ahead' : undefined}
            aria-current={isNow ? 'step' : undefined}
          >
            <span className={`dot dot-${tone}`} aria-hidden="true" />
            {formatName(stage)}
          </li>
        );
      })}
    </ol>
  );
}

function JobError({ error }: { error: Record<string, unknown> }) {
  return (
    <Panel title="Why it failed">
      <Stack gap="xs">
        <Text fw={600}>{String(error['code'] ?? 'unknown')}</Text>
        <Text>{String(error['detail'] ?? '')}</Text>
        <JsonView value={error} label="The error in full" />
      </Stack>
    </Panel>
  );
}

function Outcome({ job }: { job: Job }) {
  if (job.status !== 'completed' || !job.result) return null;
  const result = job.result as Record<string, unknown>;
  const text = (name: string) => (typeof result[name] === 'string' ? (result[name] as string) : undefined);
  const [dataset, version, deployment, model] = ['dataset_id', 'version', 'deployment_id', 'model'].map(text);
  return (
    <Panel title="Result">
      <Stack gap="sm">
        <Facts
          items={[
            ['Dataset', dataset && <AppLink to={pathTo.dataset(dataset)}>{dataset}</AppLink>],
            [
              'Version',
              model && version && <AppLink to={pathTo.version(model, version)}>{`${model} ${version}`}</AppLink>,
            ],
            ['Rollout', deployment && <AppLink to={pathTo.rollout(deployment)}>{deployment}</AppLink>],
            ['Verdict', text('reason')],
          ]}
        />
        <JsonView value={job.result} label="The result of the job" />
      </Stack>
    </Panel>
  );
}
