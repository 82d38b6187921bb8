import { UNSTORED_DATE_PARTS, type DateParts } from '../../ml/preprocess/date-parts.js';
import type { EncodedFeature, TableEncoder } from '../../ml/preprocess/table-encoder.js';
import type { GraphBuilder, Name } from './graph-builder.js';

/** The encoded features of all rows, for the parts of the graph that read them. */
export interface FeatureGraph {
  /** `[rows, columns]`, NaN = missing: the matrix that the models were fitted on. */
  matrix: Name;
  columns: readonly Name[];
  /** By matrix column of category codes: int64 `[rows, 1]`, the code + 1, 0 for missing and unknown values. */
  codes: ReadonlyMap<number, Name>;
  /** By the same column how many codes there are. */
  codeCounts: ReadonlyMap<number, number>;
}

/**
 * One input a feature, by its name: numbers, truth values (0 or 1) and moments (milliseconds since 1970, UTC) as doubles with NaN for
 * missing; categories as strings with '' for missing.
 */
export function addFeatures(graph: GraphBuilder, encoder: TableEncoder): FeatureGraph {
  const columns: Name[] = [];
  const codes = new Map<number, Name>();
  const codeCounts = new Map<number, number>();
  for (const feature of encoder.features) {
    if (feature.type !== 'category') {
      const input = graph.input(feature.name, 'double');
      if (feature.type === 'date') columns.push(...addDateParts(graph, input, feature.date ?? UNSTORED_DATE_PARTS));
      else columns.push(input);
      continue;
    }
    const { number, values } = addCategory(graph, feature);
    if (feature.encoding === 'one-hot') {
      const cells = graph.lookUp(oneHotTable(feature.width), feature.width, number);
      columns.push(...Array.from({ length: feature.width }, (_, at) => graph.columns(cells, [at])));
      continue;
    }
    codes.set(feature.start, number);
    codeCounts.set(feature.start, values);
    columns.push(graph.lookUp([NaN, ...Array.from({ length: values }, (_, code) => code)], 1, number));
  }
  return { matrix: graph.concat(columns), columns, codes, codeCounts };
}

function addCategory(graph: GraphBuilder, { name, categories }: EncodedFeature): { number: Name; values: number } {
  const input = graph.input(name, 'string');
  const values = categories!.length;
  const number = graph.ml('LabelEncoder', [input], {
    // The format has no empty table; nobody sends a NUL.
    keys_strings: values > 0 ? categories!.map(({ value }) => value) : ['\0'],
    values_int64s: values > 0 ? categories!.map((_, code) => code + 1) : [0],
    default_int64: 0,
  });
  return { number, values };
}

/** Unknown values are missing in each column. */
function oneHotTable(width: number): Float64Array {
  const table = new Float64Array((width + 1) * width);
  table.fill(NaN, 0, width);
  for (let code = 0; code < width; code++) table[(code + 1) * width + code] = 1;
  return table;
}

/** As `writeDateParts` has them. Year, month and day are those of the proleptic Gregorian calendar, by whole numbers only (Hinnant). */
function addDateParts(graph: GraphBuilder, moment: Name, { parts, origin }: DateParts): Name[] {
  const n = graph.number;
  const floorOf = (a: Name, by: number) => graph.floor(graph.divide(a, n(by)));
  const times = (a: Name, by: number) => graph.multiply(a, n(by));
  const plus = (a: Name, by: number) => graph.add(a, n(by));
  const rest = (a: Name, by: number) => graph.subtract(a, times(floorOf(a, by), by));
  const day = floorOf(moment, 86_400_000);
  const weekday = rest(plus(day, 3), 7);
  const z = plus(day, 719_468);
  const era = floorOf(z, 146_097);
  const dayOfEra = graph.subtract(z, times(era, 146_097));
  const leaps = graph.subtract(
    graph.add(graph.subtract(dayOfEra, floorOf(dayOfEra, 1460)), floorOf(dayOfEra, 36_524)),
    floorOf(dayOfEra, 146_096),
  );
  const yearOfEra = floorOf(leaps, 365);
  const daysBefore = graph.subtract(graph.add(times(yearOfEra, 365), floorOf(yearOfEra, 4)), floorOf(yearOfEra, 100));
  const dayOfYear = graph.subtract(dayOfEra, daysBefore);
  const shifted = floorOf(plus(times(dayOfYear, 5), 2), 153);
  const month = graph.where(graph.node('Less', [shifted, n(10)]), plus(shifted, 3), plus(shifted, -9));
  const isEarly = graph.where(graph.node('LessOrEqual', [month, n(2)]), n(1), n(0));
  const of: Record<DateParts['parts'][number], () => Name> = {
    days: () => plus(day, -origin),
    weekday: () => weekday,
    month: () => month,
    hour: () => floorOf(graph.subtract(moment, times(day, 86_400_000)), 3_600_000),
    year: () => graph.add(graph.add(yearOfEra, times(era, 400)), isEarly),
    day: () => plus(graph.subtract(dayOfYear, floorOf(plus(times(shifted, 153), 2), 5)), 1),
    weekend: () =>
      graph.where(
        graph.isMissing(weekday),
        weekday,
        graph.where(graph.node('GreaterOrEqual', [weekday, n(5)]), n(1), n(0)),
      ),
  };
  return parts.map((part) => of[part]());
}
