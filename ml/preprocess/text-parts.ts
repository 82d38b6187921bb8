/** The numbers free text is summed up by. */
export type TextPart = 'characters' | 'words' | 'digits';

/** Which numbers a text column becomes; plain JSON, stored with the model. */
export interface TextParts {
  /** `characters` (UTF-16 units), `words` between white space, `digits` 0-9; blanks around the text do not count. */
  parts: TextPart[];
}

const ALL_PARTS: readonly TextPart[] = ['characters', 'words', 'digits'];

/**
 * Learns which parts of a text column differ between training rows.
 * @param texts null = missing
 * @returns no parts where all rows are alike; `characters` alone where they only differ in having a text
 */
export function fitTextParts(texts: readonly (string | null)[]): TextParts {
  const known = texts.filter((text) => text !== null);
  const parts = ALL_PARTS.filter((part) => {
    const first = known.length > 0 ? readTextPart(part, known[0]!) : 0;
    return known.some((text) => readTextPart(part, text) !== first);
  });
  if (parts.length === 0 && known.length > 0 && known.length < texts.length) parts.push('characters');
  return { parts };
}

/**
 * Writes the parts of one text.
 * @param text null = missing
 * @param out receives `parts.length` numbers from `at` on; all NaN for a missing text
 */
export function writeTextParts({ parts }: TextParts, text: string | null, out: Float64Array, at: number): void {
  for (let i = 0; i < parts.length; i++) out[at + i] = text === null ? NaN : readTextPart(parts[i]!, text);
}

function readTextPart(part: TextPart, text: string): number {
  const trimmed = text.trim();
  if (part === 'characters') return trimmed.length;
  let count = 0;
  let isInside = false;
  for (let i = 0; i < trimmed.length; i++) {
    const code = trimmed.charCodeAt(i);
    if (part === 'digits') {
      if (code >= 48 && code <= 57) count++;
      continue;
    }
    const isBlank = code <= 32 || code === 0xa0 || code === 0x3000;
    if (!isBlank && !isInside) count++;
    isInside = !isBlank;
  }
  return count;
}
