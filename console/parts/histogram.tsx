import type { ReactNode } from 'react';
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import type { DatasetColumn } from '../service/shapes.js';
import { useRead } from '../service/use-read.js';
import { ChartPanel } from './chart-panel.js';
import { countValues } from './count-values.js';
import { EmptyState } from './empty-state.js';
import { formatNumber, formatPercent } from './format-number.js';
import { Loaded } from './loaded.js';
import { TOOLTIP_STYLE } from './series-chart.js';

/** As many rows as the API gives at once. */
const SAMPLE = 500;

/** How the values of a column are spread, in the first rows; the figures of all rows stand in the note. */
export default function Histogram({
  datasetId,
  column,
  choice,
}: {
  datasetId: string;
  column: DatasetColumn;
  choice: ReactNode;
}) {
  const sample = useRead('/data/datasets/{dataset_id}/rows', {
    path: { dataset_id: datasetId },
    query: { limit: SAMPLE },
  });
  const [low, median, high] = column.quartiles ?? [];
  const ofAll =
    typeof median === 'number'
      ? `quartiles ${formatNumber(low as number)}, ${formatNumber(median)}, ${formatNumber(high as number)}`
      : `${formatNumber(column.distinct)} distinct values`;
  return (
    <Loaded of={sample}>
      {({ items }) => {
        const bars = countValues(items.map((row) => row[column.name]));
        return (
          <ChartPanel
            title={`Values of ${column.name}`}
            note={`First ${formatNumber(items.length)} rows. All rows: ${ofAll}, ${formatPercent(column.null_share)} empty.`}
            rows={bars}
            actions={choice}
          >
            {bars.length === 0 ? (
              <EmptyState title="Every cell is empty" />
            ) : (
              <div role="group" aria-label={`Histogram of ${column.name}`}>
                <ResponsiveContainer width="100%" height={220}>
                  <BarChart data={bars} margin={{ top: 8, right: 16, bottom: 4, left: 0 }} barCategoryGap={1}>
                    <CartesianGrid vertical={false} />
                    <XAxis dataKey="value" minTickGap={16} />
                    <YAxis width={48} allowDecimals={false} />
                    <Tooltip contentStyle={TOOLTIP_STYLE} cursor={{ fill: 'var(--mantine-color-default-hover)' }} />
                    <Bar dataKey="rows" fill="var(--active)" radius={[3, 3, 0, 0]} isAnimationActive={false} />
                  </BarChart>
                </ResponsiveContainer>
              </div>
            )}
          </ChartPanel>
        );
      }}
    </Loaded>
  );
}
