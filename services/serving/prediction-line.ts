import type { PredictionCall, PredictionRow } from './prediction-log.js';

/** One logged prediction as the JSON text that is spooled and shipped, ended by a line feed. */
export function predictionLine(
  id: string,
  createdMs: number,
  { model, version, correlationId, cohort }: PredictionCall,
  row: PredictionRow,
): string {
  return `${JSON.stringify({
    id,
    model,
    version,
    entity_id: row.entityId,
    features: row.features,
    predictions: row.predictions,
    latency_us: row.latencyUs,
    cached: row.cached,
    correlation_id: correlationId,
    caller: row.caller,
    // Absent, as a rule.
    arm: cohort?.arm,
    trial_id: cohort?.trialId,
    propensity: cohort?.propensity,
    stratum: cohort?.stratum,
    error: row.error,
    shadow_of: row.shadowOf,
    created_at: createdMs,
  })}\n`;
}
