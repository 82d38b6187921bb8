import type { FieldProblem } from '../../core/errors.js';
import { parseSearchSpace, type Parameter, type SearchSpace } from '../../ml/search/search-space.js';

/**
 * What of a space lies outside of all that a kind can search.
 * @param whole the largest space, as `parseSearchSpace` reads it
 */
export function checkWithin(space: SearchSpace, whole: Record<string, unknown>): FieldProblem[] {
  const known = new Map(parseSearchSpace(whole).parameters.map((parameter) => [parameter.name, parameter]));
  return space.parameters.flatMap((parameter) => {
    const widest = known.get(parameter.name);
    if (!widest)
      return [
        { path: parameter.name, message: `is nothing that can be searched; that is: ${[...known.keys()].join(', ')}` },
      ];
    const message = outsideOf(parameter, widest);
    return message ? [{ path: parameter.name, message }] : [];
  });
}

function outsideOf(parameter: Parameter, widest: Parameter): string | undefined {
  if (widest.type === 'categorical') {
    if (parameter.type !== 'categorical') return 'must be categorical';
    const wrong = parameter.choices.find((choice) => !widest.choices.includes(choice));
    return wrong === undefined
      ? undefined
      : `has ${JSON.stringify(wrong)}, but its choices are ${widest.choices.map((choice) => JSON.stringify(choice)).join(', ')}`;
  }
  if (parameter.type === 'categorical') {
    const wrong = parameter.choices.find((choice) => !isWithin(choice, widest));
    return wrong === undefined ? undefined : `has ${JSON.stringify(wrong)}, but must be ${rangeOf(widest)}`;
  }
  if (widest.type === 'int' && parameter.type !== 'int') return 'must be int';
  return isWithin(parameter.low, widest) && isWithin(parameter.high, widest) ? undefined : `must be ${rangeOf(widest)}`;
}

type Range = Exclude<Parameter, { type: 'categorical' }>;

const isWithin = (value: unknown, { type, low, high }: Range) =>
  typeof value === 'number' && value >= low && value <= high && (type === 'float' || Number.isInteger(value));

const rangeOf = ({ type, low, high }: Range) =>
  `${type === 'int' ? 'whole numbers' : 'numbers'} from ${low} to ${high}`;
