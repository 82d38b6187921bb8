import { Area, CartesianGrid, ComposedChart, Legend, Line, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import type { ChartRow } from './to-csv.js';
import { formatName, formatNumber, formatValue } from './format-number.js';

const COLOURS = ['var(--active)', 'var(--waiting)', 'var(--good)', 'var(--bad)', 'var(--plain)', 'var(--other)'];
export const TOOLTIP_STYLE = {
  background: 'var(--mantine-color-body)',
  border: '1px solid var(--line)',
  borderRadius: 8,
  color: 'var(--mantine-color-text)',
};

/** Lines over a common axis, with a band around them where there is one. */
export function SeriesChart({
  label,
  rows,
  x,
  lines,
  band,
}: {
  label: string;
  rows: readonly ChartRow[];
  /** Names of the figures of a row. */
  x: string;
  lines: readonly string[];
  band?: readonly [string, string];
}) {
  const shown = band
    ? rows.map((row) => ({ ...row, band: row[band[0]] === null ? undefined : [row[band[0]], row[band[1]]] }))
    : [...rows];
  return (
    <div role="group" aria-label={label}>
      <ResponsiveContainer width="100%" height={260}>
        <ComposedChart data={shown} margin={{ top: 8, right: 16, bottom: 4, left: 0 }}>
          <CartesianGrid vertical={false} />
          <XAxis dataKey={x} tickFormatter={(value) => formatValue(value)} minTickGap={24} />
          <YAxis tickFormatter={(value) => formatNumber(Number(value))} width={64} domain={['auto', 'auto']} />
          <Tooltip
            contentStyle={TOOLTIP_STYLE}
            formatter={(value) =>
              Array.isArray(value)
                ? value.map((end) => formatNumber(Number(end))).join(' to ')
                : formatNumber(Number(value))
            }
          />
          {lines.length + (band ? 1 : 0) > 1 && <Legend formatter={(name) => formatName(String(name))} />}
          {band && (
            <Area
              dataKey="band"
              name="interval"
              fill="var(--active)"
              fillOpacity={0.16}
              stroke="none"
              isAnimationActive={false}
            />
          )}
          {lines.map((line, index) => (
            <Line
              key={line}
              dataKey={line}
              name={formatName(line)}
              stroke={COLOURS[index % COLOURS.length]}
              strokeWidth={2}
              dot={rows.length < 40 ? { r: 2 } : false}
              connectNulls
              isAnimationActive={false}
            />
          ))}
        </ComposedChart>
      </ResponsiveContainer>
    </div>
  );
}
