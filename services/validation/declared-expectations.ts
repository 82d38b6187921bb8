import { expectationSchema, type Expectation } from '../../core/schemas/expectation.js';
import type { ColumnExpectation, DataType } from '../../core/schemas/model-config.js';

/** All that models/data-types.yaml expects of a data type: what it says of single columns, and its list. */
export function declaredExpectations(dataType: DataType | undefined): Expectation[] {
  if (!dataType) return [];
  return [...Object.entries(dataType.columns).flatMap(([name, one]) => ofColumn(name, one)), ...dataType.expectations];
}

function ofColumn(column: string, expected: ColumnExpectation): Expectation[] {
  const { minimum, maximum } = expected;
  const said: unknown[] = [
    ...(expected.type === undefined ? [] : [{ check: 'type', column, type: expected.type }]),
    ...(expected.required ? [{ check: 'not_null', column }] : []),
    ...(minimum === undefined && maximum === undefined ? [] : [{ check: 'range', column, minimum, maximum }]),
    ...(expected.values ? [{ check: 'set', column, values: expected.values }] : []),
    ...(expected.pattern === undefined ? [] : [{ check: 'pattern', column, pattern: expected.pattern }]),
    ...(expected.unique ? [{ check: 'unique', columns: [column] }] : []),
  ];
  return said.map((one) => expectationSchema.parse(one));
}
