/** As JSON that PostgreSQL takes: what a workflow was given from the command line may be any text. */
export function storableJson(value: unknown): string {
  const clean = (text: string) => text.replaceAll(/[\0\p{Surrogate}]/gu, '\ufffd');
  const copy = (item: unknown): unknown => {
    if (typeof item === 'string') return clean(item);
    if (Array.isArray(item)) return item.map(copy);
    if (item === null || typeof item !== 'object') return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [clean(key), copy(inner)]));
  };
  return JSON.stringify(copy(value ?? {}));
}
