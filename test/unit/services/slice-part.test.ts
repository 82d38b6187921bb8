import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { scanRecords } from '../../../services/datasets/scan-records.js';
import { finderOf, scanRules, slicePart } from '../../../services/datasets/slice-part.js';
import { SLICE_FILES, type PartLayout } from '../../../services/datasets/slices.js';

const folder = mkdtempSync(join(tmpdir(), 'mlops-slice-part-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEADER = 'a,b\n';
const SLICE_BYTES = 40;

interface Cut {
  from: number;
  to: number;
  records: number;
  badRecords: number;
}

/** The slices as they follow from the records one by one. */
async function cutOneByOne(path: string, layout: PartLayout): Promise<Cut[]> {
  const file = await open(path);
  const cuts: Cut[] = [];
  const add = (from: number, to: number, bad: number, records = 1) => {
    const last = cuts.at(-1);
    const cut = last && to - last.from <= SLICE_BYTES ? last : undefined;
    if (cut) Object.assign(cut, { to, records: cut.records + records, badRecords: cut.badRecords + bad });
    else cuts.push({ from, to, records, badRecords: bad });
  };
  const sink = {
    good: (from: number, to: number) => add(from, to, 0),
    bad: (from: number, to: number) => add(from, to, 1),
    blank: (from: number, to: number) => (cuts.length > 0 ? void (cuts.at(-1)!.to = to) : add(from, to, 0, 0)),
  };
  const find = finderOf(layout, { isInArray: false });
  const to = readFileSync(path).length;
  await scanRecords(file, { from: HEADER.length, to, find, ...scanRules(layout) }, sink);
  await file.close();
  return cuts;
}

describe('a part that is cut into slices', () => {
  it('is cut at the same bytes whether its lines are looked at one by one or many at once', async () => {
    let run = 0;
    const piece = fc.oneof(
      { weight: 60, arbitrary: fc.constantFrom('1,2\n', '12,3\n', 'long,cell\n', 'é,ü\n') },
      { weight: 2, arbitrary: fc.constant(`${'x'.repeat(60)},y\n`) },
      { weight: 1, arbitrary: fc.constantFrom('\n', '1,2\r\n', '"q",\n', '"\n', '\u0000,1\n', 'a\rb,1\n') },
    );
    const texts = fc.tuple(fc.array(piece, { maxLength: 30 }), fc.constantFrom('', '1,2', 'é'));
    await fc.assert(
      fc.asyncProperty(texts, async ([pieces, end]) => {
        const own = join(folder, String(run++));
        mkdirSync(own);
        const path = `${own}.csv`;
        writeFileSync(path, HEADER + pieces.join('') + end);
        const part = { path, format: 'csv' as const, compression: 'none' as const, label: 't.csv' };
        await slicePart(part, 0, { folder: own, mostBytes: 1e6, sliceBytes: SLICE_BYTES });
        const layout = JSON.parse(readFileSync(SLICE_FILES.layout(own, 0), 'utf8')) as PartLayout;
        const cuts = layout.slices.map(({ from, to, records, badRecords }) => ({ from, to, records, badRecords }));
        expect(cuts).toEqual(await cutOneByOne(path, layout));
        const before = layout.slices.map(({ recordsBefore }) => recordsBefore);
        expect(before).toEqual(cuts.map((_cut, at) => cuts.slice(0, at).reduce((sum, cut) => sum + cut.records, 0)));
        expect(layout.records).toBe(cuts.reduce((sum, { records }) => sum + records, 0));
      }),
      { numRuns: 120 },
    );
  });
});
