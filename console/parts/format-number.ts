const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const fine = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });

/** A figure that people compare: four digits, and an em dash where there is none. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '—';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return whole.format(value);
  if (Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)) return value.toExponential(2);
  return fine.format(value);
}

export const formatPercent = (share: number | null | undefined): string =>
  share === null || share === undefined ? '—' : `${short.format(share * 100)} %`;

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return '—';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${short.format(bytes / 1000 ** power)} ${units[power]}`;
}

/** A word of the API as people read it: `roc_auc` becomes `roc auc`. */
export const formatName = (name: string): string => name.replaceAll('_', ' ');

/** Any value of a row as one line. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '—';
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}
