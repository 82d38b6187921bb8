import type { Prng } from '../random/prng.js';
import { cutOffNormal, normalCdf } from './normal-distribution.js';
import type { Parameter } from './search-space.js';
import { cellOf, valueAt, valueCount } from './unit-cube.js';

/** No kernel is narrower than this share of a parameter's range. */
const LEAST_WIDTH = 0.02;
const HALF_LOG_2_PI = 0.5 * Math.log(2 * Math.PI);

/** A place in the unit cube with the cell of its value, where values have cells. */
export interface Candidate {
  readonly point: Float64Array;
  readonly cells: readonly ({ from: number; to: number } | undefined)[];
}

/** What is to be known of a point to take densities at it. */
export function candidateAt(parameters: readonly Parameter[], point: Float64Array): Candidate {
  return { point, cells: parameters.map((parameter, d) => cellOf(parameter, valueAt(parameter, point[d]!))) };
}

/**
 * A density over the unit cube (J. Bergstra et al., "Algorithms for hyper-parameter optimization", NIPS 2011; of all dimensions
 * together as in S. Falkner, A. Klein and F. Hutter, "BOHB", ICML 2018): a kernel an observation and a flat one over everything. A kernel
 * is the product over the dimensions of a normal cut off at 0 and 1, or over a list of most weight on the value seen. How wide the normals
 * are follows from how far apart the observations lie (D. W. Scott 1992), so they narrow as the search closes in.
 */
export class ParzenEstimator {
  private readonly widths: Float64Array;
  /** Of a list the share of a kernel that is spread over all its values; 0 for numbers. */
  private readonly flatShares: Float64Array;
  private readonly cumulative: Float64Array;
  /** By kernel the logarithm of its weight over the mass that its normals keep inside the cube; the flat one is last. */
  private readonly logScales: Float64Array;

  /**
   * @param points observations, a coordinate a parameter; may be empty
   * @param weights one an observation, above 0
   * @param priorWeight of the flat kernel, in observations of weight 1
   */
  constructor(
    private readonly parameters: readonly Parameter[],
    private readonly points: readonly Float64Array[],
    weights: Float64Array,
    priorWeight: number,
  ) {
    const total = weights.reduce((a, b) => a + b, priorWeight);
    let sum = 0;
    this.cumulative = weights.map((weight) => (sum += weight / total));
    this.widths = Float64Array.from(parameters, (_, d) => kernelWidth(points, d, parameters.length, priorWeight));
    this.flatShares = Float64Array.from(parameters, (parameter) => {
      const flat = parameter.type === 'categorical' ? valueCount(parameter) * priorWeight : 0;
      return flat / (points.length + flat);
    });
    this.logScales = new Float64Array(points.length + 1);
    this.logScales[points.length] = Math.log(priorWeight / total);
    points.forEach((point, k) => (this.logScales[k] = Math.log(weights[k]! / total) - this.logKept(point)));
  }

  private logKept(point: Float64Array): number {
    let log = 0;
    this.parameters.forEach(({ type }, d) => {
      if (type === 'categorical') return;
      const width = this.widths[d]!;
      log += Math.log(normalCdf((1 - point[d]!) / width) - normalCdf(-point[d]! / width));
      if (type === 'float') log += Math.log(width) + HALF_LOG_2_PI;
    });
    return log;
  }

  /** Draws a point. */
  draw(prng: Prng): Float64Array {
    const place = prng.next();
    const kernel = this.cumulative.findIndex((end) => place < end);
    const middle = this.points[kernel];
    return Float64Array.from(this.parameters, ({ type }, d) => {
      if (!middle) return prng.next();
      if (type === 'categorical') return prng.next() < this.flatShares[d]! ? prng.next() : middle[d]!;
      return cutOffNormal(middle[d]!, this.widths[d]!, 0, 1, prng.next());
    });
  }

  /** The logarithm of the density: of places for floats, of the mass of the cell for ints and lists. */
  logDensity({ point, cells }: Candidate): number {
    const terms = this.logScales.slice();
    const flat = this.points.length;
    for (let d = 0; d < this.parameters.length; d++) {
      const cell = cells[d];
      if (cell) terms[flat]! += Math.log(cell.to - cell.from);
      const width = this.widths[d]!;
      if (this.parameters[d]!.type === 'categorical') this.addList(terms, d, cell!);
      else if (cell) {
        for (let k = 0; k < flat; k++) {
          const middle = this.points[k]![d]!;
          const mass = normalCdf((cell.to - middle) / width) - normalCdf((cell.from - middle) / width);
          terms[k]! += Math.log(Math.max(mass, 1e-300));
        }
      } else for (let k = 0; k < flat; k++) terms[k]! -= 0.5 * ((point[d]! - this.points[k]![d]!) / width) ** 2;
    }
    let most = -Infinity;
    for (const term of terms) if (term > most) most = term;
    let sum = 0;
    for (const term of terms) sum += Math.exp(term - most);
    return most + Math.log(sum);
  }

  private addList(terms: Float64Array, d: number, cell: { from: number; to: number }): void {
    const share = this.flatShares[d]!;
    const other = share * (cell.to - cell.from);
    for (let k = 0; k < this.points.length; k++) {
      const middle = this.points[k]![d]!;
      terms[k]! += Math.log(middle >= cell.from && middle < cell.to ? 1 - share + other : other);
    }
  }
}

/**
 * Scott's rule, with the spread of an even distribution mixed in as `priorWeight` observations: few points that happen to lie close
 * together say little about how close the best lies.
 */
function kernelWidth(points: readonly Float64Array[], d: number, dimensions: number, priorWeight: number): number {
  const count = points.length + priorWeight;
  let mean = 0.5 * priorWeight;
  for (const point of points) mean += point[d]!;
  mean /= count;
  let squares = priorWeight * (1 / 12 + (0.5 - mean) ** 2);
  for (const point of points) squares += (point[d]! - mean) ** 2;
  const width = Math.sqrt(squares / count) * Math.max(1, points.length) ** (-1 / (dimensions + 4));
  return Math.max(LEAST_WIDTH, width);
}
