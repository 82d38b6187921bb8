import { lazy, Suspense } from 'react';
import { Skeleton, Stack, Text } from '@mantine/core';
import { DataTable } from '../parts/data-table.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber, formatPercent, formatValue } from '../parts/format-number.js';
import { JsonView } from '../parts/json-view.js';
import type { ThenAndNowRow } from '../parts/then-and-now.js';
import type { DriftEvidence } from '../service/shapes.js';

const ThenAndNow = lazy(() => import('../parts/then-and-now.js'));
const ADVICE: Record<string, string> = {
  ignore: 'Nothing has to be done',
  fix_upstream: 'Have it mended where the data comes from',
  retrain: 'Retrain',
  roll_back: 'Roll the version back',
};
const REFERENCES: Record<string, string> = {
  training: 'rows held out in training',
  season: 'the same hours of earlier weeks',
  first_week: 'the first week of the version',
};

/** What a monitor has measured: then and now side by side, the tests, the cause. What has no form of its own comes as it is. */
export function FindingEvidence({ evidence, of }: { evidence: Record<string, unknown>; of: string }) {
  const found = evidence as DriftEvidence;
  const spread = spreadOf(found);
  const { triage, columns, violations } = found;
  return (
    <Stack>
      {triage && (
        <Facts
          items={[
            ['Cause', triage.cause && formatName(triage.cause)],
            ['What to do', triage.advice && (ADVICE[triage.advice] ?? triage.advice)],
            ['Season', found.season && formatName(found.season)],
            ...(triage.estimated_effects ?? []).map(
              ({ metric, head, reference, current }) =>
                [
                  `${metric} of ${formatName(head)}, expected`,
                  `${formatPercent(reference)} → ${formatPercent(current)}`,
                ] as const,
            ),
          ]}
        />
      )}
      {spread.length > 0 && (
        <Suspense fallback={<Skeleton height={260} />}>
          <ThenAndNow title={`Then and now: ${of}`} note={noteOf(found)} rows={spread} />
        </Suspense>
      )}
      <Figures found={found} />
      <Measures found={found} />
      {violations && violations.length > 0 && (
        <DataTable
          caption="Rows that are not as declared"
          rows={violations}
          keyOf={({ column, violation }) => `${column} ${violation}`}
          columns={[
            { title: 'Column', isHeading: true, cell: ({ column }) => column },
            { title: 'What', cell: ({ violation }) => formatName(violation) },
            { title: 'Rows', align: 'right', cell: ({ rows }) => formatNumber(rows) },
            { title: 'Share', align: 'right', cell: ({ share }) => formatPercent(share) },
          ]}
        />
      )}
      {columns && columns.length > 0 && (
        <DataTable
          caption="Columns by which the rows are told apart"
          rows={columns}
          keyOf={({ name }) => name}
          columns={[
            { title: 'Column', isHeading: true, cell: ({ name }) => name },
            { title: 'Part in it', align: 'right', cell: ({ share }) => formatPercent(share) },
          ]}
        />
      )}
      <details>
        <summary>All that was measured</summary>
        <JsonView value={evidence} label="Evidence" />
      </details>
    </Stack>
  );
}

const noteOf = ({ rows, reference_rows: before, reference }: DriftEvidence) =>
  `Shares of the values: ${formatNumber(before)} rows then (${REFERENCES[reference?.kind ?? ''] ?? 'the reference'}), ${formatNumber(rows)} rows now`;

/** Of numbers by ranges, of categories those that moved most. */
function spreadOf({ distribution, moved_categories: moved }: DriftEvidence): ThenAndNowRow[] {
  if (distribution) {
    const { edges, reference, current } = distribution;
    return reference.map((then, at) => ({
      value:
        edges[at] === edges[at + 1]
          ? formatNumber(edges[at])
          : `${formatNumber(edges[at])} – ${formatNumber(edges[at + 1])}`,
      then,
      now: current[at] ?? 0,
    }));
  }
  return (moved ?? []).map(({ value, reference, current }) => ({ value, then: reference, now: current }));
}

/** Figures of both sides. */
function Figures({ found: { summary, missing, out_of_range: outside } }: { found: DriftEvidence }) {
  const rows: { name: string; then: string; now: string }[] = [];
  if (summary)
    for (const name of ['mean', 'deviation', 'median'] as const)
      rows.push({ name, then: formatNumber(summary.reference[name]), now: formatNumber(summary.current[name]) });
  if (missing)
    rows.push({ name: 'missing', then: formatPercent(missing.reference), now: formatPercent(missing.current) });
  if (outside) {
    rows.push({ name: 'below all that was seen', then: '—', now: formatPercent(outside.below) });
    rows.push({ name: 'above all that was seen', then: '—', now: formatPercent(outside.above) });
  }
  if (rows.length === 0) return null;
  return (
    <DataTable
      caption="Figures then and now"
      rows={rows}
      keyOf={({ name }) => name}
      columns={[
        { title: 'Figure', isHeading: true, cell: ({ name }) => name },
        { title: 'Then', align: 'right', cell: ({ then }) => then },
        { title: 'Now', align: 'right', cell: ({ now }) => now },
      ]}
    />
  );
}

/** Chances and distances, never in one column: small chances and large distances both mean that something has changed. */
function Measures({ found: { tests = [], effects = [] } }: { found: DriftEvidence }) {
  if (tests.length + effects.length === 0) return null;
  return (
    <>
      <DataTable
        caption="Tests and distances"
        rows={[
          ...tests.map(({ test, statistic, p_value: chance }) => ({
            name: test,
            statistic,
            chance,
            size: null,
            direction: '',
          })),
          ...effects.map(({ measure, raw, size, direction }) => ({
            name: measure,
            statistic: raw,
            chance: null,
            size,
            direction,
          })),
        ]}
        keyOf={({ name }) => name}
        columns={[
          { title: 'Measure', isHeading: true, cell: ({ name }) => formatName(name) },
          { title: 'Figure', align: 'right', cell: ({ statistic }) => formatNumber(statistic) },
          { title: 'Chance', align: 'right', cell: ({ chance }) => formatNumber(chance) },
          { title: 'Distance beyond chance', align: 'right', cell: ({ size }) => formatNumber(size) },
          { title: 'Direction', cell: ({ direction }) => formatValue(direction || null) },
        ]}
      />
      <Text size="sm" c="dimmed">
        A small chance or a large distance means that something has changed.
      </Text>
    </>
  );
}
