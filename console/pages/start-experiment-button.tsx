import { NumberInput, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import { FormButton } from '../parts/form-button.js';
import { client, newKey } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { useRead } from '../service/use-read.js';

/** Starts an experiment between two versions with equal shares. */
export function StartExperimentButton() {
  const [, navigate] = useLocation();
  const models = useRead('/models');
  const [model, setModel] = useState<string | null>(null);
  const versions = useRead(
    '/models/{model}/versions',
    { path: { model: model ?? '' }, query: { limit: 50 } },
    { enabled: model !== null },
  );
  const [control, setControl] = useState<string | null>(null);
  const [rival, setRival] = useState<string | null>(null);
  const [metric, setMetric] = useState('');
  const [seconds, setSeconds] = useState<number | string>(604_800);
  const names = model ? (versions.data?.items.map(({ version }) => version) ?? []) : [];
  if (!useMay('operator')) return null;
  return (
    <FormButton
      label="Start an experiment"
      title="Start an experiment"
      submit="Start it"
      isReady={Boolean(model && control && rival && metric.trim())}
      send={() =>
        client.post('/experiments', {
          body: {
            model: model ?? '',
            arms: [
              { version: control ?? '', weight: 50 },
              { version: rival ?? '', weight: 50 },
            ],
            metric: metric.trim(),
            max_seconds: Number(seconds),
          } as never,
          idempotencyKey: newKey(),
        })
      }
      onDone={({ experiment_id: id }) => navigate(pathTo.experiment(id))}
    >
      <Select
        label="Model"
        required
        data={models.data?.items.map((one) => one.model) ?? []}
        value={model}
        onChange={setModel}
      />
      <Select label="Control" required data={names} value={control} onChange={setControl} />
      <Select label="Rival" required data={names} value={rival} onChange={setRival} />
      <TextInput
        label="Metric"
        description="What the arms are judged by, such as loss:churn_probability or feedback:revenue"
        required
        value={metric}
        onChange={(event) => setMetric(event.currentTarget.value)}
      />
      <NumberInput label="Seconds at most" min={1} value={seconds} onChange={setSeconds} />
    </FormButton>
  );
}
