/** How it is told who wanted something and why, such as `local: looks good`. */
export function signature({ by, note }: { by: string; note?: string | null }): string {
  return note === undefined || note === null ? by : `${by}: ${note}`;
}
