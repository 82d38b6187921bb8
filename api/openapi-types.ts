/** The types that the shapes of answers are put together from. */
export const text = { type: 'string' } as const;
export const nullableText = { type: ['string', 'null'] } as const;
export const time = { type: 'string', format: 'date-time' } as const;
export const nullableTime = { type: ['string', 'null'], format: 'date-time' } as const;
export const share = { type: 'number', minimum: 0, maximum: 1 } as const;
export const count = { type: 'integer', minimum: 0 } as const;
export const anything = {} as const;
export const strict = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});
export const texts = { type: 'array', items: text } as const;
export const nullableNumber = { type: ['number', 'null'] } as const;
