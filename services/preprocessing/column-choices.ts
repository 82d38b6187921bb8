import type { FieldProblem } from '../../core/errors.js';
import type { PreprocessingConfig } from '../../core/schemas/preprocessing.js';
import { NO_CHOICES, type ColumnChoices } from '../../ml/preprocess/column-choices.js';

/** What is asked for one column: its own choices over those for all. */
export function askedFor(config: PreprocessingConfig, column: string) {
  const own = Object.hasOwn(config.columns, column) ? config.columns[column]! : {};
  const { normalize: _, columns: __, ...all } = config;
  return { ...all, ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) } as Omit<
    PreprocessingConfig,
    'normalize' | 'columns'
  >;
}

/** The method alone, however it was written. */
export const methodOf = (encode: PreprocessingConfig['encode']) =>
  (typeof encode === 'string' ? encode : encode?.method) ?? 'none';

/** The choices in the terms of the encoder; what is not asked for is as without any. */
export function choicesFor(config: PreprocessingConfig, column: string): ColumnChoices {
  const {
    handle_missing: missing,
    fill_value: fill,
    feature_scaling: scaling,
    encode,
    outliers,
  } = askedFor(config, column);
  const methods = {
    none: 'ordinal',
    ordinal: 'ordinal',
    one_hot: 'one-hot',
    frequency: 'frequency',
    target: 'target',
  } as const;
  return {
    missing: missing ?? NO_CHOICES.missing,
    fillNumber: typeof fill === 'number' ? fill : NO_CHOICES.fillNumber,
    fillText: fill === undefined ? NO_CHOICES.fillText : String(fill),
    scaling: scaling ?? NO_CHOICES.scaling,
    encoding: methods[methodOf(encode)],
    smoothing: (typeof encode === 'object' ? encode.smoothing : undefined) ?? NO_CHOICES.smoothing,
    mostCategories: (typeof encode === 'object' ? encode.max_categories : undefined) ?? NO_CHOICES.mostCategories,
    ...(outliers && outliers.method !== 'none'
      ? {
          outliers: {
            action: outliers.method,
            bounds:
              outliers.by === 'iqr'
                ? { by: 'iqr', factor: outliers.factor }
                : { by: 'quantiles', lower: outliers.lower, upper: outliers.upper },
          },
        }
      : {}),
  };
}

/** Columns that choices are made for and that there are none of. @param path of the config in the request or the entry */
export function unknownColumns(config: PreprocessingConfig, columns: readonly string[], path: string): FieldProblem[] {
  return Object.keys(config.columns)
    .filter((name) => !columns.includes(name))
    .map((name) => ({
      path: `${path}.columns.${name}`,
      message: `is no column that is prepared; those are: ${columns.slice(0, 50).join(', ')}`,
    }));
}
