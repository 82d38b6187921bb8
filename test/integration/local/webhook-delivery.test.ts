import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MOST_ATTEMPTS } from '../../../core/policy/webhook-retry.js';
import type { Database } from '../../../services/database/database.js';
import { createLogger } from '../../../services/telemetry/logger.js';
import { createWebhookDeliverer } from '../../../services/webhooks/webhook-deliverer.js';
import { createWebhookStore, type WebhookStore } from '../../../services/webhooks/webhook-store.js';
import { isSigned, WebhookReceiver } from '../../support/webhook-receiver.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;
let database: Database;
let store: WebhookStore;
let receiver: WebhookReceiver;
const deliverers: ReturnType<typeof createWebhookDeliverer>[] = [];

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  store = createWebhookStore(database);
});
afterAll(async () => {
  await server?.stop();
});
beforeEach(async () => {
  receiver = new WebhookReceiver();
  await receiver.start();
});
afterEach(async () => {
  await Promise.all(deliverers.splice(0).map((one) => one.stop()));
  await receiver.stop();
  await database.prisma.webhook.deleteMany();
});

function deliver(allowedHosts = ['127.0.0.1']) {
  const logger = createLogger('test', 'fatal');
  const failPoint = () => undefined;
  const one = createWebhookDeliverer({ database, databaseUrl: server.url, logger, allowedHosts, failPoint });
  deliverers.push(one);
  one.start();
  return one;
}
const subscribe = (more: Partial<Parameters<WebhookStore['create']>[0]> = {}) =>
  store.create({ url: receiver.url, events: [], subject: 'ann', ...more });
const deliveriesOf = async (id: string) => (await store.deliveries(id, { limit: 500 })).items;

let versions = 0;
/** A change of state, and what it is called: `version.registered`. */
async function register(model = 'm'): Promise<string> {
  const version = `v1.${++versions}.0`;
  await database.pool.query(
    `INSERT INTO model_versions (model, version, kind, job_id, digest, promotable, verdict, parameters, metrics, signature, lineage)
     VALUES ($1, $2, 'k', $1 || $2, 'd', true, '{}', '{}', '{}', '{}', '{}')`,
    [model, version],
  );
  return version;
}
async function until(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new Error(`${what}: not seen within 20 s.`);
}
const ended = (id: string, state: string) =>
  until(`all deliveries being ${state}`, async () => (await deliveriesOf(id)).every((one) => one.state === state));
/** As if the time until the next attempt were over. */
const makeDue = () =>
  database.pool.query(`UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending'`);

describe('a change of state', () => {
  it('is told within moments, signed, and once to each who asked for it', async () => {
    const all = await subscribe();
    const own = await subscribe({ model: 'other' });
    const some = await subscribe({ events: ['version.production'] });
    deliver();
    const version = await register();
    await until('the message', () => receiver.received.length > 0);
    await ended(all.webhook_id, 'delivered');
    const [message] = receiver.received;
    expect(isSigned(message!, all.secret)).toBe(true);
    expect(isSigned(message!, own.secret)).toBe(false);
    expect(message!.body).toEqual({
      id: message!.headers['webhook-id'],
      sequence: expect.any(Number),
      type: 'version.registered',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: {
        model: 'm',
        version,
        from: null,
        to: 'registered',
        by: 'system',
        reason: expect.any(String),
        deployment_id: null,
      },
    });
    expect(await deliveriesOf(own.webhook_id)).toEqual([]);
    expect(await deliveriesOf(some.webhook_id)).toEqual([]);
    const [delivery] = await deliveriesOf(all.webhook_id);
    expect(delivery).toMatchObject({
      state: 'delivered',
      next_attempt_at: null,
      attempts: [{ status_code: 200, error: null }],
    });
    expect(receiver.received).toHaveLength(1);
    expect(JSON.stringify(await store.list())).not.toContain('whsec_');
  });

  it('that is taken back is not told', async () => {
    const { webhook_id: id } = await subscribe();
    deliver();
    await database.prisma
      .$transaction(async (transaction) => {
        await transaction.$executeRaw`INSERT INTO model_versions (model, version, kind, job_id, digest, promotable, verdict, parameters, metrics, signature, lineage)
          VALUES ('m', 'v9.9.9', 'k', 'never', 'd', true, '{}', '{}', '{}', '{}', '{}')`;
        throw new Error('killed before the commit');
      })
      .catch(() => undefined);
    await register();
    await ended(id, 'delivered');
    expect(receiver.received.map(({ body }) => body.data['version'])).not.toContain('v9.9.9');
  });

  it('is told once by several processes at once', async () => {
    const { webhook_id: id } = await subscribe();
    for (let at = 0; at < 40; at++) await register();
    for (let at = 0; at < 3; at++) deliver();
    await ended(id, 'delivered');
    expect(receiver.received).toHaveLength(40);
    expect(new Set(receiver.received.map(({ body }) => body.id)).size).toBe(40);
    expect(new Set(receiver.received.map(({ body }) => body.sequence)).size).toBe(40);
  });
});

