/** Where a value of a JSON text begins and where it has ended. */
type Span = readonly [start: number, end: number];

/**
 * Cuts the records out of a JSON text as they were written, so that no digit of a long number is lost.
 * @param text JSON that was parsed before: what is no JSON is not noticed here
 * @param path where the list is, such as `data.items`. Without it the text itself is the list, or it is the only list in the object, or
 *   the object is the only record.
 * @returns one JSON text a record, without line breaks
 * @throws Error that says why there is no list
 */
export function sliceRecords(text: string, path: string | undefined): string[] {
  const span = path === undefined ? findList(text) : follow(text, path.split('.'));
  const [start] = span;
  if (text[start] !== '[') {
    if (path === undefined) return [oneLine(text, span)];
    throw new Error(`there is no list at "${path}"`);
  }
  return listItems(text, start).map((item) => oneLine(text, item));
}

// Within strings a line break is always escaped, so that these stand between values.
const oneLine = (text: string, [start, end]: Span) => text.slice(start, end).replaceAll(/[\r\n]+/g, ' ');

function findList(text: string): Span {
  const start = skipSpace(text, 0);
  const root: Span = [start, valueEnd(text, start)];
  if (text[start] !== '{') return root;
  const lists = [...members(text, start).values()].filter(([at]) => text[at] === '[');
  if (lists.length > 1) throw new Error('there are several lists in it: say in options.http.records which one it is');
  return lists[0] ?? root;
}

function follow(text: string, steps: readonly string[]): Span {
  const start = skipSpace(text, 0);
  let span: Span = [start, valueEnd(text, start)];
  for (const step of steps) {
    const next = text[span[0]] === '{' ? members(text, span[0]).get(step) : undefined;
    if (!next) throw new Error(`there is no "${steps.join('.')}"`);
    span = next;
  }
  return span;
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && ' \t\r\n\ufeff'.includes(text[at]!)) at++;
  return at;
}

function stringEnd(text: string, at: number): number {
  for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++;
  return at + 1;
}

function valueEnd(text: string, at: number): number {
  if (text[at] === '"') return stringEnd(text, at);
  if (text[at] !== '{' && text[at] !== '[') {
    while (at < text.length && !',]} \t\r\n'.includes(text[at]!)) at++;
    return at;
  }
  for (let depth = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = stringEnd(text, at) - 1;
    else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1;
  }
  return at;
}

function listItems(text: string, start: number): Span[] {
  const items: Span[] = [];
  for (let at = skipSpace(text, start + 1); at < text.length && text[at] !== ']'; at = skipSpace(text, at)) {
    const end = valueEnd(text, at);
    items.push([at, end]);
    at = skipSpace(text, end);
    if (text[at] === ',') at++;
  }
  return items;
}

function members(text: string, start: number): Map<string, Span> {
  const found = new Map<string, Span>();
  for (let at = skipSpace(text, start + 1); at < text.length && text[at] !== '}'; at = skipSpace(text, at)) {
    const end = stringEnd(text, at);
    const value = skipSpace(text, skipSpace(text, end) + 1);
    found.set(JSON.parse(text.slice(at, end)) as string, [value, valueEnd(text, value)]);
    at = skipSpace(text, valueEnd(text, value));
    if (text[at] === ',') at++;
  }
  return found;
}
