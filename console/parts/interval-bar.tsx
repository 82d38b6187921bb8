import { formatNumber } from './format-number.js';

const WIDTH = 160;
const HEIGHT = 18;

/** A value with its interval on a scale that rows of a table share, and with the limit it is held to. */
export function IntervalBar({
  value,
  lower,
  upper,
  from,
  to,
  limit,
  tone = 'active',
  width = WIDTH,
}: {
  value: number | null;
  lower: number | null;
  upper: number | null;
  /** Ends of the scale. */
  from: number;
  to: number;
  limit?: number | null;
  tone?: string;
  /** Pixels. */
  width?: number;
}) {
  const x = (at: number) =>
    from === to ? width / 2 : 4 + ((Math.min(to, Math.max(from, at)) - from) / (to - from)) * (width - 8);
  if (value === null) return <>—</>;
  const interval =
    lower === null || upper === null ? '' : `, 95 % interval ${formatNumber(lower)} to ${formatNumber(upper)}`;
  const label = `${formatNumber(value)}${interval}${limit === undefined || limit === null ? '' : `, limit ${formatNumber(limit)}`}`;
  return (
    <svg className={`interval interval-${tone}`} width={width} height={HEIGHT} role="img" aria-label={label}>
      <line className="interval-scale" x1={0} x2={width} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      {from < 0 && to > 0 && <line className="interval-zero" x1={x(0)} x2={x(0)} y1={2} y2={HEIGHT - 2} />}
      {limit !== undefined && limit !== null && (
        <line className="interval-limit" x1={x(limit)} x2={x(limit)} y1={0} y2={HEIGHT} />
      )}
      {lower !== null && upper !== null && (
        <line className="interval-range" x1={x(lower)} x2={x(upper)} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      )}
      <circle className="interval-value" cx={x(value)} cy={HEIGHT / 2} r={4.5} />
    </svg>
  );
}
