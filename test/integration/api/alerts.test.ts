import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../../core/monitoring/finding.js';
import type { AlertMessage } from '../../../services/alerts/alert-message.js';
import type { AlertStore } from '../../../services/alerts/alert-store.js';
import { openDatabase, type Database } from '../../../services/database/database.js';
import { writeFindings } from '../../../services/monitors/monitor-findings.js';
import { makeSecret } from '../../../services/webhooks/sign-message.js';
import { Alertmanager, hasAlertmanager } from '../../support/alertmanager.js';
import { MailServer } from '../../support/mail-server.js';
import { isSigned, WebhookReceiver } from '../../support/webhook-receiver.js';
import { eventually, Service } from './support/service.js';

type Alert = Awaited<ReturnType<AlertStore['list']>>['items'][number];
type AlertInFull = Awaited<ReturnType<AlertStore['get']>>;
type Problem = { errors: { path: string }[]; detail: string };

const MODELS = `prices:
  kind: regression
  target: price
  alerts:
    false_alarms_per_year: 1
    rules:
      watched: {when: {subject: 'input:watched', least_severity: medium}, severity: high, owner: ann, receivers: [email]}
orders: {kind: regression, target: amount}
quiet: {kind: regression, target: amount}
`;
const SECRET = makeSecret();
const hasManager = hasAlertmanager();

let service: Service;
let database: Database;
let manager: Alertmanager | undefined;
const hook = new WebhookReceiver();
const slack = new WebhookReceiver();
const mail = new MailServer();

beforeAll(async () => {
  await Promise.all([hook.start(), slack.start(), mail.start()]);
  if (hasManager) manager = await Alertmanager.start();
  service = await Service.start(MODELS, {
    ALERT_WEBHOOK_URLS: hook.url,
    ALERT_WEBHOOK_SECRET: SECRET,
    ALERT_SLACK_URLS: slack.url,
    ALERT_EMAIL_TO: 'on-call@example.com',
    ALERT_EMAIL_FROM: 'ml@example.com',
    SMTP_URL: mail.url,
    ALERTMANAGER_URL: manager?.url ?? '',
    WEBHOOK_ALLOWED_HOSTS: '127.0.0.1',
    // A worker dies before a pass is written down, and one between sending a message and noting it.
    NODE_ENV: 'test',
    FAILPOINT: 'alerts:before-commit,alert:after-send',
  });
  database = openDatabase(service.stack.addresses.databaseUrl, () => undefined);
});
afterAll(async () => {
  await database?.close();
  await service?.stop();
  await Promise.all([hook.stop(), slack.stop(), mail.stop(), manager?.stop()]);
});

const HOUR_MS = 3_600_000;
const FIRST_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 48 * HOUR_MS;
function finding(model: string, subject: string, hour: number, more: Partial<Finding> = {}): Finding {
  const window = { start: new Date(FIRST_MS + (hour - 1) * HOUR_MS), end: new Date(FIRST_MS + hour * HOUR_MS) };
  const summary = `${subject} moved by 0.8 of its spread.`;
  const evidence = { advice: 'fix upstream' };
  const of = { monitor: 'drift' as const, segment: '', value: 0.8, threshold: 0.2, summary, evidence };
  return { model, subject, window, state: 'alarm', severity: 'medium', ...of, ...more };
}
const ok = { state: 'ok', severity: 'none' } as const;
const find = (...findings: Finding[]) => writeFindings(database, findings);

const alertsOf = async (query: string) => (await service.get<{ items: Alert[] }>(`/alerts?${query}`)).body.items;
const inFull = async (id: string) => (await service.get<AlertInFull>(`/alerts/${id}`)).body;
const theAlert = (query: string) => eventually(`an alert of ${query}`, async () => (await alertsOf(query))[0]);
const delivered = (id: string, event: string) =>
  eventually(`${event} of ${id} having reached all`, async () => {
    const { history, deliveries } = await inFull(id);
    const messageId = history.find((one) => one.event === event)?.message_id;
    const own = deliveries.filter((one) => one.message_id === messageId);
    return messageId && own.length > 0 && own.every(({ state }) => state === 'delivered') ? messageId : undefined;
  });
const messagesOf = (model: string) =>
  hook.received.map(({ body }) => body as unknown as AlertMessage).filter(({ data }) => data.model === model);

