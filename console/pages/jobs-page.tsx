import { Group, Select } from '@mantine/core';
import { useSearchParams } from 'wouter';
import { EmptyState } from '../parts/empty-state.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { useFilter } from '../service/use-filter.js';
import { JobTable } from './job-table.js';

const STATES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
const TYPES = [
  'ingest',
  'preprocess',
  'replay',
  'train',
  'deploy',
  'experiment',
  'drill',
  'materialize',
  'retain',
  'erase',
  'reencrypt',
];

export default function JobsPage() {
  const [parameters] = useSearchParams();
  const [status, setStatus] = useFilter('status');
  const [type, setType] = useFilter('type');
  const [model, setModel] = useFilter('model');
  const models = useRead('/models');
  const cursor = parameters.get('cursor') ?? undefined;
  const jobs = useRead('/jobs', { query: { status, type, model, cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page
      title="Jobs"
      lead="Everything that takes longer than a request is a job: it survives crashes, and can be cancelled and started again."
    >
      <Group>
        <Select
          label="State"
          placeholder="all"
          clearable
          data={STATES}
          value={status ?? null}
          onChange={setStatus}
          w={160}
        />
        <Select label="Type" placeholder="all" clearable data={TYPES} value={type ?? null} onChange={setType} w={160} />
        <Select
          label="Model"
          placeholder="all"
          clearable
          searchable
          data={models.data?.items.map((one) => one.model) ?? []}
          value={model ?? null}
          onChange={setModel}
          w={220}
        />
      </Group>
      <Loaded of={jobs} lines={8}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No such job">
              Jobs start when data is ingested, a model is trained or a version is deployed.
            </EmptyState>
          ) : (
            <>
              <JobTable jobs={items} caption="Jobs, newest first" />
              <NextPage cursor={next} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
