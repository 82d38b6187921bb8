import { describe, expect, it } from 'vitest';
import { SANDBOX_MODEL } from '../../../core/names.js';
import type { BundleManifest, InjectedFault } from '../../../services/artifacts/model-bundle.js';
import { injectFault } from '../../../services/serving/inject-fault.js';
import type { Scorer } from '../../../services/serving/scorer.js';

/** A scorer that answers with its input. */
function scorerOf(model: string, fault?: InjectedFault): Scorer {
  const manifest = { model, ...(fault ? { fault } : {}) } as BundleManifest;
  return {
    bundle: { digest: 'd', manifest, files: new Map(), bytes: 0 },
    isByEntity: false,
    predict: ({ features }) => ({ predictions: { ...features }, confidence_scores: {} }),
    outputs: () => ({ label: [1] }),
    explain: () => undefined,
    warnings: () => [],
  };
}

const GOLDEN = { features: { load: 1 } };
const ASKED = { ...GOLDEN, entityId: 'unit_1' };
const SLOW = { kind: 'slow', milliseconds: 20 } as const;

describe('a fault in the manifest of a version', () => {
  it('is ignored in any model but the sandbox, and where there is none', () => {
    for (const fault of [SLOW, { kind: 'error' } as const]) {
      const scorer = scorerOf('customers', fault);
      expect(injectFault(scorer)).toBe(scorer);
    }
    const sound = scorerOf(SANDBOX_MODEL);
    expect(injectFault(sound)).toBe(sound);
  });

  it('does not show in the golden rows, which name no entity', () => {
    for (const fault of [SLOW, { kind: 'error' } as const]) {
      const scorer = injectFault(scorerOf(SANDBOX_MODEL, fault));
      const startMs = performance.now();
      expect(scorer.predict(GOLDEN).predictions).toEqual({ load: 1 });
      expect(scorer.outputs(GOLDEN)).toEqual({ label: [1] });
      expect(performance.now() - startMs).toBeLessThan(SLOW.milliseconds);
    }
  });

  it('really takes its time, and gives the right answer', () => {
    const scorer = injectFault(scorerOf(SANDBOX_MODEL, SLOW));
    const startMs = performance.now();
    expect(scorer.predict(ASKED).predictions).toEqual({ load: 1 });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(SLOW.milliseconds);
  });

  it('really gives no answer', () => {
    expect(() => injectFault(scorerOf(SANDBOX_MODEL, { kind: 'error' })).predict(ASKED)).toThrow(/cannot answer/);
  });
});
