/** One sentence of what was done by whom and why, such as `Promoted by local: seen enough.` */
export function signedSentence(what: string, { by, note }: { by: string; note?: string | null }): string {
  const sentence = `${what} by ${by}${note === undefined || note === null ? '' : `: ${note}`}`;
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
