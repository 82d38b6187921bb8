import { Alert, Checkbox, NumberInput, Radio, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import { FormButton } from '../parts/form-button.js';
import { client, newKey } from '../service/client.js';
import type { Version } from '../service/shapes.js';
import { useMay } from '../service/use-caller.js';

type Strategy = 'immediate' | 'canary' | 'shadow';
const STRATEGIES: readonly [Strategy, string, string][] = [
  ['immediate', 'Immediate', 'All traffic at once, after its files and golden rows were checked'],
  ['canary', 'Canary', 'Step by step; harm gives the traffic back'],
  ['shadow', 'Shadow', 'It scores beside the present version without answering'],
];

/** Gives a version traffic. */
export function DeployButton({ version }: { version: Version }) {
  const [, navigate] = useLocation();
  const [strategy, setStrategy] = useState<Strategy>('immediate');
  const [steps, setSteps] = useState('1, 5, 25, 50, 100');
  const [seconds, setSeconds] = useState<number | string>(300);
  const [samples, setSamples] = useState<number | string>(500);
  const [isAsked, setAsked] = useState(false);
  const [isInsisted, setInsisted] = useState(false);
  if (!useMay('operator')) return null;
  const send = () => {
    const ladder = steps
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(Number);
    const body = {
      version: version.version,
      strategy,
      ...(isInsisted ? { allow_unpromotable: true } : {}),
      ...(strategy === 'canary'
        ? { canary: { steps: ladder, step_seconds: Number(seconds), min_samples: Number(samples), approval: isAsked } }
        : {}),
      ...(strategy === 'shadow' ? { shadow: { pairs: Number(samples), then: isAsked ? 'ask' : 'promote' } } : {}),
    };
    const path = { model: version.model };
    return client.post('/models/{model}/deploy', { path, body: body as never, idempotencyKey: newKey() });
  };
  return (
    <FormButton
      label="Deploy"
      title={`Deploy ${version.model} ${version.version}`}
      submit={`Deploy ${version.version}`}
      send={send}
      onDone={({ deployment_id: rollout }) => navigate(pathTo.rollout(rollout))}
    >
      <Radio.Group label="How" value={strategy} onChange={(value) => setStrategy(value as Strategy)}>
        <Stack gap="xs" mt="xs">
          {STRATEGIES.map(([value, label, description]) => (
            <Radio key={value} value={value} label={label} description={description} />
          ))}
        </Stack>
      </Radio.Group>
      {strategy === 'canary' && (
        <>
          <TextInput
            label="Steps"
            description="Percentages of the entities that the new version answers"
            value={steps}
            onChange={(event) => setSteps(event.currentTarget.value)}
          />
          <NumberInput label="Seconds a step, at least" min={1} value={seconds} onChange={setSeconds} />
        </>
      )}
      {strategy !== 'immediate' && (
        <>
          <NumberInput
            label={
              strategy === 'canary' ? 'Requests that each side must have had' : 'Requests that both must have scored'
            }
            min={1}
            value={samples}
            onChange={setSamples}
          />
          <Checkbox
            label="A person must agree before it gets all traffic"
            checked={isAsked}
            onChange={(event) => setAsked(event.currentTarget.checked)}
          />
        </>
      )}
      {!version.promotable && (
        <Alert color="orange" variant="outline" title="This version showed no skill beyond chance">
          <Checkbox
            label="Deploy it all the same"
            checked={isInsisted}
            onChange={(event) => setInsisted(event.currentTarget.checked)}
          />
        </Alert>
      )}
    </FormButton>
  );
}
