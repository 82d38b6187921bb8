import { formatNumber, formatValue } from './format-number.js';

interface Bar {
  feature: string;
  value?: unknown;
  contribution: number;
}

const LABEL = 220;
const BARS = 360;
const ROW = 26;

/** Bars to the left and right of nothing: what each feature took away and added. */
export function ContributionBars({ label, bars }: { label: string; bars: readonly Bar[] }) {
  const most = Math.max(...bars.map(({ contribution }) => Math.abs(contribution)), 1e-12);
  const isSigned = bars.some(({ contribution }) => contribution < 0);
  const zero = LABEL + (isSigned ? BARS / 2 : 4);
  const scale = (isSigned ? BARS / 2 - 4 : BARS - 8) / most;
  const height = bars.length * ROW + 4;
  const width = LABEL + BARS + 110;
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label={label}>
      <svg width={width} height={height} role="img" aria-label={`${label}: ${summaryOf(bars)}`}>
        <line className="interval-zero" x1={zero} x2={zero} y1={0} y2={height} />
        {bars.map(({ feature, value, contribution }, index) => {
          const length = Math.abs(contribution) * scale;
          const y = index * ROW + 4;
          return (
            <g key={feature}>
              <text x={LABEL - 10} y={y + 13} textAnchor="end" className="bar-label">
                {value === undefined || value === null ? feature : `${feature} = ${formatValue(value)}`}
              </text>
              <rect
                className={contribution < 0 ? 'bar-down' : 'bar-up'}
                x={contribution < 0 ? zero - length : zero}
                y={y}
                width={Math.max(1, length)}
                height={ROW - 9}
                rx={3}
              />
              <text x={LABEL + BARS + 4} y={y + 13} className="bar-figure">
                {contribution > 0 && isSigned ? '+' : ''}
                {formatNumber(contribution)}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

const summaryOf = (bars: readonly Bar[]) =>
  bars
    .slice(0, 3)
    .map(({ feature, contribution }) => `${feature} ${formatNumber(contribution)}`)
    .join(', ');
