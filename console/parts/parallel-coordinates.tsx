import { formatNumber } from './format-number.js';

export interface ParallelPlot {
  better: 'higher' | 'lower';
  /** With `names` a value is the place of its name. */
  axes: { name: string; lowest: number; highest: number; names?: string[] }[];
  lines: { name: string; values: (number | null)[] }[];
}

const WIDTH = 900;
const HEIGHT = 300;
const EDGE = { top: 34, side: 70, bottom: 26 };

/** One line a run through all axes; the last axis is the measure, and the stronger a line the better its run. */
export function ParallelCoordinates({ plot, label }: { plot: ParallelPlot; label: string }) {
  const { axes, lines } = plot;
  const x = (axis: number) => EDGE.side + (axis * (WIDTH - 2 * EDGE.side)) / Math.max(1, axes.length - 1);
  const ranks = new Map(rank(plot).map(({ name }, index) => [name, index]));
  const y = (axis: number, value: number | null) => {
    const share = shareOf(axes[axis]!, value);
    return share === undefined ? undefined : HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom);
  };
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label={label}>
      <svg width={WIDTH} height={HEIGHT} role="img" aria-label={`${label}, ${lines.length} runs`}>
        {lines.map(({ name, values }) => {
          const points = values.flatMap((value, axis) => {
            const at = y(axis, value);
            return at === undefined ? [] : [`${x(axis)},${at}`];
          });
          const goodness = 1 - (ranks.get(name) ?? lines.length) / Math.max(1, lines.length);
          return (
            <polyline
              key={name}
              points={points.join(' ')}
              className="parallel-line"
              stroke="var(--active)"
              strokeOpacity={0.15 + 0.75 * goodness}
            >
              <title>{name}</title>
            </polyline>
          );
        })}
        {axes.map((axis, index) => (
          <g key={axis.name}>
            <line className="parallel-axis" x1={x(index)} x2={x(index)} y1={EDGE.top} y2={HEIGHT - EDGE.bottom} />
            <text x={x(index)} y={16} textAnchor="middle" className="bar-label">
              {axis.name.length > 22 ? `…${axis.name.slice(-21)}` : axis.name}
            </text>
            <text x={x(index)} y={EDGE.top - 6} textAnchor="middle" className="lineage-kind">
              {axis.names ? axis.names.at(-1) : formatNumber(axis.highest)}
            </text>
            <text x={x(index)} y={HEIGHT - 8} textAnchor="middle" className="lineage-kind">
              {axis.names ? axis.names[0] : formatNumber(axis.lowest)}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}

function shareOf({ lowest, highest }: ParallelPlot['axes'][number], value: number | null): number | undefined {
  if (value === null) return undefined;
  return highest === lowest ? 0.5 : (value - lowest) / (highest - lowest);
}

/** The best first, by the last axis. */
function rank({ lines, better }: ParallelPlot): ParallelPlot['lines'] {
  const sign = better === 'higher' ? -1 : 1;
  return lines.toSorted((a, b) => sign * (Number(a.values.at(-1)) - Number(b.values.at(-1))));
}
