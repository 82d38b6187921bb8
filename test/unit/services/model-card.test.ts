import { describe, expect, it } from 'vitest';
import { escapeMarkdown } from '../../../services/reports/escape-markdown.js';
import type { ModelCard } from '../../../services/reports/model-card.js';
import { renderCard } from '../../../services/reports/render-card.js';

describe('text of a user in Markdown', () => {
  it.each([
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['[x](javascript:alert(1))', '\\[x\\](javascript:alert(1))'],
    ['![x](https://a.example/p.png)', '\\!\\[x\\](https\\://a.example/p.png)'],
    ['a | b', 'a \\| b'],
    ['one\n\n# two\r\n| --- |', 'one \\# two \\| --- \\|'],
    ['`code` *bold* _so_ ~~gone~~', '\\`code\\` \\*bold\\* \\_so\\_ \\~\\~gone\\~\\~'],
    ['\\| not the end', '\\\\\\| not the end'],
    ['days_since_event _7', 'days_since_event \\_7'],
    ['- item', '\\- item'],
    ['1. item', '1\\. item'],
    ['---', '\\---'],
    ['www.a.example me@a.example', 'www\\.a.example me\\@a.example'],
    ['2026-11-28T14:00:00.000Z', '2026-11-28T14:00:00.000Z'],
    ['a\u0000\u0007b', 'ab'],
  ])('%j is text and nothing else', (text, expected) => expect(escapeMarkdown(text)).toBe(expected));
});

describe('a card', () => {
  const card: ModelCard = {
    model: 'm',
    version: 'v1.0.0',
    kind: 'classification',
    state: 'candidate',
    digest: 'abc',
    created_at: '2026-11-28T14:00:00.000Z',
    tags: { team: 'a|b' },
    intended_use: { description: null, target: null, entity: null, predicts: [] },
    training: {
      algorithm: 'linear',
      hyperparameters: { seed: 1, note: 'x' },
      data: {
        dataset_id: null,
        digest: null,
        data_type: null,
        source: null,
        rows: null,
        quarantined_rows: null,
        training_rows: 10,
        holdout_rows: 5,
      },
      features: [{ name: '<b>', type: 'number' }],
    },
    summary: [],
    metrics: { churn: { accuracy: { value: 0.9, lower: 0.8, upper: 0.95, rows: 5 } } },
    verdict: { promotable: false, reason: 'No skill.', evidence: [] },
    calibration: [],
    slices: [],
    limits: ['usage: is the same in all rows'],
    lineage: { dataset_digest: 'd', filters: {} },
    approvals: {
      required: { count: 2, role: 'admin' },
      approved: false,
      approved_by: ['ann'],
      rejected_by: [],
      missing: 1,
      decisions: [{ decision: 'approve', by: 'ann', role: 'admin', note: 'ok | fine', at: '2026-11-28T14:00:00.000Z' }],
    },
    notes: [],
    history: [],
  };

  it('of a version that nothing is known of says so, and keeps its tables whole', () => {
    const text = renderCard(card);
    expect(text).toContain('The entry of the model has no description.');
    expect(text).toContain('### churn\n\n| figure |');
    expect(text).toContain('| accuracy | 0.9 \\[0.8, 0.95\\] | 5 | share of right answers |');
    expect(text).toContain('**It must not take traffic.** No skill.');
    expect(text).toContain('It needs 2 by different subjects with the role admin, and does not have them.');
    expect(text).toContain('| &lt;b&gt; | number |');
    // Each row of a table has as many cells as its head.
    for (const block of text.split('\n\n').filter((part) => part.startsWith('|'))) {
      const widths = block
        .trimEnd()
        .split('\n')
        .map((row) => row.replaceAll('\\|', '').split('|').length);
      expect(new Set(widths).size, block).toBe(1);
    }
    expect(renderCard(card)).toBe(text);
  });
});
