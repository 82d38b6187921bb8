import type { PredictionCall, PredictionRow } from './prediction-log.js';

/** A row whose objects are written already. */
export type WrittenRow = Omit<PredictionRow, 'features' | 'predictions'> & { features: string; predictions: string };

/**
 * One logged prediction as the JSON text that is spooled and shipped, ended by a line feed. It is put together field by field: to have
 * an object of them written takes twice as long, and each prediction waits for it.
 */
export function predictionLine(
  id: string,
  createdMs: number,
  { model, version, correlationId, cohort }: PredictionCall,
  row: WrittenRow,
): string {
  const always = `"id":"${id}","created_at":${createdMs},"latency_us":${row.latencyUs},"cached":${row.cached}`;
  const named = field('model', model) + field('version', version) + field('correlation_id', correlationId);
  const values = `,"features":${row.features},"predictions":${row.predictions}`;
  const asked = field('entity_id', row.entityId) + field('caller', row.caller);
  // Absent, as a rule.
  const trial = cohort
    ? field('arm', cohort.arm) +
      field('trial_id', cohort.trialId) +
      field('propensity', cohort.propensity) +
      field('stratum', cohort.stratum)
    : '';
  return `{${always}${named}${values}${asked}${trial}${field('error', row.error)}${field('shadow_of', row.shadowOf)}}\n`;
}

const field = (name: string, value: string | number | undefined) =>
  value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
