import type { EstimatedEffect } from '../../core/decisions/triage-drift.js';
import { expectedAccuracy } from '../../ml/drift/expected-performance.js';
import type { ComparedSides } from './compare-sides.js';
import type { DriftSubject } from './drift-subject.js';

/** What the version's own probabilities let expect of its accuracy, then and now. None where its answers hold no probabilities. */
export function estimateEffects(
  compared: readonly ComparedSides[],
  { kind, manifest }: Pick<DriftSubject, 'kind' | 'manifest'>,
): EstimatedEffect[] {
  return manifest.heads.flatMap(({ name, task }): EstimatedEffect[] => {
    if (task === 'regression') return [];
    // A yes-or-no head answers with the chance of yes; a class comes with how sure it is.
    const watched = kind === 'classification' ? 'confidence' : task === 'binary' ? name : undefined;
    const found = compared.find(({ column }) => column.subject === `prediction:${watched}`);
    const samples = found?.samples;
    if (!samples || !('number' in samples.reference) || !('number' in samples.current)) return [];
    const sure = (values: Float64Array) =>
      expectedAccuracy(kind === 'classification' ? values : values.map((chance) => Math.max(chance, 1 - chance)));
    const reference = sure(samples.reference.number.values);
    const current = sure(samples.current.number.values);
    if (!reference || !current) return [];
    return [
      {
        metric: 'accuracy',
        head: name,
        reference: reference.value,
        current: current.value,
        change: current.value - reference.value,
        deviation: Math.hypot(current.deviation, reference.deviation),
      },
    ];
  });
}
