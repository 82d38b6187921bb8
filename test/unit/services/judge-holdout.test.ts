import { describe, expect, it } from 'vitest';
import type { RolloutVerdict } from '../../../core/decisions/rollout-evidence.js';
import { OF_BEFORE } from '../../../services/deployments/compare-on-holdout.js';
import { judgeHoldout } from '../../../services/deployments/test-holdout.js';

const verdictOf = (verdict: RolloutVerdict['verdict'], ...harmful: string[]) =>
  ({
    verdict,
    reason: 'loss:label is worse.',
    findings: harmful.map((measure) => ({ measure, finding: 'harmful' })),
  }) as unknown as RolloutVerdict;
const judge = (
  verdict: RolloutVerdict,
  strategy: 'canary' | 'immediate' = 'canary',
  holdout: 'stop_on_harm' | 'must_pass' = 'stop_on_harm',
) => judgeHoldout({ holdout, plan: { strategy } }, verdict);

const OLDER = `loss:label${OF_BEFORE}v1.0.0`;

describe('judgeHoldout', () => {
  it('leaves harm by the rows of before alone to live traffic, and says so', () => {
    const left = judge(verdictOf('ROLLBACK', OLDER));
    expect(left).toMatchObject({ mayGoOn: true, isLeftToTraffic: true });
    expect(left.reason).toMatch(
      /held out of the present version, and not on those held out of its own: .*live traffic decides/,
    );
  });

  it.each<[string, ReturnType<typeof judge>]>([
    ['without live traffic', judge(verdictOf('ROLLBACK', OLDER), 'immediate')],
    ['where it must be passed', judge(verdictOf('ROLLBACK', OLDER), 'canary', 'must_pass')],
    ['by its own rows', judge(verdictOf('ROLLBACK', 'loss:label'))],
    ['by both', judge(verdictOf('ROLLBACK', 'loss:label', OLDER))],
  ])('ends the rollout by harm %s', (_, result) => {
    expect(result).toMatchObject({ mayGoOn: false, isLeftToTraffic: false });
    expect(result.reason).toMatch(/worse on rows that neither version has learnt from/);
  });

  it('goes on where nothing is shown, unless it must be passed', () => {
    expect(judge(verdictOf('ASK'))).toMatchObject({ mayGoOn: true, isLeftToTraffic: false });
    expect(judge(verdictOf('ASK'), 'canary', 'must_pass').mayGoOn).toBe(false);
    expect(judge(verdictOf('PROMOTE'), 'canary', 'must_pass').mayGoOn).toBe(true);
  });
});
