import { ServiceError, type FieldProblem } from '../../core/errors.js';

/** The refusal of features that a model does not know or cannot read. @param names the features that it has */
export function invalidFeatures(problems: readonly FieldProblem[], names: readonly string[]): ServiceError {
  return new ServiceError(
    'request_invalid',
    `${problems.length} feature${problems.length === 1 ? ' does' : 's do'} not fit the model. Its features: ${names.join(', ')}.`,
    problems,
  );
}
