import { stat } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { ServiceError } from '../../core/errors.js';
import { ingestRequestSchema } from '../../core/schemas/ingestion.js';
import { fetchPart, planSource } from '../../services/sources/fetch-parts.js';
import { findConnector, refuseMeaninglessOptions } from '../../services/sources/find-connector.js';
import { sealSource } from '../../services/sources/seal-source.js';
import type { SourceBench } from '../support/source-bench.js';

/** Rows that any source must bring unharmed. */
export const CONTRACT_ROWS = Array.from({ length: 250 }, (_, at) => ({
  id: String(at + 1),
  name: at % 50 === 7 ? `Żółć "🐈" ${at}, and more` : `name ${at}`,
  amount: String(at / 4 + 0.25),
}));

export interface SourceCase {
  source: string;
  options?: object;
  /** A source of the same kind that is not there. */
  missing: { source: string; options?: object };
  /** Makes the source unreachable. */
  takeAway: () => Promise<void> | void;
}

/** A secret that no plan, label, message or fetched name may show. */
export const CANARY = 'c4nary-s3cret-7f21';

/** What each connector promises, whatever it reads. */
export function holdSource(bench: () => SourceBench, make: () => Promise<SourceCase>): void {
  const prepare = async () => {
    const made = await make();
    const source = await sealSource(bench().context.database, made.source);
    return { ...made, request: () => bench().request(source, made.options) };
  };
  const contextOf = (request: ReturnType<SourceBench['request']>, signal = new AbortController().signal) => ({
    ...bench().context,
    folder: bench().jobFolder(request),
    signal,
    onProgress: () => undefined,
  });

  it('brings each row once, as it was', async () => {
    const { request } = await prepare();
    const rows = await bench().read(request());
    expect(rows.map(({ id, name, amount }) => ({ id, name, amount: String(Number(amount)) }))).toEqual(CONTRACT_ROWS);
  });

  it('plans the same small parts again, and shows no credentials in them', async () => {
    const { request } = await prepare();
    const asked = request();
    const connector = findConnector(asked.source);
    const plan = await connector.plan(asked, contextOf(asked));
    expect(plan.parts.length).toBeGreaterThan(0);
    expect(new Set(plan.parts.map(({ id }) => id)).size).toBe(plan.parts.length);
    for (const part of plan.parts) {
      expect(part.id).toMatch(/^\d{7}-\w{1,60}$/);
      expect(JSON.stringify(part).length).toBeLessThan(2048);
    }
    const label = await connector.check(asked, bench().context);
    expect(JSON.stringify([asked.source, label, plan])).not.toContain(CANARY);
    expect(await connector.plan(asked, contextOf(asked))).toEqual(plan);
  });

  it('says truly how what it brought lies on disk', async () => {
    const { request } = await prepare();
    for (const part of await bench().fetch(request())) {
      expect((await stat(part.path)).size).toBe(part.bytes);
      const ending = { none: '', gzip: '.gz', zstd: '.zst' }[part.compression];
      expect(part.path.endsWith(`.${part.format}${ending}`)).toBe(true);
    }
  });

  it('has what was brought before when it is asked again, even without the source', async () => {
    const { request, takeAway } = await prepare();
    const asked = request();
    const first = await bench().fetch(asked);
    await takeAway();
    expect(await bench().fetch(asked)).toEqual(first);
    const later = await bench()
      .fetch(request())
      .catch((error: unknown) => error);
    expect(later).toBeInstanceOf(Error);
    expect(String(later)).not.toContain(CANARY);
  }, 60_000);

  it('stops when the job is cancelled', async () => {
    const { request } = await prepare();
    const asked = request();
    const { parts } = await planSource(asked, contextOf(asked));
    const cancelled = contextOf(asked, AbortSignal.abort(new Error('cancelled')));
    await expect(fetchPart(asked, parts[0]!, cancelled)).rejects.toThrow();
  });

  it('refuses a source that is not there, for good', async () => {
    const { missing } = await prepare();
    const source = await sealSource(bench().context.database, missing.source);
    const failure = await bench()
      .fetch(bench().request(source, missing.options))
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ServiceError);
    expect((failure as ServiceError).code).toMatch(/^(source_|request_invalid|upload_not_found)/);
    expect(JSON.stringify([failure, String(failure)])).not.toContain(CANARY);
  });

  it('refuses options that it does not have', async () => {
    const { request } = await prepare();
    const asked = request();
    const connector = findConnector(asked.source);
    const all = { table: 't', format: 'csv', start_date: '2026-01-01', http: {} } as const;
    const foreign = Object.entries(all).filter(([name]) => !(connector.options as readonly string[]).includes(name));
    const options = ingestRequestSchema.parse({
      source: asked.source,
      data_type: 'things',
      options: Object.fromEntries(foreign),
    }).options;
    const refuse = () => refuseMeaninglessOptions(connector, { ...asked, options });
    expect(refuse).toThrow(ServiceError);
    for (const [name] of foreign)
      expect(refuse).toThrow(
        expect.objectContaining({
          problems: expect.arrayContaining([expect.objectContaining({ path: `options.${name}` })]),
        }),
      );
  });
}
