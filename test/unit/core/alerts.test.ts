import { describe, expect, it } from 'vitest';
import { judgeAlert, type JudgedWindow } from '../../../core/decisions/judge-alert.js';
import type { FindingState, Severity } from '../../../core/monitoring/finding.js';
import { BUILT_IN_RULES, fitsPattern, ruleOfFinding } from '../../../core/policy/alert-rules.js';
import { alertRuleSchema } from '../../../core/schemas/alert.js';

/** Windows of an hour, the newest first, as a word of letters: a(larm), o(k), s(uspect), u(nknown); A is a severe alarm. */
const STATES: Record<string, FindingState> = { a: 'alarm', A: 'alarm', o: 'ok', s: 'suspect', u: 'unknown' };
const windows = (word: string): JudgedWindow[] =>
  word.split('').map((letter, at) => ({
    endMs: (word.length - at) * 3_600_000,
    state: STATES[letter]!,
    severity: letter === 'A' ? 'high' : 'low',
  }));
const standing = (openedHour: number, severity: Severity = 'low', lastHour = openedHour) => ({
  standing: { severity, openedWindowMs: openedHour * 3_600_000, lastWindowMs: lastHour * 3_600_000 },
});
const rule = { openAfter: 2, resolveAfter: 2 };

describe('an alert', () => {
  it.each([
    ['a', 'none'],
    ['aa', 'open'],
    ['aao', 'open'],
    ['ao', 'none'],
    ['asa', 'none'],
    ['aua', 'open'],
    ['uaa', 'open'],
    ['oaa', 'none'],
    ['u', 'none'],
    ['', 'none'],
  ])('of windows %s, newest first, is judged %s when two must say alarm', (word, move) => {
    expect(judgeAlert(windows(word), rule, {})).toBe(move);
  });

  it.each([
    ['oaa', 'none'],
    ['ooaa', 'resolve'],
    ['osoaa', 'none'],
    ['ouoaa', 'resolve'],
    ['soaa', 'none'],
    ['aaa', 'stay'],
    ['Aaa', 'escalate'],
    ['aa', 'none'],
  ])('that stands since the second window is, with windows %s, judged %s', (word, move) => {
    expect(judgeAlert(windows(word), rule, standing(2))).toBe(move);
  });

  it('does not become milder by itself, and is not opened by windows that an earlier one has had', () => {
    expect(judgeAlert(windows('aAA'), rule, standing(2, 'high'))).toBe('stay');
    expect(judgeAlert(windows('aaaa'), rule, { settledMs: 2 * 3_600_000 })).toBe('open');
    expect(judgeAlert(windows('aaaa'), rule, { settledMs: 3 * 3_600_000 })).toBe('none');
  });

  it('whose window is judged again as ok is not resolved by windows of before it', () => {
    expect(judgeAlert(windows('ooo'), rule, standing(3))).toBe('none');
    expect(judgeAlert(windows('oooo'), rule, standing(3))).toBe('resolve');
  });
});

describe('rules', () => {
  it.each([
    ['input:price', '*', true],
    ['input:price', 'input:*', true],
    ['input:price', 'input:*ice', true],
    ['input:price', '*:pr*e', true],
    ['input:price', 'input:price', true],
    ['input:price', 'label:*', false],
    ['aa', 'a*aa', false],
    ['aaa', 'a*a*a', true],
    ['', '*', true],
  ])('%s fits %s: %s', (text, pattern, fits) => {
    expect(fitsPattern(text, pattern)).toBe(fits);
  });

  it('takes no time for a pattern of many stars', () => {
    const start = performance.now();
    expect(fitsPattern('a'.repeat(200), '*a'.repeat(99) + '*b')).toBe(false);
    expect(performance.now() - start).toBeLessThan(100);
  });

  it('gives every finding to the first that fits, and to none that is off or of another model', () => {
    const finding = { model: 'm', monitor: 'drift', subject: 'input:a', segment: '' };
    expect(ruleOfFinding(BUILT_IN_RULES, finding)?.name).toBe('drift');
    const own = { ...alertRuleSchema.parse({ when: { subject: 'input:*' } }), name: 'own', declaredIn: 'api' as const };
    expect(ruleOfFinding([own, ...BUILT_IN_RULES], finding)?.name).toBe('own');
    expect(ruleOfFinding([{ ...own, models: ['other'] }, ...BUILT_IN_RULES], finding)?.name).toBe('drift');
    expect(ruleOfFinding([{ ...own, enabled: false }], finding)).toBeUndefined();
  });

  it('that are built in pass the schema that those of the API are held to', () => {
    for (const { name: _name, declaredIn: _declaredIn, ...settings } of BUILT_IN_RULES)
      expect(alertRuleSchema.parse(settings)).toEqual(settings);
  });
});
