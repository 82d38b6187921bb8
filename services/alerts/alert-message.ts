import type { Severity } from '../../core/monitoring/finding.js';

/** What is told of an alert: it is written once, and each kind of receiver gets it in its own form. */
export interface ToldAlert {
  alert_id: string;
  rule: string;
  /** Null for what is of no model. */
  model: string | null;
  version: string | null;
  subject: string;
  segment: string;
  severity: Severity;
  /** Of an alert that became more severe: what it was. */
  former_severity: Severity | null;
  status: string;
  summary: string;
  value: number | null;
  threshold: number | null;
  owner: string | null;
  opened_at: string;
  resolved_at: string | null;
  by: string;
  note: string | null;
}

export const TOLD_EVENTS = ['opened', 'escalated', 'acknowledged', 'resolved', 'test'] as const;
export type ToldEvent = (typeof TOLD_EVENTS)[number];

/** One message: all alerts of a model with which the same has happened. */
export interface AlertMessage {
  /** The same for every receiver and every attempt. */
  id: string;
  type: `alert.${ToldEvent}`;
  timestamp: string;
  data: { model: string | null; alerts: ToldAlert[] };
}

/** Alerts that are named one by one in a text; the others are counted. */
const MOST_NAMED = 10;

const HAPPENED: Record<ToldEvent, string> = {
  opened: 'alert',
  escalated: 'alert more severe',
  acknowledged: 'alert acknowledged',
  resolved: 'alert resolved',
  test: 'test message',
};

/** One line: how bad, of what, and what happened. */
export function titleOf({ type, data: { model, alerts } }: AlertMessage): string {
  const event = type.slice('alert.'.length) as ToldEvent;
  const worst = (['high', 'medium', 'low'] as const).find((one) => alerts.some(({ severity }) => severity === one));
  const what = alerts.length === 1 ? alerts[0]!.subject : `${alerts.length} alerts`;
  return `[${worst ?? 'none'}] ${model ?? 'service'}: ${HAPPENED[event]}: ${what}`;
}

/** The message as lines of plain text. */
export function linesOf({ data: { alerts } }: AlertMessage): string[] {
  const lines = alerts
    .slice(0, MOST_NAMED)
    .map(({ severity, summary, segment, note, owner, alert_id: id, by }) =>
      [
        `${severity}: ${summary}`,
        segment && `(where ${segment})`,
        note && `— ${by}: ${note}`,
        owner && `· owner: ${owner}`,
        `· ${id}`,
      ]
        .filter(Boolean)
        .join(' '),
    );
  return alerts.length > MOST_NAMED ? [...lines, `and ${alerts.length - MOST_NAMED} more`] : lines;
}

const escapeSlack = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** As Slack, Mattermost, Rocket.Chat and Teams take it: an incoming webhook. */
export function toSlack(message: AlertMessage): string {
  const lines = linesOf(message).map((line) => `• ${escapeSlack(line)}`);
  return JSON.stringify({ text: [`*${escapeSlack(titleOf(message))}*`, ...lines].join('\n') });
}

/** Alertmanager lets an alert end by itself unless somebody repeats it; ours end when they are resolved. */
const OPEN_DAYS = 365;

/**
 * The body of `POST /api/v2/alerts`. An alert is known there by its labels, of which the severity is one: one that became more severe
 * ends as what it was and begins as what it is.
 */
export function toAlertmanager({ timestamp, data: { alerts } }: AlertMessage): string {
  const openUntil = new Date(Date.parse(timestamp) + OPEN_DAYS * 86_400_000).toISOString();
  const posted = alerts.flatMap((alert) => {
    const of = (severity: string, endsAt: string) => ({
      labels: {
        alertname: alert.rule,
        alert_id: alert.alert_id,
        model: alert.model ?? '',
        subject: alert.subject,
        segment: alert.segment,
        severity,
      },
      annotations: { summary: alert.summary, status: alert.status, ...(alert.owner ? { owner: alert.owner } : {}) },
      startsAt: alert.opened_at,
      endsAt,
    });
    return [
      ...(alert.former_severity === null ? [] : [of(alert.former_severity, timestamp)]),
      of(alert.severity, alert.resolved_at ?? openUntil),
    ];
  });
  return JSON.stringify(posted);
}
