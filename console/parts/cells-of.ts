/** Values of a row by column; an empty text is an empty cell. */
export type RowValues = Readonly<Record<string, string>>;

/** The cells of a row whose content is a JSON object, as texts; of any other content none. */
export function cellsOf(content: string): RowValues {
  try {
    const row: unknown = JSON.parse(content);
    if (typeof row !== 'object' || row === null || Array.isArray(row)) return {};
    return Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    );
  } catch {
    return {};
  }
}
