import {
  CartesianGrid,
  ComposedChart,
  Legend,
  Line,
  ResponsiveContainer,
  Scatter,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import type { ChartRow } from './to-csv.js';
import { formatNumber } from './format-number.js';
import { TOOLTIP_STYLE } from './series-chart.js';

/** A dot a run, and the best that was known then. */
export function HistoryChart({ label, rows }: { label: string; rows: readonly ChartRow[] }) {
  return (
    <div role="group" aria-label={label}>
      <ResponsiveContainer width="100%" height={260}>
        <ComposedChart data={[...rows]} margin={{ top: 8, right: 16, bottom: 4, left: 0 }}>
          <CartesianGrid vertical={false} />
          <XAxis dataKey="run" />
          <YAxis width={64} domain={['auto', 'auto']} tickFormatter={(value) => formatNumber(Number(value))} />
          <Tooltip contentStyle={TOOLTIP_STYLE} formatter={(value) => formatNumber(Number(value))} />
          <Legend />
          <Scatter dataKey="value" name="run" fill="var(--active)" isAnimationActive={false} />
          <Line
            dataKey="best"
            name="best so far"
            stroke="var(--waiting)"
            strokeWidth={2}
            dot={false}
            type="stepAfter"
            isAnimationActive={false}
          />
        </ComposedChart>
      </ResponsiveContainer>
    </div>
  );
}
