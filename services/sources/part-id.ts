/** @returns the id of the part at a place of its plan: `0000003-events_2026_csv`, for the name of a file */
export function partId(at: number, label: string): string {
  const words = label.replaceAll(/[^A-Za-z0-9]+/g, '_').slice(-60);
  return `${String(at + 1).padStart(7, '0')}-${words}`;
}
