const full = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

export function formatAge(at: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  return relative.format(Math.trunc(seconds / size), unit);
}

/** How long ago, with the exact time on hover and for readers of the screen. */
export function Time({ at }: { at: string | null | undefined }) {
  if (!at) return <>—</>;
  return (
    <time dateTime={at} title={full.format(new Date(at))}>
      {formatAge(at)}
    </time>
  );
}

export const secondsBetween = (from: string | null | undefined, to: string | null | undefined): number | undefined =>
  from ? Math.max(0, (to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000 : undefined;
