import { describe, expect, it } from 'vitest';
import { judgeApprovals, type Decision } from '../../../core/policy/approval.js';
import { statesAfter, TRAFFIC_STATES, TRANSITIONS, VERSION_STATES } from '../../../core/policy/lifecycle.js';

describe('the life of a version', () => {
  it('has each transition once, and none from a state to itself', () => {
    const names = TRANSITIONS.map(({ from, to, by }) => `${from} ${to} ${by}`);
    expect(new Set(names).size).toBe(names.length);
    expect(TRANSITIONS.filter(({ from, to }) => from === to)).toEqual([]);
  });

  it('lets nobody ask for traffic, and takes nothing out of it by request', () => {
    const requested = TRANSITIONS.filter(({ by }) => by === 'request');
    expect(requested.filter(({ from, to }) => [from, to].some((state) => TRAFFIC_STATES.includes(state)))).toEqual([]);
  });

  it('gives an archived version no traffic, and brings it back as what it was', () => {
    expect(statesAfter('archived', { by: 'traffic', hasServed: true })).toEqual([]);
    expect(statesAfter('archived', { by: 'request', hasServed: true })).toEqual(['candidate', 'retired']);
    expect(statesAfter('archived', { by: 'request', hasServed: false })).toEqual(['registered', 'candidate']);
  });

  it('leads from every state to every other one', () => {
    for (const start of VERSION_STATES) {
      const reached = new Set([start]);
      for (const state of reached)
        for (const by of ['traffic', 'request'] as const)
          for (const hasServed of [true, false])
            for (const next of statesAfter(state, { by, hasServed })) reached.add(next);
      expect([...reached].sort(), start).toEqual([...VERSION_STATES].sort());
    }
  });
});

describe('approvals', () => {
  const by = (subject: string, decision: 'approve' | 'reject', role: Decision['role'] = 'operator') => ({
    subject,
    decision,
    role,
  });
  const rule = { count: 2, role: 'operator' as const };

  it('are not needed where the model asks for none', () => {
    expect(judgeApprovals(undefined, []).isApproved).toBe(true);
  });

  it('count different people with a role that suffices', () => {
    expect(judgeApprovals(rule, [by('ann', 'approve'), by('ann', 'approve')])).toMatchObject({
      isApproved: false,
      missing: 1,
    });
    expect(judgeApprovals(rule, [by('ann', 'approve'), by('eve', 'approve', 'engineer')]).isApproved).toBe(false);
    expect(judgeApprovals(rule, [by('ann', 'approve'), by('bob', 'approve', 'admin')])).toEqual({
      isApproved: true,
      approvedBy: ['ann', 'bob'],
      rejectedBy: [],
      missing: 0,
    });
  });

  it('are held up by one rejection until its author agrees', () => {
    const decisions = [by('ann', 'approve'), by('bob', 'approve'), by('cat', 'reject')];
    expect(judgeApprovals(rule, decisions)).toMatchObject({ isApproved: false, missing: 0, rejectedBy: ['cat'] });
    expect(judgeApprovals(rule, [...decisions, by('cat', 'approve')]).isApproved).toBe(true);
    // A rejection by somebody whose word does not count holds nothing up.
    expect(
      judgeApprovals(rule, [by('ann', 'approve'), by('bob', 'approve'), by('eve', 'reject', 'viewer')]).isApproved,
    ).toBe(true);
  });
});
