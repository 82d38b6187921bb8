import { ConfirmButton } from '../parts/confirm-button.js';
import { client, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';

type Rollout = components['schemas']['DeploymentDetail'];

/** What a person can do to a rollout that is under way. */
export function RolloutActions({ rollout }: { rollout: Rollout }) {
  if (!useMay('operator')) return null;
  const path = { deployment_id: rollout.deployment_id };
  const body = (note: string | undefined) => (note ? { note } : {});
  const name = `${rollout.model} ${rollout.version}`;
  return (
    <>
      {rollout.state === 'paused' ? (
        <ConfirmButton
          key="resume"
          label="Resume"
          question={`Let the rollout of ${name} go on?`}
          takesNote
          send={(note) => client.post('/deployments/{deployment_id}/resume', { path, body: body(note) })}
        />
      ) : (
        <ConfirmButton
          key="pause"
          label="Pause"
          question={`Hold ${name} at its step?`}
          takesNote
          send={(note) => client.post('/deployments/{deployment_id}/pause', { path, body: body(note) })}
        >
          The traffic stays as it is. Harm still ends the rollout.
        </ConfirmButton>
      )}
      <ConfirmButton
        label="Approve"
        question={`Agree that ${name} gets all traffic?`}
        takesNote
        send={(note) => client.post('/deployments/{deployment_id}/approve', { path, body: body(note) })}
      >
        It gets all traffic once the evidence allows it.
      </ConfirmButton>
      <ConfirmButton
        label="Promote"
        question={`Give ${name} all traffic now?`}
        takesNote
        send={(note) => client.post('/deployments/{deployment_id}/promote', { path, body: body(note) })}
      >
        Whatever the evidence says so far.
      </ConfirmButton>
      <ConfirmButton
        label="Abort"
        question={`End the rollout of ${name}?`}
        takesNote
        isDanger
        send={(note) => client.post('/deployments/{deployment_id}/abort', { path, body: body(note) })}
      >
        {rollout.previous_version ?? 'The present version'} has all traffic again.
      </ConfirmButton>
    </>
  );
}