describe('what monitors find', () => {
  it('opens an alert each, once, and is told in one message to every receiver, whoever dies meanwhile', async () => {
    const columns = ['a', 'b', 'c'].map((name) => finding('orders', `input:${name}`, 1));
    await find(
      ...columns,
      finding('orders', 'input:calm', 1, ok),
      finding('orders', 'input:odd', 1, { state: 'suspect' }),
    );
    await find(...columns);
    const alert = await theAlert('model=orders');
    const messageId = await delivered(alert.alert_id, 'opened');
    const alerts = await alertsOf('model=orders');
    expect(alerts.map(({ subject }) => subject).toSorted()).toEqual(['input:a', 'input:b', 'input:c']);
    expect(alert).toMatchObject({ rule: 'drift', monitor: 'drift', severity: 'medium', status: 'open', value: 0.8 });

    const message = messagesOf('orders')[0]!;
    expect(message).toMatchObject({ id: messageId, type: 'alert.opened' });
    expect(message.data.alerts).toHaveLength(3);
    expect(isSigned(hook.received[0]!, SECRET)).toBe(true);
    expect(hook.received[0]!.headers['webhook-id']).toBe(messageId);
    // Whoever got it twice, since the worker died before it could note the first, knows by the id that it is one message.
    const ids = hook.received.map(({ body }) => body.id);
    expect(new Set(ids)).toEqual(new Set([messageId]));
    expect(slack.received[0]!.text).toMatch(/"text":"\*\[medium\] orders: alert: 3 alerts\*\\n• medium: input:a moved/);
    expect(mail.received[0]).toMatchObject({ to: ['on-call@example.com'] });
    expect(mail.received[0]!.text).toContain(`Message-ID: <${messageId}@example.com>`);
    expect(mail.received[0]!.text).toMatch(/Subject: \[medium\] orders: alert: 3 alerts/);
    for (const received of [ids, slack.received, mail.received])
      expect(received.length, 'what was under way at the death is sent once more').toBeLessThanOrEqual(2);
    if (manager) {
      const posted = await manager.alerts();
      expect(posted.map(({ labels }) => String(labels['subject'])).toSorted()).toEqual([
        'input:a',
        'input:b',
        'input:c',
      ]);
      expect(posted[0]).toMatchObject({
        labels: { alertname: 'drift', model: 'orders', severity: 'medium' },
        status: { state: 'active' },
      });
    }
  });

  it('becomes more severe, is acknowledged and resolved, and every change is told once', async () => {
    const { alert_id: id } = (await alertsOf('model=orders')).find(({ subject }) => subject === 'input:a')!;
    await find(finding('orders', 'input:a', 2, { severity: 'high', value: 2 }));
    await delivered(id, 'escalated');
    const note = { note: 'I look at it.' };
    for (let at = 0; at < 2; at++)
      expect((await service.post(`/alerts/${id}/acknowledge`, note)).body).toMatchObject({
        status: 'acknowledged',
        acknowledged_by: 'local',
      });
    await service.post(`/alerts/${id}/comment`, { note: 'The import sent cents.' });
    await delivered(id, 'acknowledged');
    await find(finding('orders', 'input:a', 3, ok));
    await find(finding('orders', 'input:a', 4, { state: 'unknown' }));
    expect((await inFull(id)).status, 'one window is not enough').toBe('acknowledged');
    await find(finding('orders', 'input:a', 5, ok));
    await delivered(id, 'resolved');
    const full = await inFull(id);
    expect(full).toMatchObject({
      status: 'resolved',
      resolved_by: 'system',
      severity: 'high',
      evidence: { advice: 'fix upstream' },
    });
    expect(full.history.map(({ event, by }) => [event, by])).toEqual([
      ['opened', 'system'],
      ['escalated', 'system'],
      ['acknowledged', 'local'],
      ['commented', 'local'],
      ['resolved', 'system'],
    ]);
    const sent = messagesOf('orders').filter(({ data }) => data.alerts.some(({ alert_id: one }) => one === id));
    const about = [...new Map(sent.map((message) => [message.id, message])).values()];
    expect(about.map(({ type }) => type)).toEqual([
      'alert.opened',
      'alert.escalated',
      'alert.acknowledged',
      'alert.resolved',
    ]);
    expect(about[1]!.data.alerts[0]).toMatchObject({ severity: 'high', former_severity: 'medium' });
    expect(about[2]!.data.alerts[0]).toMatchObject({ by: 'local', note: 'I look at it.' });
    expect((await service.post(`/alerts/${id}/acknowledge`)).status, 'it is over').toBe(409);
    if (manager)
      expect((await manager.alerts()).map(({ labels }) => String(labels['subject'])).toSorted()).toEqual([
        'input:b',
        'input:c',
      ]);
  });

  it('is told to nobody while it is silenced, and at the end of the silence if it is still there', async () => {
    const ends_at = new Date(Date.now() + 600_000).toISOString();
    const silence = await service.post<{ silence_id: string }>('/alerts/silences', {
      model: 'quiet',
      subject: 'input:*',
      reason: 'The import is being mended.',
      ends_at,
    });
    expect(silence.status, silence.text).toBe(201);
    await find(finding('quiet', 'input:gone', 1), finding('quiet', 'input:lasting', 1));
    await find(finding('quiet', 'label:loud', 1));
    const loud = await eventually('the other one', async () =>
      (await alertsOf('model=quiet')).find(({ subject }) => subject === 'label:loud'),
    );
    await delivered(loud.alert_id, 'opened');
    await find(finding('quiet', 'input:gone', 2, ok), finding('quiet', 'input:gone', 3, ok));
    const gone = await eventually('the one that is over', async () =>
      (await alertsOf('model=quiet&status=resolved')).find(({ subject }) => subject === 'input:gone'),
    );
    const lasting = (await alertsOf('model=quiet&status=open')).find(({ subject }) => subject === 'input:lasting');
    expect(lasting).toMatchObject({ silenced_by: silence.body.silence_id });
    expect(
      messagesOf('quiet')
        .flatMap(({ data }) => data.alerts)
        .map(({ subject }) => subject),
    ).toEqual(['label:loud']);
    expect((await service.call('DELETE', `/alerts/silences/${silence.body.silence_id}`)).status).toBe(204);
    await delivered(lasting!.alert_id, 'opened');
    expect((await inFull(gone.alert_id)).history.map(({ event, telling }) => [event, telling])).toEqual([
      ['opened', 'dropped'],
      ['resolved', 'dropped'],
    ]);
  });

  it('opens an alert by the rule of its model, to the receivers of the rule, and asks for more once the budget is used up', async () => {
    await find(finding('prices', 'input:watched', 1, { severity: 'low' }), finding('prices', 'input:other', 1));
    const other = await theAlert('model=prices');
    expect(other.subject, 'the milder one is none by its rule').toBe('input:other');
    expect((await service.get('/alerts/budget?model=prices')).body).toMatchObject({ used: 0, left: 1, used_up: false });
    await service.post(`/alerts/${other.alert_id}/resolve`, { note: 'A holiday.', false_alarm: true });
    expect((await service.get('/alerts/budget?model=prices')).body).toMatchObject({
      alerts: 1,
      used: 1,
      left: 0,
      used_up: true,
      extra_windows: 1,
      false_alarms: [{ alert_id: other.alert_id, marked_by: 'local' }],
    });
    await find(finding('prices', 'input:watched', 2), finding('prices', 'input:third', 2));
    await find(finding('prices', 'input:watched', 3));
    const watched = await theAlert('model=prices&status=open');
    expect(watched).toMatchObject({ rule: 'prices:watched', severity: 'high', owner: 'ann', subject: 'input:watched' });
    await delivered(watched.alert_id, 'opened');
    const { history, deliveries } = await inFull(watched.alert_id);
    expect(history[0]).toMatchObject({ detail: { windows: 2, budget_used_up: true } });
    expect(history[0]!.note).toContain('the budget of false alarms is used up');
    expect(deliveries.map(({ receiver }) => receiver.split(':')[0])).toEqual(['email']);
    expect(await alertsOf('model=prices&status=open'), 'one window of the third').toHaveLength(1);
  });

  it('is told to Prometheus: how well a version does, what is open, and what of the yearly budget is used', async () => {
    const judged = { monitor: 'performance' as const, version: '1.0.0', ...ok };
    await find(
      finding('prices', 'metric:price.mae', 4, { ...judged, value: 9 }),
      finding('prices', 'metric:price.mae', 5, { ...judged, value: 12.5 }),
      finding('prices', 'metric:price.mae', 5, { ...judged, segment: 'plan=free', value: 99 }),
      finding('prices', 'estimate:price.mae', 6, { ...judged, value: 11 }),
    );
    const wanted = [
      'mlops_model_quality{model="prices",version="1.0.0",kind="realised",metric="price.mae"} 12.5',
      'mlops_model_quality{model="prices",version="1.0.0",kind="estimated",metric="price.mae"} 11',
      'mlops_alerts{model="prices",monitor="drift",status="open",severity="high"} 1',
      'mlops_alerts{model="prices",monitor="drift",status="resolved",severity="medium"} 1',
      'mlops_false_alarms{model="prices"} 1',
      'mlops_false_alarms{model="orders"} 0',
    ];
    const lines = await eventually('the newest values', async () => {
      const told = (await service.get('/metrics')).text.split('\n');
      return told.includes(wanted[0]!) ? told : undefined;
    });
    expect(lines).toEqual(expect.arrayContaining(wanted));
    expect(lines.join('\n')).toMatch(/mlops_alert_messages\{receiver="email",state="delivered"\} [1-9]/);
  });
});

describe('rules', () => {
  it('are made, replaced and deleted by the API, and what they opened is resolved with them', async () => {
    const listed = await service.get<{ items: { name: string; declared_in: string }[] }>('/alerts/rules');
    expect(listed.body.items.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['drift', 'dependency', 'prices:watched']),
    );
    const body = { name: 'labels', when: { subject: 'label:*' }, models: ['orders'], severity: 'low' };
    expect((await service.post('/alerts/rules', body)).body).toMatchObject({ declared_in: 'api', open_after: 1 });
    expect((await service.post('/alerts/rules', body)).status).toBe(409);
    await find(finding('orders', 'label:amount', 6));
    const alert = await theAlert('rule=labels');
    expect(alert).toMatchObject({ severity: 'low', subject: 'label:amount' });
    expect(
      (await service.call('PUT', '/alerts/rules/drift', { when: { monitor: 'drift' }, enabled: false })).body,
    ).toMatchObject({
      declared_in: 'api',
      enabled: false,
    });
    await eventually('the end of what nothing is for', async () =>
      (await alertsOf('rule=drift&status=open')).length === 0 ? true : undefined,
    );
    expect((await service.call('DELETE', '/alerts/rules/drift')).status).toBe(204);
    expect((await service.get('/alerts/rules/drift')).body).toMatchObject({ declared_in: 'built_in', enabled: true });
    expect((await service.call('DELETE', '/alerts/rules/drift')).status).toBe(409);
    expect((await service.call('DELETE', '/alerts/rules/none')).status).toBe(404);
    expect((await service.call('DELETE', '/alerts/rules/labels')).status).toBe(204);
    await eventually(
      'the end of its alert',
      async () => (await inFull(alert.alert_id)).status === 'resolved' || undefined,
    );
  });

  it.each([
    ['POST', '/alerts/rules', { name: 'A b', when: {} }, 'name'],
    ['POST', '/alerts/rules', { name: 'a', when: { monitor: 'weather' } }, 'when'],
    ['PUT', '/alerts/rules/a', { when: { metric: 'failed_jobs', above: -1 } }, 'when'],
    ['PUT', '/alerts/rules/a', { when: {}, open_after: 0 }, 'open_after'],
    ['PUT', '/alerts/rules/a', { when: {}, receivers: ['https://a.example'] }, 'receivers.0'],
    ['PUT', '/alerts/rules/A%20b', { when: {} }, 'rule'],
    ['POST', '/alerts/silences', { reason: 'x', ends_at: '2020-01-01T00:00:00Z' }, 'ends_at'],
    ['POST', '/alerts/silences', { reason: 'x', ends_at: 'tomorrow' }, 'ends_at'],
    ['GET', '/alerts?status=angry', undefined, 'status'],
    ['GET', '/alerts?cursor=none', undefined, 'cursor'],
    ['GET', '/alerts/budget', undefined, 'model'],
  ])('%s %s with %j is refused with the path %s', async (method, path, body, at) => {
    const answer = await service.call<Problem>(method, path, body);
    expect(answer.status, answer.text).toBe(422);
    expect(answer.body.errors.map((error) => error.path)).toContain(at);
  });

  it('and alerts that there are not are 404', async () => {
    const { body } = await service.get<{ items: { receiver_id: string; address: string }[] }>('/alerts/receivers');
    expect(JSON.stringify(body)).not.toMatch(/\/hook|on-call|kept-out/);
    for (const [method, path, send] of [
      ['GET', '/alerts/alt-none', undefined],
      ['POST', '/alerts/alt-none/acknowledge', {}],
      ['POST', '/alerts/alt-none/resolve', {}],
      ['DELETE', '/alerts/silences/none', undefined],
      ['POST', '/alerts/receivers/none/test', undefined],
      ['GET', '/alerts/budget?model=nothing', undefined],
      ['POST', '/alerts/rules', { name: 'a', when: {}, models: ['nothing'] }],
    ] as const)
      expect((await service.call(method, path, send)).status, path).toBe(404);
    const [receiver] = body.items;
    const before = hook.received.length;
    expect((await service.post(`/alerts/receivers/${receiver!.receiver_id}/test`)).status).toBe(201);
    await eventually('the test', async () =>
      hook.received.slice(before).find(({ body: one }) => one.type === 'alert.test'),
    );
  });
});
