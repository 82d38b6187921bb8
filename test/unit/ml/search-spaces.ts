import fc from 'fast-check';

const numeric = fc.oneof(
  fc
    .tuple(fc.double({ min: -1e3, max: 1e3, noNaN: true }), fc.double({ min: 1e-3, max: 1e3, noNaN: true }))
    .map(([low, width]) => ({ type: 'float', low, high: low + width })),
  fc
    .tuple(fc.double({ min: 1e-6, max: 10, noNaN: true }), fc.double({ min: 1.01, max: 1e4, noNaN: true }))
    .map(([low, factor]) => ({ type: 'float', low, high: low * factor, log: true })),
  fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 7 }))
    .map(([low, width, step]) => ({ type: 'int', low, high: low + width, step: Math.min(step, width) })),
  fc
    .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 500 }))
    .map(([low, width]) => ({ type: 'int', low, high: low + width, log: true })),
);

/** Spaces as JSON: up to four numbers and a list, some of the numbers only for some values of the list. */
export const anySpace = fc
  .tuple(fc.array(fc.tuple(numeric, fc.boolean()), { minLength: 1, maxLength: 4 }), fc.integer({ min: 2, max: 4 }))
  .map(([numbers, count]) => ({
    kind: { type: 'categorical', choices: ['a', 'b', null, true].slice(0, count) },
    ...Object.fromEntries(
      numbers.map(([parameter, isConditional], at) => [
        `p${at}`,
        isConditional ? { ...parameter, when: { parameter: 'kind', in: ['b'] } } : parameter,
      ]),
    ),
  }));
