import { Button, Group, NumberInput, Select, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Panel } from '../parts/panel.js';
import { Problem } from '../parts/problem.js';
import { client } from '../service/client.js';
import { signatureOf, type Feature, type Prediction, type Version } from '../service/shapes.js';
import { useSend } from '../service/use-send.js';
import { PredictionAnswer } from './prediction-answer.js';

/** What a kind asks for besides features: its name in the request, its label, and whether it is a number. */
interface Extra {
  name: string;
  label: string;
  isNumber: boolean;
  first?: number;
}
const EXTRAS: Record<string, readonly Extra[]> = {
  user_behavior: [{ name: 'user_id', label: 'User', isNumber: false }],
  project_success: [{ name: 'project_id', label: 'Project', isNumber: false }],
  resource_usage: [{ name: 'forecast_horizon', label: 'Steps ahead', isNumber: true, first: 24 }],
  anomaly_detection: [{ name: 'threshold', label: 'Sensitivity, 0 to 1', isNumber: true }],
  recommendation: [
    { name: 'user_id', label: 'User', isNumber: false },
    { name: 'limit', label: 'At most so many items', isNumber: true, first: 10 },
  ],
};
const OTHER_KINDS: readonly Extra[] = [{ name: 'entity_id', label: 'Entity', isNumber: false }];
/** Kinds whose answers come with the contribution of each feature. */
const EXPLAINED = ['user_behavior', 'project_success', 'classification', 'regression', 'anomaly_detection'];

type Field = string | number | null;
type Fields = Record<string, Field>;
const isGiven = (value: Field | undefined): value is string | number =>
  value !== undefined && value !== null && value !== '';

/** A form made from the signature of the version; what is left empty counts as not known. */
export default function TryIt({ version }: { version: Version }) {
  const { features = [] } = signatureOf(version);
  const extras = EXTRAS[version.kind] ?? OTHER_KINDS;
  // The entity of a recommendation is its only feature.
  const asked = features.filter(({ name }) => !extras.some((extra) => extra.name === name));
  const [extraFields, setExtras] = useState<Fields>(() =>
    Object.fromEntries(extras.map(({ name, first }) => [name, first ?? null])),
  );
  const [fields, setFields] = useState<Fields>({});
  const sending = useSend(async (): Promise<Prediction> => {
    const body = {
      ...Object.fromEntries(Object.entries(extraFields).filter(([, value]) => isGiven(value))),
      ...(version.kind === 'recommendation' ? {} : { features: valuesOf(asked, fields) }),
      model_version: version.version,
      ...(EXPLAINED.includes(version.kind) ? { explain: true } : {}),
    };
    return (await client.post('/predict/{model}', {
      path: { model: version.model },
      body: body as never,
    })) as Prediction;
  });
  return (
    <Stack gap="lg">
      <Panel title="Ask it something" note="What is left empty counts as not known.">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            sending.mutate(undefined);
          }}
        >
          <Stack>
            <SimpleGrid cols={{ base: 1, xs: 2, md: 3, lg: 4 }} spacing="sm">
              {extras.map(({ name, label, isNumber }) => {
                const change = (value: Field) => setExtras((before) => ({ ...before, [name]: value }));
                return isNumber ? (
                  <NumberInput key={name} label={label} value={extraFields[name] ?? ''} onChange={change} />
                ) : (
                  <TextInput
                    key={name}
                    label={label}
                    value={extraFields[name] ?? ''}
                    onChange={(event) => change(event.currentTarget.value)}
                  />
                );
              })}
              {asked.map((feature) => (
                <FeatureField
                  key={feature.name}
                  feature={feature}
                  value={fields[feature.name] ?? null}
                  onChange={(value) => setFields((before) => ({ ...before, [feature.name]: value }))}
                />
              ))}
            </SimpleGrid>
            <Group>
              <Button type="submit" loading={sending.isPending}>
                Predict
              </Button>
              <Button variant="default" onClick={() => setFields({})}>
                Empty the fields
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
      {sending.error && <Problem error={sending.error} />}
      {sending.data && <PredictionAnswer prediction={sending.data} kind={version.kind} />}
    </Stack>
  );
}

function FeatureField({
  feature,
  value,
  onChange,
}: {
  feature: Feature;
  value: Field;
  onChange: (value: Field) => void;
}) {
  const label = feature.name;
  if (feature.type === 'boolean')
    return (
      <Select
        label={label}
        placeholder="not known"
        clearable
        data={['true', 'false']}
        value={value === null ? null : String(value)}
        onChange={onChange}
      />
    );
  if (feature.type === 'number')
    return <NumberInput label={label} placeholder="not known" value={value ?? ''} onChange={onChange} />;
  return (
    <TextInput
      label={label}
      placeholder="not known"
      value={value ?? ''}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function valuesOf(features: readonly Feature[], fields: Fields): Record<string, string | number | boolean> {
  const given = features.filter(({ name }) => isGiven(fields[name]));
  return Object.fromEntries(
    given.map(({ name, type }) => [
      name,
      type === 'boolean' ? fields[name] === 'true' : (fields[name] as string | number),
    ]),
  );
}
