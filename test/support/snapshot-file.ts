import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawFormat } from '../../core/schemas/ingestion.js';
import { dataTypeSchema } from '../../core/schemas/model-config.js';
import { snapshotDataset } from '../../services/datasets/snapshot-dataset.js';
import { queryRows, quoteText, withDuckDb } from '../../services/duckdb.js';
import { formatOfName } from '../../services/sources/format-of-name.js';

interface Quarantined {
  row_number: number;
  reasons: string[];
  content: string;
}

/** Takes a snapshot of files with this content, in a folder of its own, and reads everything back. */
export async function snapshotFiles(
  files: Record<string, string | Buffer>,
  more: { columns?: object; expectations?: object[]; sliceBytes?: number; mostBytes?: number; keep?: string } = {},
) {
  const folder = more.keep ?? mkdtempSync(join(tmpdir(), 'mlops-hostile-'));
  try {
    const raw = Object.entries(files).map(([name, content]) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      const { format, compression } = formatOfName(name, undefined);
      return { path, label: name, format: format as RawFormat, compression };
    });
    const manifest = await snapshotDataset(
      {
        datasetId: 'ds_hostile',
        dataType: 'things',
        sourceLabel: 'a test',
        raw,
        validation: 'quarantine',
        expectations: dataTypeSchema.parse({ columns: more.columns ?? {}, expectations: more.expectations ?? [] }),
        folder: join(folder, 'datasets'),
        attempt: '1',
        mostBytes: more.mostBytes ?? 2 ** 30,
        sliceBytes: more.sliceBytes,
      },
      () => undefined,
    );
    const read = <Row extends object>(pattern: string, order = '') =>
      withDuckDb((connection) =>
        queryRows<Row>(
          connection,
          `SELECT * FROM read_parquet(${quoteText(join(folder, 'datasets', 'ds_hostile', pattern))}) ${order}`,
        ),
      );
    return {
      manifest,
      rows: await read<Record<string, unknown>>('data*.parquet'),
      quarantine: await read<Quarantined>('quarantine.parquet', 'ORDER BY row_number'),
    };
  } finally {
    if (!more.keep) rmSync(folder, { recursive: true, force: true });
  }
}
