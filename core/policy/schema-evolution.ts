/** A column as a data type promises it. */
export interface SchemaColumn {
  name: string;
  type: string;
}

/** A column as a snapshot has it. */
export interface FoundColumn extends SchemaColumn {
  /** The type was told from the cells; no source and nobody said it. */
  isInferred: boolean;
  /** No cell is filled, so that nothing tells its type. */
  isEmpty: boolean;
}

export interface SchemaChange {
  column: string;
  change: 'added' | 'lost' | 'widened' | 'narrowed' | 'changed';
  from: string | null;
  to: string | null;
  /** `stop`: somebody has to accept it before a snapshot may have it. */
  verdict: 'warning' | 'stop';
}

/** What each type widens to: whoever reads the wider one can read the narrower one. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  integer: ['number', 'string'],
  number: ['string'],
  date: ['timestamp', 'string'],
  timestamp: ['string'],
  boolean: ['string'],
  json: ['string'],
};

const isWider = (type: string, than: string) => WIDER[than]?.includes(type) ?? false;

/**
 * What has changed from a schema to the columns of a snapshot. A new column and a wider type are warnings. A lost column, a narrower
 * and another type stop: something that was promised is gone. Cells that happen to be all whole numbers, or all at midnight, narrow nothing
 * where nobody declared a type; nor does a column without a filled cell.
 * @returns the changes, and the schema that follows from the snapshot
 */
export function evolveSchema(
  current: readonly SchemaColumn[],
  found: readonly FoundColumn[],
): { changes: SchemaChange[]; columns: SchemaColumn[] } {
  const before = new Map(current.map((column) => [column.name, column.type]));
  const changes: SchemaChange[] = [];
  const columns = found.map((column): SchemaColumn => {
    const { name, type } = column;
    const from = before.get(name);
    before.delete(name);
    if (from === undefined) {
      changes.push({ column: name, change: 'added', from: null, to: type, verdict: 'warning' });
      return { name, type };
    }
    if (from === type || column.isEmpty || isByChance(column, from)) return { name, type: from };
    const change = isWider(type, from) ? 'widened' : isWider(from, type) ? 'narrowed' : 'changed';
    changes.push({ column: name, change, from, to: type, verdict: change === 'widened' ? 'warning' : 'stop' });
    return { name, type };
  });
  for (const [column, from] of before) changes.push({ column, change: 'lost', from, to: null, verdict: 'stop' });
  return { changes, columns };
}

function isByChance({ type, isInferred }: FoundColumn, from: string): boolean {
  return isInferred && ((from === 'number' && type === 'integer') || (from === 'timestamp' && type === 'date'));
}

/** A change in words. */
export function describeChange({ column, change, from, to }: SchemaChange): string {
  if (change === 'added') return `the column ${column} is new, with the type ${to}`;
  if (change === 'lost') return `the column ${column} (${from}) is missing`;
  const verb = { widened: 'widened', narrowed: 'narrowed', changed: 'changed' }[change];
  return `the type of ${column} is ${verb} from ${from} to ${to}`;
}