describe('a receiver', () => {
  it('that fails is asked again with longer and longer pauses, then given up, and can be asked for again', async () => {
    const { webhook_id: id, secret } = await subscribe();
    receiver.answer = (response) => response.writeHead(500).end('broken'.repeat(10_000));
    await register();
    deliver();
    const delays: number[] = [];
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      await until(`attempt ${attempt}`, async () => (await deliveriesOf(id))[0]!.attempts.length === attempt);
      const [delivery] = await deliveriesOf(id);
      if (delivery!.next_attempt_at)
        delays.push(Date.parse(delivery!.next_attempt_at) - Date.parse(delivery!.attempts[0]!.at));
      await makeDue();
    }
    expect(delays).toHaveLength(MOST_ATTEMPTS - 1);
    expect(delays[0]).toBeLessThan(7000);
    expect(delays.at(-1)).toBeGreaterThan(4 * 3_600_000);
    const [dead] = await deliveriesOf(id);
    expect(dead).toMatchObject({ state: 'dead', next_attempt_at: null, finished_at: expect.any(String) });
    expect(dead!.attempts[0]).toMatchObject({ status_code: 500, error: 'The receiver answered 500.' });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    receiver.answer = (response) => response.writeHead(204).end();
    await store.replay(id, dead!.delivery_id);
    await ended(id, 'delivered');
    expect(receiver.received.at(-1)!.body.id).toBe(dead!.message_id);
    expect(receiver.received.every((message) => isSigned(message, secret))).toBe(true);
  });

  it('that hangs is left after 10 s, and holds up no other', { timeout: 60_000 }, async () => {
    const hanging = await subscribe();
    receiver.answer = () => undefined;
    const other = new WebhookReceiver();
    await other.start();
    const sound = await subscribe({ url: other.url });
    deliver();
    for (let at = 0; at < 5; at++) await register();
    await until('the other receiver', () => other.received.length === 5);
    await ended(sound.webhook_id, 'delivered');
    expect(receiver.received, 'one message at a time').toHaveLength(1);
    await until('the end of the wait', async () =>
      (await deliveriesOf(hanging.webhook_id)).some(({ attempts }) => attempts[0]?.error?.includes('within 10 s')),
    );
    await other.stop();
  });

  it('that redirects is not followed', async () => {
    const { webhook_id: id } = await subscribe();
    const elsewhere = new WebhookReceiver();
    await elsewhere.start();
    receiver.answer = (response) => response.writeHead(307, { location: elsewhere.url }).end();
    deliver();
    await register();
    await until('the attempt', async () => (await deliveriesOf(id))[0]?.attempts.length === 1);
    expect((await deliveriesOf(id))[0]!.attempts[0]).toMatchObject({
      status_code: 307,
      error: 'The receiver answered 307; redirects are not followed.',
    });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.stop();
  });

  it('that is killed and started again gets what it has missed', async () => {
    const { webhook_id: id } = await subscribe();
    deliver();
    await receiver.stop();
    const versionsMissed = [await register(), await register()];
    await until('a failed attempt', async () => (await deliveriesOf(id)).some(({ attempts }) => attempts.length > 0));
    expect((await deliveriesOf(id)).flatMap(({ attempts }) => attempts)[0]).toMatchObject({
      status_code: null,
      error: 'The receiver cannot be reached (ECONNREFUSED).',
    });
    await receiver.start();
    await until('both messages', async () => {
      await makeDue();
      return new Set(receiver.received.map(({ body }) => body.id)).size === 2;
    });
    expect(receiver.received.map(({ body }) => body.data['version'])).toEqual(expect.arrayContaining(versionsMissed));
  });

  it('in a private network is not reached, whatever its webhook says', async () => {
    // As if the setting had been changed, or the name meant another address by now.
    const { webhook_id: id } = await subscribe();
    deliver([]);
    await register();
    await until('the attempt', async () => (await deliveriesOf(id))[0]?.attempts.length === 1);
    expect((await deliveriesOf(id))[0]!.attempts[0]!.error).toMatch(/WEBHOOK_ALLOWED_HOSTS/);
    expect(receiver.received).toEqual([]);
  });
});

describe('who delivers', () => {
  it('and dies between sending and writing it down leaves the message to the next', async () => {
    const { webhook_id: id } = await subscribe();
    await register();
    // What a process leaves behind that claims a delivery and is killed: the claim, and no result.
    await database.pool.query(
      `UPDATE webhook_deliveries SET attempts = 1, next_attempt_at = now() + interval '1 second' WHERE webhook_id = $1`,
      [id],
    );
    deliver();
    await ended(id, 'delivered');
    expect(receiver.received).toHaveLength(1);
  });

  it('goes on after PostgreSQL was killed', { timeout: 60_000 }, async () => {
    const { webhook_id: id } = await subscribe();
    deliver();
    await server.kill9AndStartAgain();
    await until('the database', () =>
      register().then(
        () => true,
        () => false,
      ),
    );
    await ended(id, 'delivered');
    expect(receiver.received).toHaveLength(1);
  });
});

describe('webhooks', () => {
  it('are a hundred at most', async () => {
    for (let at = 0; at < 100; at++) await subscribe({ url: `https://a.example/${at}` });
    await expect(subscribe()).rejects.toMatchObject({ code: 'webhook_limit' });
  });
});
