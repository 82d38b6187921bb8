/** What a command writes with: answers to stdout, all else to stderr, so that a pipe gets answers only. */
export interface Terminal {
  readonly isJson: boolean;
  /** A line of an answer for people; nothing with --json. */
  print(line: string): void;
  /** The answer for programs; nothing without --json. */
  printJson(value: unknown): void;
  /** A remark on the way. */
  remark(line: string): void;
  /** The line that moves: of a terminal it is written over, of a log it is written when `key` changes. */
  move(line: string, key: string): void;
  /** Ends the line that moves. */
  settle(): void;
}

interface Sink {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export function createTerminal(isJson: boolean, out: Sink = process.stdout, err: Sink = process.stderr): Terminal {
  let isMoving = false;
  let lastKey: string | undefined;
  const settle = () => {
    if (isMoving) err.write('\r\x1b[2K');
    isMoving = false;
    lastKey = undefined;
  };
  return {
    isJson,
    print(line) {
      if (isJson) return;
      settle();
      out.write(`${line}\n`);
    },
    printJson(value) {
      if (!isJson) return;
      settle();
      out.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    remark(line) {
      const key = lastKey;
      settle();
      lastKey = key;
      err.write(`${line}\n`);
    },
    move(line, key) {
      if (err.isTTY) {
        err.write(`\r\x1b[2K${line.slice(0, (err.columns ?? 120) - 1)}`);
        isMoving = true;
      } else if (key !== lastKey && !isJson) err.write(`${line}\n`);
      lastKey = key;
    },
    settle,
  };
}

/** Rows under headings, each column as wide as its widest cell. */
export function renderTable(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [headings, ...rows.map((row) => row.map(cellText))];
  const widths = headings.map((_, at) => Math.max(...cells.map((row) => (row[at] ?? '').length)));
  return cells
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A value as a cell, or as the value of a line. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'object') return JSON.stringify(value);
  return typeof value === 'string' ? value : String(value as boolean);
}

/** Four digits that count, or a whole number as it is. */
export const formatNumber = (value: number) =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

/** Seconds as people say them: `4 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `█████░░░  45 %  what  about 12 s left`, at the pace so far. @param share in [0, 1] */
export function sharedProgress(share: number, what: string, elapsedMs: number): string {
  const left = share > 0.02 && elapsedMs > 1000 ? (elapsedMs / 1000) * (1 / share - 1) : undefined;
  return `${renderBar(share)}  ${what}${left === undefined ? '' : `  about ${formatSeconds(left)} left`}`;
}

/** @param share in [0, 1] */
export function renderBar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * 20);
  return `${'█'.repeat(filled)}${'░'.repeat(20 - filled)} ${String(Math.round(share * 100)).padStart(3)} %`;
}
