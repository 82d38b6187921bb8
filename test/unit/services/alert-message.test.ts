import { describe, expect, it } from 'vitest';
import {
  linesOf,
  titleOf,
  toAlertmanager,
  toSlack,
  type AlertMessage,
} from '../../../services/alerts/alert-message.js';
import { chooseReceivers, listReceivers, shownAddress } from '../../../services/alerts/receivers.js';

const alert = {
  alert_id: 'alt-1',
  rule: 'drift',
  model: 'm',
  version: 'v1.0.0',
  subject: 'input:a',
  segment: '',
  severity: 'high' as const,
  former_severity: null,
  status: 'open',
  summary: 'a <b> & c moved.',
  value: 1,
  threshold: 0.5,
  owner: 'ann',
  opened_at: '2026-01-01T00:00:00.000Z',
  resolved_at: null,
  by: 'system',
  note: null,
};
const message = (...alerts: AlertMessage['data']['alerts']): AlertMessage => ({
  id: 'alm-1',
  type: 'alert.opened',
  timestamp: '2026-01-02T00:00:00.000Z',
  data: { model: 'm', alerts },
});

describe('a message', () => {
  it('names the worst and counts the others', () => {
    expect(titleOf(message(alert))).toBe('[high] m: alert: input:a');
    const many = Array.from({ length: 13 }, () => ({ ...alert, severity: 'low' as const }));
    expect(titleOf(message(...many))).toBe('[low] m: alert: 13 alerts');
    expect(linesOf(message(...many))).toHaveLength(11);
    expect(linesOf(message(...many)).at(-1)).toBe('and 3 more');
  });

  it('to Slack can mention nobody and link nowhere', () => {
    expect(JSON.parse(toSlack(message(alert)))).toEqual({
      text: '*[high] m: alert: input:a*\n• high: a &lt;b&gt; &amp; c moved. · owner: ann · alt-1',
    });
  });

  it('to Alertmanager ends what an alert was when it became more severe', () => {
    const posted = JSON.parse(toAlertmanager(message({ ...alert, former_severity: 'low' }))) as {
      labels: { severity: string };
      endsAt: string;
    }[];
    expect(posted.map(({ labels, endsAt }) => [labels.severity, endsAt])).toEqual([
      ['low', '2026-01-02T00:00:00.000Z'],
      ['high', '2027-01-02T00:00:00.000Z'],
    ]);
  });
});

describe('receivers', () => {
  const settings = {
    webhookUrls: ['https://a.example/secret-path'],
    slackUrls: ['https://hooks.slack.example/T/B/secret'],
    emailTo: ['ann@example.com'],
    emailFrom: 'x@example.com',
    smtpUrl: 'smtp://user:secret@mail.example',
    messagesPerHour: 30,
  };
  it('are known by an id that tells nothing, and chosen by it or by their kind', () => {
    const all = listReceivers(settings);
    expect(all.map(({ kind }) => kind)).toEqual(['webhook', 'slack', 'email']);
    expect(JSON.stringify(all.map((one) => [one.id, shownAddress(one)]))).not.toMatch(/secret|ann/);
    expect(chooseReceivers(all, [])).toHaveLength(3);
    expect(chooseReceivers(all, ['slack', all[0]!.id]).map(({ kind }) => kind)).toEqual(['webhook', 'slack']);
    expect(chooseReceivers(all, ['webhook:00000000'])).toEqual([]);
  });
});
