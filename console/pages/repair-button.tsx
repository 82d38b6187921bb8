import { useLocation } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { client, newKey } from '../service/client.js';
import { useMay } from '../service/use-caller.js';

/** Begins a repair of a model by hand, and goes to its job. */
export function RepairButton({ model, size }: { model: string; size?: string }) {
  const [, go] = useLocation();
  const mayRepair = useMay('operator');
  if (!mayRepair) return null;
  return (
    <ConfirmButton
      label="Repair"
      size={size}
      question={`Train ${model} anew?`}
      takesNote
      send={(reason) =>
        client.post('/models/{model}/repair', {
          path: { model },
          body: reason ? { reason } : {},
          idempotencyKey: newKey(),
        })
      }
      onDone={({ job_id: job }) => go(pathTo.job(job))}
    >
      It learns from what was seen since the change. The new version answers only where it is shown to do better.
    </ConfirmButton>
  );
}
