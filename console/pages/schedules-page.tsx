import { Group, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Time } from '../parts/format-time.js';
import { FormButton } from '../parts/form-button.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { client, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

type Schedule = components['schemas']['Schedule'];

export default function SchedulesPage() {
  const schedules = useRead('/schedules', {}, { everyMs: LIVE_MS });
  return (
    <Page title="Schedules" lead="Trainings that begin by the clock." actions={<SetScheduleButton />}>
      <Loaded of={schedules}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No schedule yet">
              A schedule trains a model again and again, such as each night.
            </EmptyState>
          ) : (
            <DataTable
              caption="Schedules"
              rows={items}
              keyOf={({ schedule_id: id }) => id}
              columns={[
                {
                  title: 'Model',
                  isHeading: true,
                  cell: ({ model }) => <AppLink to={pathTo.model(model)}>{model}</AppLink>,
                },
                { title: 'When', cell: ({ cron, timezone }) => `${cron} (${timezone})` },
                {
                  title: 'State',
                  cell: ({ paused }) => (
                    <Status state={paused ? 'paused' : 'active'} tone={paused ? 'waiting' : 'good'} />
                  ),
                },
                { title: 'Next', cell: ({ next_runs: next }) => <Time at={next[0]} /> },
                {
                  title: 'Last',
                  cell: ({ recent_runs: recent }) => {
                    const last = recent[0];
                    return last ? <AppLink to={pathTo.job(last.job_id)}>{last.job_id}</AppLink> : 'none yet';
                  },
                },
                { title: 'Also on drift', cell: ({ on_drift: onDrift }) => (onDrift ? 'yes' : 'no') },
                { title: 'Do', cell: (schedule) => <ScheduleActions schedule={schedule} /> },
              ]}
            />
          )
        }
      </Loaded>
    </Page>
  );
}

function ScheduleActions({ schedule: { model, paused } }: { schedule: Schedule }) {
  const path = { model };
  if (!useMay('operator')) return null;
  return (
    <Group gap={6} wrap="nowrap">
      <ConfirmButton
        label="Train now"
        size="compact-xs"
        question={`Train ${model} now?`}
        send={() => client.post('/schedules/{model}/trigger', { path })}
      />
      {paused ? (
        <ConfirmButton
          key="resume"
          label="Resume"
          size="compact-xs"
          question={`Let the schedule of ${model} go on?`}
          send={() => client.post('/schedules/{model}/resume', { path })}
        />
      ) : (
        <ConfirmButton
          key="pause"
          label="Pause"
          size="compact-xs"
          question={`Pause the schedule of ${model}?`}
          send={() => client.post('/schedules/{model}/pause', { path })}
        />
      )}
      <ConfirmButton
        label="Delete"
        size="compact-xs"
        isDanger
        question={`Delete the schedule of ${model}?`}
        send={() => client.delete('/schedules/{model}', { path })}
      />
    </Group>
  );
}

function SetScheduleButton() {
  const models = useRead('/models');
  const [model, setModel] = useState<string | null>(null);
  const [cron, setCron] = useState('0 3 * * *');
  const [zone, setZone] = useState('UTC');
  if (!useMay('operator')) return null;
  return (
    <FormButton
      label="Set a schedule"
      title="Train a model by the clock"
      submit="Set it"
      isReady={model !== null}
      send={() =>
        client.put('/schedules/{model}', { path: { model: model ?? '' }, body: { cron, timezone: zone } as never })
      }
      onDone={() => setModel(null)}
    >
      <Select
        label="Model"
        required
        data={models.data?.items.map((one) => one.model) ?? []}
        value={model}
        onChange={setModel}
      />
      <TextInput
        label="When"
        description="Minute, hour, day of the month, month, day of the week; 0 3 * * * is each night at three"
        value={cron}
        onChange={(event) => setCron(event.currentTarget.value)}
      />
      <TextInput label="Time zone" value={zone} onChange={(event) => setZone(event.currentTarget.value)} />
    </FormButton>
  );
}
