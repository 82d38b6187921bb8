import type { ReportCell, ReportEstimate } from './report-document.js';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

/** A number for people: three significant digits, thousands apart, very large and very small ones by powers of ten. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-4 || size >= 1e12)
      ? value.toExponential(2)
      : size >= 1000 || Number.isInteger(value)
        ? WHOLE.format(value)
        : SHORT.format(value);
  return text === '-0' ? '0' : text.replace('-', '−');
}

/** 0.123 as `12.3 %`. */
export function formatShare(share: number | null | undefined): string {
  return share === null || share === undefined || !Number.isFinite(share) ? '–' : `${formatNumber(share * 100)} %`;
}

/** `0.831 [0.802, 0.857]`; the value alone where no interval is known. */
export function formatEstimate({ value, lower, upper }: ReportEstimate): string {
  if (lower === null || upper === null || value === null) return formatNumber(value);
  return `${formatNumber(value)} [${formatNumber(lower)}, ${formatNumber(upper)}]`;
}

export function formatCell(cell: ReportCell | undefined): string {
  if (typeof cell === 'string') return cell;
  return typeof cell === 'object' && cell !== null ? formatEstimate(cell) : formatNumber(cell);
}

/** `2026-03-01 14:00` of an ISO time, and only the day where that is all there is. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const text = time.toISOString();
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text.slice(0, 16).replace('T', ' ');
}
