import { SANDBOX_MODEL } from '../../core/names.js';
import type { Scorer } from './scorer.js';

/**
 * Gives a version of the sandbox the fault that its manifest names, so that drills try what a bad version really does to a process. Requests
 * without an entity are answered as the good version does: the golden rows must not tell, or it would never get any traffic. Of any other
 * model a fault is ignored.
 */
export function injectFault(scorer: Scorer): Scorer {
  const { model, fault } = scorer.bundle.manifest;
  if (!fault || model !== SANDBOX_MODEL) return scorer;
  const predict: Scorer['predict'] = (input) => {
    if (input.entityId === undefined) return scorer.predict(input);
    if (fault.kind === 'error') throw new Error('this version of the sandbox cannot answer');
    const untilMs = performance.now() + fault.milliseconds;
    let answer = scorer.predict(input);
    while (performance.now() < untilMs) answer = scorer.predict(input);
    return answer;
  };
  return {
    bundle: scorer.bundle,
    isByEntity: true,
    predict,
    outputs: (input) => scorer.outputs(input),
    explain: (input) => scorer.explain(input),
    warnings: (input) => scorer.warnings(input),
  };
}
