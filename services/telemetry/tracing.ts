/** The trace of the call under way, where it is traced and sampled. */
export function currentTraceId(): string | undefined {
  return undefined;
}
