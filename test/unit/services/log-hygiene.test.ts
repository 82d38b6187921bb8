import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { SENSITIVE_FIELDS } from '../../../core/sensitive-fields.js';
import { noteModel, currentContext, runWithContext } from '../../../services/telemetry/correlation.js';
import { LogLevelSwitch } from '../../../services/telemetry/log-level.js';
import { createLogger } from '../../../services/telemetry/logger.js';
import { redact, usePseudonyms } from '../../../services/telemetry/redact.js';

describe('what is logged', () => {
  it('lacks sensitive fields at any depth, and credentials within texts', () => {
    const logged = {
      model: 'churn',
      request: { features: { age: 41 }, options: [{ password: 'x', table: 't' }] },
      source: 'postgresql://reader:hush@db/x',
      path: `/jobs/mlps_${'B'.repeat(43)}/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln`,
      seq: 10n,
    };
    expect(redact(logged)).toEqual({
      model: 'churn',
      request: { features: '***', options: [{ password: '***', table: 't' }] },
      source: 'postgresql://reader:***@db/x',
      path: '/jobs/mlps_***/eyJ***',
      seq: '10',
    });
  });

  it('tells ids of entities apart by pseudonyms where there are keys, and never the ids', () => {
    const logged = {
      user_id: 'ann',
      deep: { entity_ids: ['ann', 'bob'], entity: { of: 'ann' } },
      features: { age: 41 },
    };
    expect(redact(logged)).toEqual({ user_id: '***', deep: { entity_ids: '***', entity: '***' }, features: '***' });
    const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    usePseudonyms([{ key: one }]);
    const told = redact(logged) as { user_id: string; deep: { entity_ids: string[] } };
    expect(told).toMatchObject({
      user_id: expect.stringMatching(/^~[\w-]{12}$/) as string,
      deep: { entity: '***' },
      features: '***',
    });
    expect(told.deep.entity_ids[0]).toBe(told.user_id);
    expect(told.deep.entity_ids[1]).not.toBe(told.user_id);
    // While the key is replaced they stay the same; another key makes others.
    usePseudonyms([{ key: other }, { key: one }]);
    expect(redact(logged)).toEqual(told);
    usePseudonyms([{ key: other }]);
    expect(redact(logged)['user_id']).not.toBe(told.user_id);
    usePseudonyms(undefined);
  });

  it('ends where it goes deeper than anyone reads, also in a circle', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle['again'] = circle;
    expect(JSON.stringify(redact(circle))).toContain('…');
  });

  it('leaves errors to their serializer', () => {
    const error = new Error('x');
    expect(redact({ err: error })['err']).toBe(error);
  });

  it('has every field of a prediction request that holds what a caller knows of someone in the table', () => {
    const names = new Set<string>([...SENSITIVE_FIELDS.personal, ...SENSITIVE_FIELDS.secret]);
    // Settings of a call say nothing about anyone.
    const harmless = /^(model_version|explain|threshold|forecast_horizon|limit|observed_at|metrics|timestamp)$/;
    const predictions = ALL_ROUTES.filter(
      ({ path, body }) => body && /^\/predict(ions)?\/[^/]+(\/feedback)?$/.test(path),
    );
    expect(predictions.length).toBeGreaterThan(5);
    const missing = predictions.flatMap(({ path, body }) => {
      const { properties = {} } = z.toJSONSchema(body!, { io: 'input', unrepresentable: 'any' }) as {
        properties?: object;
      };
      return Object.keys(properties).flatMap((name) =>
        names.has(name) || harmless.test(name) ? [] : [`${path} ${name}`],
      );
    });
    expect(missing).toEqual([]);
  });
});

describe('a call', () => {
  it('says from where it is known which model it is about', () => {
    const context = runWithContext({ correlationId: 'c' }, () => {
      noteModel('churn');
      noteModel('churn', 'v1.0.0');
      return currentContext();
    });
    expect(context).toEqual({ correlationId: 'c', model: 'churn', version: 'v1.0.0' });
    expect(() => noteModel('nobody asks')).not.toThrow();
  });
});

describe('the level of the log', () => {
  let stateDir: string;
  beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'mlops-level-'))));
  afterEach(() => rmSync(stateDir, { recursive: true, force: true }));
  const create = () => {
    const logger = createLogger('test', 'fatal');
    return { logger, level: new LogLevelSwitch({ stateDir, configured: 'fatal', logger }) };
  };

  it('holds for a time, in every process of the state folder, and then as configured', async () => {
    const [one, other] = [create(), create()];
    await one.level.set('ERROR', 60);
    expect(await other.level.follow()).toMatchObject({ level: 'ERROR', configured_level: 'FATAL' });
    expect(other.logger.level).toBe('error');
    writeFileSync(join(stateDir, 'log-level.json'), JSON.stringify({ level: 'ERROR', until: '2020-01-01T00:00:00Z' }));
    expect(await other.level.follow()).toEqual({ level: 'FATAL', configured_level: 'FATAL', until: null });
    expect(other.logger.level).toBe('fatal');
  });

  it.each(['', '{', '{"level": "LOUD", "until": "2999-01-01T00:00:00Z"}', '{"level": "DEBUG"}', 'null'])(
    'is as configured when the file holds %j',
    async (content) => {
      writeFileSync(join(stateDir, 'log-level.json'), content);
      expect(await create().level.follow()).toMatchObject({ level: 'FATAL', until: null });
    },
  );

  it('goes back at once when it is reset, also when it was not set', async () => {
    const { level } = create();
    await level.set('ERROR', 60);
    await level.reset();
    await level.reset();
    expect(existsSync(join(stateDir, 'log-level.json'))).toBe(false);
    expect(await level.follow()).toMatchObject({ level: 'FATAL' });
  });
});
