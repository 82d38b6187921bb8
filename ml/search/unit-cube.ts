import type { Configuration, Parameter, ParameterValue, SearchSpace } from './search-space.js';
import { isActive } from './search-space.js';

/** A stretch of [0, 1]. */
export interface UnitCell {
  readonly from: number;
  readonly to: number;
}

/** How many values a parameter has; Infinity for a float. */
export function valueCount(parameter: Parameter): number {
  if (parameter.type === 'categorical') return parameter.choices.length;
  if (parameter.type === 'float') return Infinity;
  return Math.floor((parameter.high - parameter.low) / parameter.step) + 1;
}

/**
 * The value that stands at a place of [0, 1]. Every value of an int or of a list has a cell of its own; cells of a log scale are
 * those of the numbers that round to it.
 * @param unit from 0 to 1; places outside are moved to the nearer end
 */
export function valueAt(parameter: Parameter, unit: number): ParameterValue {
  const place = Math.min(1, Math.max(0, unit));
  if (parameter.type === 'categorical') {
    const { choices } = parameter;
    return choices[Math.min(choices.length - 1, Math.floor(place * choices.length))]!;
  }
  const { low, high, log } = parameter;
  if (parameter.type === 'float') {
    // Through a logarithm the ends would come back a rounding error away.
    if (place === 0 || place === 1) return place === 0 ? low : high;
    const value = log ? Math.exp(Math.log(low) + place * (Math.log(high) - Math.log(low))) : low + place * (high - low);
    return Math.min(high, Math.max(low, value));
  }
  if (log) {
    const { from, width } = logSpan(low, high);
    return Math.min(high, Math.max(low, Math.round(Math.exp(from + place * width))));
  }
  const count = valueCount(parameter);
  return low + parameter.step * Math.min(count - 1, Math.floor(place * count));
}

/** The place of a value in [0, 1]; of an int or of a list the middle of its cell. */
export function unitOf(parameter: Parameter, value: ParameterValue): number {
  const cell = cellOf(parameter, value);
  if (cell) return (cell.from + cell.to) / 2;
  const { low, high, log } = parameter as { low: number; high: number; log: boolean };
  const number = value as number;
  const unit = log
    ? (Math.log(number) - Math.log(low)) / (Math.log(high) - Math.log(low))
    : (number - low) / (high - low);
  return Math.min(1, Math.max(0, unit));
}

/** The stretch of [0, 1] whose places mean this value; undefined for a float, whose values have no width. */
export function cellOf(parameter: Parameter, value: ParameterValue): UnitCell | undefined {
  if (parameter.type === 'float') return undefined;
  if (parameter.type === 'int' && parameter.log) {
    const { from, width } = logSpan(parameter.low, parameter.high);
    const number = value as number;
    return { from: (Math.log(number - 0.5) - from) / width, to: (Math.log(number + 0.5) - from) / width };
  }
  const count = valueCount(parameter);
  const at =
    parameter.type === 'int' ? ((value as number) - parameter.low) / parameter.step : parameter.choices.indexOf(value);
  return { from: at / count, to: (at + 1) / count };
}

function logSpan(low: number, high: number): { from: number; width: number } {
  const from = Math.log(low - 0.5);
  return { from, width: Math.log(high + 0.5) - from };
}

/**
 * The configuration at a point of the unit cube, one coordinate a parameter; those of parameters that are not active are not read.
 * @throws RangeError where the point has another number of coordinates
 */
export function configurationAt(space: SearchSpace, point: ArrayLike<number>): Configuration {
  if (point.length !== space.parameters.length)
    throw new RangeError(`a point of this space has ${space.parameters.length} coordinates, got ${point.length}`);
  const configuration: Record<string, ParameterValue> = {};
  space.parameters.forEach((parameter, at) => {
    if (isActive(parameter, configuration)) configuration[parameter.name] = valueAt(parameter, point[at]!);
  });
  return configuration;
}

/** The point of a configuration, NaN for parameters that are not active. */
export function pointOf(space: SearchSpace, configuration: Configuration): Float64Array {
  return Float64Array.from(space.parameters, (parameter) => {
    const value = configuration[parameter.name];
    return value === undefined ? NaN : unitOf(parameter, value);
  });
}
