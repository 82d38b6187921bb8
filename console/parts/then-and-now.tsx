import { Bar, BarChart, CartesianGrid, Legend, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import { ChartPanel } from './chart-panel.js';
import { formatPercent } from './format-number.js';
import { TOOLTIP_STYLE } from './series-chart.js';

export interface ThenAndNowRow {
  /** A value, or a range of values. */
  value: string;
  /** Shares, 0 to 1. */
  then: number;
  now: number;
}

/** How values were spread in the reference, beside how they are spread in the window. */
export default function ThenAndNow({
  title,
  note,
  rows,
}: {
  title: string;
  note?: string;
  rows: readonly ThenAndNowRow[];
}) {
  return (
    <ChartPanel title={title} note={note} rows={rows.map((row) => ({ ...row }))}>
      <div role="group" aria-label={title}>
        <ResponsiveContainer width="100%" height={230}>
          <BarChart data={[...rows]} margin={{ top: 8, right: 8, bottom: 4, left: 0 }} barGap={1} barCategoryGap="18%">
            <CartesianGrid vertical={false} />
            <XAxis dataKey="value" minTickGap={10} />
            <YAxis width={52} tickFormatter={(share) => formatPercent(Number(share))} />
            <Tooltip
              contentStyle={TOOLTIP_STYLE}
              cursor={{ fill: 'var(--mantine-color-default-hover)' }}
              formatter={(share) => formatPercent(Number(share))}
            />
            <Legend itemSorter={null} />
            <Bar dataKey="then" name="Then" fill="var(--plain)" radius={[3, 3, 0, 0]} isAnimationActive={false} />
            <Bar dataKey="now" name="Now" fill="var(--active)" radius={[3, 3, 0, 0]} isAnimationActive={false} />
          </BarChart>
        </ResponsiveContainer>
      </div>
    </ChartPanel>
  );
}
