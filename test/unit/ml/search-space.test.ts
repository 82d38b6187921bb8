import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import {
  checkConfiguration,
  isActive,
  parseSearchSpace,
  searchSpaceJson,
  type ParameterValue,
} from '../../../ml/search/search-space.js';
import { cellOf, configurationAt, pointOf, unitOf, valueAt, valueCount } from '../../../ml/search/unit-cube.js';
import { anySpace } from './search-spaces.js';

const BOOSTING = {
  learning_rate: { type: 'float', low: 0.005, high: 0.5, log: true },
  leaves: { type: 'int', low: 2, high: 64, log: true },
  rows: { type: 'int', low: 10, high: 100, step: 20 },
  booster: { type: 'categorical', choices: ['trees', 'linear', null] },
  depth: { type: 'int', low: 1, high: 8, when: { parameter: 'booster', in: ['trees'] } },
} as const;

describe('a search space', () => {
  it('is the same whatever the order it is written in, with its defaults written out', () => {
    const turned = Object.fromEntries(Object.entries(BOOSTING).reverse());
    const space = parseSearchSpace(BOOSTING);
    expect(parseSearchSpace(turned)).toEqual(space);
    expect(JSON.stringify(searchSpaceJson(parseSearchSpace(turned)))).toBe(JSON.stringify(searchSpaceJson(space)));
    expect(parseSearchSpace(searchSpaceJson(space))).toEqual(space);
    expect(searchSpaceJson(space)['rows']).toEqual({ type: 'int', low: 10, high: 100, log: false, step: 20 });
    expect(space.parameters.map(({ name }) => name)).toEqual(['booster', 'depth', 'learning_rate', 'leaves', 'rows']);
  });

  it.each([
    [[], /space is \[\] but must be an object/],
    [{}, /space is empty/],
    [{ 'a b': {} }, /space has a parameter "a b"/],
    [{ a: 3 }, /space\.a is 3 but must be an object/],
    [{ a: { type: 'real' } }, /space\.a\.type is "real"/],
    [{ a: { type: 'float', low: 1, high: 2, step: 1 } }, /space\.a\.step is not known for type float/],
    [{ a: { type: 'float', low: 1, high: NaN } }, /space\.a\.high is NaN but must be a finite number/],
    [{ a: { type: 'float', low: '1', high: 2 } }, /space\.a\.low is "1"/],
    [{ a: { type: 'float', low: 2, high: 2 } }, /space\.a\.low is 2 but must be below space\.a\.high/],
    [{ a: { type: 'float', low: -1e308, high: 1e308 } }, /too wide/],
    [{ a: { type: 'float', low: 0, high: 2, log: true } }, /space\.a\.low is 0 but must be above 0/],
    [{ a: { type: 'float', low: 0, high: 2, log: 1 } }, /space\.a\.log is 1/],
    [{ a: { type: 'int', low: 0.5, high: 2 } }, /space\.a\.low is 0\.5 but must be a whole number/],
    [{ a: { type: 'int', low: 1, high: 9, step: 9 } }, /space\.a\.step is 9 but must be from 1 to high - low = 8/],
    [{ a: { type: 'int', low: 1, high: 9, step: 2, log: true } }, /space\.a\.step is 2 but must be 1/],
    [{ a: { type: 'categorical', choices: [] } }, /space\.a\.choices is \[\]/],
    [{ a: { type: 'categorical', choices: [1, 1] } }, /space\.a\.choices has 1 twice/],
    [{ a: { type: 'categorical', choices: [[1]] } }, /space\.a\.choices\[0\] is \[1\]/],
    [{ a: { ...BOOSTING.rows, when: { parameter: 'b', in: [1] } } }, /space\.a\.when\.parameter is "b"/],
    [{ ...BOOSTING, depth: { ...BOOSTING.depth, when: { parameter: 'rows', in: [1] } } }, /must be a categorical/],
    [{ ...BOOSTING, depth: { ...BOOSTING.depth, when: { parameter: 'booster', in: [1] } } }, /in has 1, which is no/],
    [
      {
        a: { type: 'categorical', choices: [1, 2], when: { parameter: 'b', in: [1] } },
        b: { type: 'categorical', choices: [1, 2], when: { parameter: 'a', in: [1] } },
      },
      /conditions of a, b go round in a circle/,
    ],
  ])('%j is refused with the place and what must stand there', (input, message) => {
    expect(() => parseSearchSpace(input)).toThrow(RangeError);
    expect(() => parseSearchSpace(input)).toThrow(message);
  });

  it('refuses more parameters than a search can take', () => {
    const many = Array.from({ length: 65 }, (_, i) => [`p${i}`, { type: 'float', low: 0, high: 1 }]);
    expect(() => parseSearchSpace(Object.fromEntries(many))).toThrow(/65 parameters: at most 64/);
  });

  it.each<[Record<string, ParameterValue>, RegExp]>([
    [{ booster: 'linear', depth: 3, leaves: 4, learning_rate: 0.1, rows: 10 }, /depth is set, but booster/],
    [{ booster: 'trees', leaves: 4, learning_rate: 0.1, rows: 10 }, /depth is missing/],
    [{ booster: 'linear', leaves: 4.5, learning_rate: 0.1, rows: 10 }, /leaves is 4\.5 but must be a whole number/],
    [{ booster: 'linear', leaves: 4, learning_rate: 0.1, rows: 20 }, /rows is 20 .* in steps of 20/],
    [{ booster: 'forest', leaves: 4, learning_rate: 0.1, rows: 10 }, /booster is "forest" but must be one of/],
    [{ booster: 'linear', leaves: 4, learning_rate: 2, rows: 10 }, /learning_rate is 2 but must be a number from/],
    [{ booster: 'linear', leaves: 4, learning_rate: 0.1, rows: 10, x: 1 }, /x is no parameter/],
  ])('refuses the configuration %j', (configuration, message) => {
    expect(() => checkConfiguration(parseSearchSpace(BOOSTING), configuration)).toThrow(message);
  });
});

