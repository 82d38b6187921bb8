import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { startEmbeddedPostgres } from '../../infra/local/embedded-postgres.js';
import { ingestRequestSchema } from '../../core/schemas/ingestion.js';
import { loadConfig } from '../../services/config.js';
import { applyMigrations } from '../../services/database/apply-migrations.js';
import { openDatabase } from '../../services/database/database.js';
import { slicePart } from '../../services/datasets/slice-part.js';
import { listSlices, settleColumns, surveySliceAt, writeSliceAt } from '../../services/datasets/slice-steps.js';
import { SLICE_FILES } from '../../services/datasets/slices.js';
import { queryRows, quoteText, withDuckDb } from '../../services/duckdb.js';
import type { FetchedPart, SourceContext, SourceRequest } from '../../services/sources/connector.js';
import { fetchPart, planSource } from '../../services/sources/fetch-parts.js';

/** What connectors work with, on a real database and throw-away folders, without the rest of a stack. */
export class SourceBench {
  #jobs = 0;

  private constructor(
    readonly folder: string,
    readonly databaseUrl: string,
    readonly context: SourceContext,
    private readonly end: () => Promise<void>,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<SourceBench> {
    const folder = mkdtempSync(join(tmpdir(), 'mlops-sources-'));
    const postgres = await startEmbeddedPostgres({ stateDir: folder });
    await applyMigrations(postgres.url);
    const database = openDatabase(postgres.url, () => undefined);
    mkdirSync(join(folder, 'inbox'));
    const config = loadConfig({
      DATABASE_URL: postgres.url,
      STATE_DIR: folder,
      DATA_SOURCE_ROOTS: join(folder, 'inbox'),
      ...env,
    });
    const folders = { datasets: join(folder, 'datasets'), modelStaging: join(folder, 'staging') };
    const context = { config, database, folders, failPoint: () => undefined };
    return new SourceBench(folder, postgres.url, context, async () => {
      await database.close();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    });
  }

  stop(): Promise<void> {
    return this.end();
  }

  /** @returns the name as a source */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, 'inbox', name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
    return name;
  }

  request(source: string, options: object = {}, dataType = 'things'): SourceRequest {
    const parsed = ingestRequestSchema.parse({ source, data_type: dataType, options });
    return { source, options: parsed.options, dataType, jobId: `job-${++this.#jobs}` };
  }

  jobFolder(request: SourceRequest): string {
    return join(this.folder, 'jobs', request.jobId);
  }

  async fetch(request: SourceRequest, signal = new AbortController().signal): Promise<FetchedPart[]> {
    const context = { ...this.context, folder: this.jobFolder(request), signal, onProgress: () => undefined };
    const { parts } = await planSource(request, context);
    const fetched: FetchedPart[] = [];
    for (const part of parts) fetched.push(await fetchPart(request, part, context));
    return fetched;
  }

  /** All rows of a source as texts, in order. */
  async read(request: SourceRequest): Promise<Record<string, string | null>[]> {
    const parts = await this.fetch(request);
    const staging = join(this.folder, `slices-${request.jobId}`);
    mkdirSync(staging, { recursive: true });
    for (const [at, part] of parts.entries())
      await slicePart({ ...part, label: basename(part.path) }, at, { folder: staging, mostBytes: 2 ** 30 });
    const slicing = {
      staging,
      parts: parts.length,
      dataType: 'things',
      attempt: '1',
      onlyColumns: request.options.columns,
    };
    const { places, needsSurvey } = await listSlices(slicing);
    if (needsSurvey) for (const at of places.keys()) await surveySliceAt(at, slicing);
    const schema = await settleColumns(slicing);
    const columns = schema.columns.map((column) => ({ ...column, type: 'string' }));
    writeFileSync(SLICE_FILES.schema(staging), JSON.stringify({ ...schema, columns }));
    for (const at of places.keys()) await writeSliceAt(at, slicing);
    return withDuckDb((connection) =>
      queryRows(
        connection,
        `SELECT COLUMNS(*)::VARCHAR FROM read_parquet(${quoteText(join(staging, 'data-*.parquet'))})`,
      ),
    );
  }
}
