import { Progress } from '@mantine/core';
import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { formatName, formatPercent } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { secondsBetween, Time } from '../parts/format-time.js';
import { Status } from '../parts/status.js';
import type { Job } from '../service/shapes.js';

export function JobTable({ jobs, caption }: { jobs: readonly Job[]; caption: string }) {
  return (
    <DataTable
      caption={caption}
      rows={jobs}
      keyOf={({ job_id: id }) => id}
      columns={[
        {
          title: 'Job',
          isHeading: true,
          cell: ({ job_id: id, type, model, request }) => (
            <AppLink to={pathTo.job(id)}>
              {type} {model ?? dataTypeOf(request)}
            </AppLink>
          ),
        },
        { title: 'State', cell: ({ status }) => <Status state={status} /> },
        { title: 'Stage', cell: ({ stage }) => formatName(stage) },
        {
          title: 'Progress',
          cell: ({ progress, status, eta_seconds: eta }) =>
            status === 'running' || status === 'queued' ? (
              <>
                <Progress value={progress * 100} w={120} aria-label={`Progress ${formatPercent(progress)}`} />
                {eta !== null && <small>{formatSeconds(eta)} left</small>}
              </>
            ) : (
              formatPercent(progress)
            ),
        },
        {
          title: 'Took',
          align: 'right',
          cell: (job) => formatSeconds(secondsBetween(job.started_at, job.finished_at)),
        },
        { title: 'Created', cell: ({ created_at: at }) => <Time at={at} /> },
      ]}
    />
  );
}

/** What a job without a model is about. */
export function dataTypeOf(request: unknown): string {
  const { data_type: type, dataset_id: dataset } = (request ?? {}) as { data_type?: string; dataset_id?: string };
  return type ?? dataset ?? '';
}
