import { Group } from '@mantine/core';
import { ConfirmButton } from '../parts/confirm-button.js';
import type { Tone } from '../parts/status.js';
import { client, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';

type Alert = components['schemas']['Alert'];

export const severityTone = (severity: string): Tone =>
  severity === 'high' ? 'bad' : severity === 'medium' ? 'waiting' : 'plain';
export const statusTone = (status: Alert['status']): Tone | undefined => (status === 'open' ? 'bad' : undefined);

/** What a person does with an alert. */
export function AlertActions({ alert, size = 'compact-xs' }: { alert: Alert; size?: string }) {
  const mayAct = useMay('engineer');
  if (!mayAct || alert.status === 'resolved') return null;
  const path = { alert_id: alert.alert_id };
  const resolve = (isFalse: boolean) => (note: string | undefined) =>
    client.post('/alerts/{alert_id}/resolve', {
      path,
      body: { ...(note && { note }), ...(isFalse && { false_alarm: true }) },
    });
  return (
    <Group gap={6} wrap="nowrap">
      {alert.status === 'open' && (
        <ConfirmButton
          label="Acknowledge"
          size={size}
          question="Say that you look after it?"
          takesNote
          send={(note) => client.post('/alerts/{alert_id}/acknowledge', { path, body: note ? { note } : {} })}
        />
      )}
      <ConfirmButton label="Resolve" size={size} question="Is it over?" takesNote send={resolve(false)} />
      {size !== 'compact-xs' && (
        <ConfirmButton label="False alarm" size={size} question="Was nothing wrong?" takesNote send={resolve(true)}>
          It counts against the budget of false alarms of the model.
        </ConfirmButton>
      )}
    </Group>
  );
}
