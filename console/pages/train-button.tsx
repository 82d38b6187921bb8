import { Checkbox, NumberInput, Select, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import { FormButton } from '../parts/form-button.js';
import { client, newKey } from '../service/client.js';
import { useMay } from '../service/use-caller.js';

/** Starts a training, with a search for hyperparameters where a number of trials is given. */
export function TrainButton({ models, model: given }: { models: readonly string[]; model?: string }) {
  const [, navigate] = useLocation();
  const [chosen, setChosen] = useState<string | null>(null);
  const [trials, setTrials] = useState<number | string>('');
  const [settings, setSettings] = useState('');
  const [isValidated, setValidated] = useState(false);
  const [isDeployed, setDeployed] = useState(false);
  const model = given ?? chosen;
  if (!useMay('engineer')) return null;
  const send = async () => {
    const body = {
      model_type: model ?? '',
      cross_validation: isValidated,
      auto_deploy: isDeployed,
      ...(settings.trim() === '' ? {} : { hyperparameters: parseSettings(settings) }),
      ...(typeof trials === 'number' && trials > 0 ? { search: { trials } } : {}),
    };
    return client.post('/models/train', { body: body as never, idempotencyKey: newKey() });
  };
  return (
    <FormButton
      label="Train"
      title={given ? `Train ${given}` : 'Train a model'}
      submit="Start training"
      isReady={Boolean(model)}
      send={send}
      onDone={({ job_id: job }) => navigate(pathTo.job(job))}
    >
      {!given && <Select label="Model" required searchable data={[...models]} value={chosen} onChange={setChosen} />}
      <NumberInput
        label="Trials"
        description="Looks for good hyperparameters first; empty as the entry of the model says"
        min={1}
        max={1000}
        value={trials}
        onChange={setTrials}
      />
      <Textarea
        label="Hyperparameters"
        description={'JSON such as {"n_estimators": 50}; empty for those of the entry'}
        autosize
        value={settings}
        onChange={(event) => setSettings(event.currentTarget.value)}
      />
      <Checkbox
        label="Also estimate by five folds over all rows"
        checked={isValidated}
        onChange={(event) => setValidated(event.currentTarget.checked)}
      />
      <Checkbox
        label="Deploy the version when it beats the baseline"
        checked={isDeployed}
        onChange={(event) => setDeployed(event.currentTarget.checked)}
      />
    </FormButton>
  );
}

/** @throws Error that says what is not JSON */
function parseSettings(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`the hyperparameters are not JSON: ${(error as Error).message}`, { cause: error });
  }
}