describe('places of the unit cube', () => {
  it('give each value of an int or a list its own cell, and the cells cover [0, 1]', () => {
    for (const parameter of parseSearchSpace(BOOSTING).parameters) {
      if (parameter.type === 'float') continue;
      const values: ParameterValue[] = [];
      for (let unit = 0; unit < 1; unit += 1e-3) {
        const value = valueAt(parameter, unit);
        if (!values.includes(value)) values.push(value);
      }
      expect(values).toHaveLength(valueCount(parameter));
      let end = 0;
      for (const value of values) {
        const cell = cellOf(parameter, value)!;
        // Cells of a log scale are found by logarithms, whose rounding is all that may part them.
        expect(cell.from).toBeCloseTo(end, 12);
        end = cell.to;
        expect(valueAt(parameter, unitOf(parameter, value))).toBe(value);
      }
      expect(end).toBeCloseTo(1, 12);
    }
  });

  it('spread a float evenly over its scale', () => {
    const [parameter] = parseSearchSpace({ a: BOOSTING.learning_rate }).parameters;
    expect(valueAt(parameter!, 0.5)).toBeCloseTo(0.05, 12);
    expect([valueAt(parameter!, 0), valueAt(parameter!, 1), valueAt(parameter!, 7)]).toEqual([0.005, 0.5, 0.5]);
  });

  it('are configurations of any space, there and back', () => {
    fc.assert(
      fc.property(anySpace, fc.integer(), (json, seed) => {
        const space = parseSearchSpace(json);
        const prng = createPrng(seed);
        const configuration = configurationAt(
          space,
          space.parameters.map(() => prng.next()),
        );
        checkConfiguration(space, configuration);
        const point = pointOf(space, configuration);
        space.parameters.forEach((parameter, at) => {
          const value = configuration[parameter.name];
          expect(value === undefined).toBe(!isActive(parameter, configuration));
          if (value === undefined) expect(point[at]).toBeNaN();
          // A float goes through a logarithm and back: equal but for rounding.
          else if (parameter.type === 'float') expect(valueAt(parameter, point[at]!)).toBeCloseTo(value as number, 9);
          else expect(valueAt(parameter, point[at]!)).toBe(value);
        });
      }),
    );
  });

  it('refuse a point with too few coordinates', () => {
    expect(() => configurationAt(parseSearchSpace(BOOSTING), [0.1])).toThrow(/5 coordinates, got 1/);
  });
});
