/** Figures of a chart by name. */
export type ChartRow = Record<string, unknown>;

/** RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe. */
export function toCsv(names: readonly string[], rows: readonly ChartRow[]): string {
  const cell = (value: unknown) => {
    if (typeof value === 'number') return String(value);
    const plain =
      value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    const text = /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names.map(cell), ...rows.map((row) => names.map((name) => cell(row[name])))]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');
}
