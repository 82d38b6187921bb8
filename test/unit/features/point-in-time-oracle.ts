import type { createPrng } from '../../../ml/random/prng.js';

/** One row of a history, times in microseconds. */
export interface HistoryRow {
  entity: string;
  event: number;
  available: number;
  value: number;
}
export interface Ask {
  entity: string;
  at: number;
}
export interface Known {
  status: 'fresh' | 'expired' | 'missing';
  value: number | null;
}

/** The answer by looking at every row, in the words of the definition: for each moment all rows that were known by then. */
export function oracleAsOf(rows: readonly HistoryRow[], { entity, at }: Ask, ttl: number): Known {
  let best: (HistoryRow & { sequence: number }) | undefined;
  for (const [sequence, row] of rows.entries()) {
    if (row.entity !== entity || row.available > at || row.event > at) continue;
    if (!best || isLater({ ...row, sequence }, best)) best = { ...row, sequence };
  }
  if (!best) return { status: 'missing', value: null };
  return at - best.event <= ttl ? { status: 'fresh', value: best.value } : { status: 'expired', value: null };
}

type Ordered = { event: number; available: number; sequence: number };
function isLater(a: Ordered, b: Ordered): boolean {
  if (a.event !== b.event) return a.event > b.event;
  if (a.available !== b.available) return a.available > b.available;
  return a.sequence > b.sequence;
}

type Prng = ReturnType<typeof createPrng>;
const SECOND = 1_000_000;
const whole = (prng: Prng, below: number) => Math.floor(prng.next() * below);

/** A history with late, corrected, duplicate and future rows, on so few moments that ties are common. */
export function randomHistory(prng: Prng, entity: string, isBitemporal: boolean): HistoryRow[] {
  const rows: HistoryRow[] = [];
  for (let left = whole(prng, 9); left > 0; left--) {
    const kind = whole(prng, 5);
    const earlier = rows.length > 0 ? rows[whole(prng, rows.length)]! : undefined;
    const event = earlier && kind < 2 ? earlier.event : whole(prng, 20) * SECOND;
    // Known at once, late, in advance, or exactly as one before.
    const shift = [0, 1 + whole(prng, 8), -(1 + whole(prng, 5)), 0, 3][kind]! * SECOND;
    const available = !isBitemporal ? event : earlier && kind === 0 ? earlier.available : event + shift;
    rows.push({ entity, event, available, value: whole(prng, 1000) });
  }
  return rows;
}

export function randomAsks(prng: Prng, entity: string): Ask[] {
  return Array.from({ length: 4 }, () => ({ entity, at: (whole(prng, 28) - 3) * SECOND + (whole(prng, 3) - 1) }));
}
