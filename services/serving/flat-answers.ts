import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';
import type { AnswerColumn } from './scorer.js';

/** One part of the answers of many rows, under a flat name. */
export interface FlatAnswer {
  name: string;
  /** `numbers`: `width` numbers a row; `text` holds JSON where the part is a list or an object. */
  type: 'number' | 'numbers' | 'boolean' | 'text';
  width: number;
  /** An entry a row; null where a row has no such part. */
  values: unknown[];
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isScalar = (value: unknown) => value === null || typeof value !== 'object';
const areNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number');

/**
 * The answers as columns. An object of scalars, or of such objects, becomes a column a leaf: `interval.lower`. What a head is sure of
 * is `<head>.confidence`. Lists of as many numbers in every row stay numbers; other lists become JSON text.
 */
export function flattenAnswers(answers: readonly ShapedPrediction[]): FlatAnswer[] {
  const columns = new Map<string, unknown[]>();
  const put = (name: string, row: number, value: unknown): void => {
    let values = columns.get(name);
    if (!values) columns.set(name, (values = new Array<unknown>(answers.length).fill(null)));
    values[row] = value;
  };
  const walk = (name: string, row: number, value: unknown): void => {
    const isBranch = isPlain(value) && Object.values(value).every((item) => isScalar(item) || isPlain(item));
    if (isBranch) for (const [key, item] of Object.entries(value)) walk(`${name}.${key}`, row, item);
    else put(name, row, value);
  };
  answers.forEach(({ predictions }, row) => {
    for (const [head, value] of Object.entries(predictions)) walk(head, row, value);
  });
  answers.forEach(({ confidence_scores: scores }, row) => {
    for (const [head, score] of Object.entries(scores)) put(`${head}.confidence`, row, score);
  });
  return [...columns].map(([name, values]) => typed(name, values));
}

function typed(name: string, values: unknown[]): FlatAnswer {
  const present = values.filter((value) => value !== null && value !== undefined);
  const column = (type: FlatAnswer['type'], items: unknown[], width = 1) => ({ name, type, width, values: items });
  if (present.every((value) => typeof value === 'number')) return column('number', values);
  if (present.every((value) => typeof value === 'boolean')) return column('boolean', values);
  const width = areNumbers(present[0]) ? present[0].length : 0;
  if (width > 0 && present.length === values.length && present.every((v) => areNumbers(v) && v.length === width))
    return column('numbers', values, width);
  return column(
    'text',
    values.map((value) => (value === null || typeof value === 'string' ? value : JSON.stringify(value))),
  );
}

/** The same in the form that answers from columns have. */
export function answerColumnsOf(answers: readonly ShapedPrediction[]): AnswerColumn[] {
  return flattenAnswers(answers).map(({ name, type, values }) => {
    if (type === 'number')
      return { name, kind: 'number', values: Float64Array.from(values, (v) => (v as number | null) ?? NaN) };
    const texts = values.map((value) => (value === null ? '' : type === 'numbers' ? JSON.stringify(value) : value));
    const classes = [...new Set(texts)] as (string | boolean)[];
    const codeOf = new Map(classes.map((value, code) => [value, code]));
    return { name, kind: 'category', codes: Int32Array.from(texts, (text) => codeOf.get(text as string)!), classes };
  });
}
