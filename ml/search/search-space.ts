/** What a parameter can be set to; plain JSON. */
export type ParameterValue = number | string | boolean | null;

/** One setting of a search space: a value for each parameter that is active in it. */
export type Configuration = Readonly<Record<string, ParameterValue>>;

/** A parameter with this is active only where another one is active and has one of these values. */
export interface Condition {
  /** A categorical parameter. */
  readonly parameter: string;
  readonly in: readonly ParameterValue[];
}

/** A number of [low, high]; with `log` spread evenly over its logarithm. */
export interface FloatParameter {
  readonly type: 'float';
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  readonly when?: Condition;
}

/** A whole number of low, low + step, … up to high; with `log` (then the step is 1) spread evenly over its logarithm. */
export interface IntParameter {
  readonly type: 'int';
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  readonly step: number;
  readonly when?: Condition;
}

/** One of a list of values that have no order. */
export interface CategoricalParameter {
  readonly type: 'categorical';
  readonly name: string;
  readonly choices: readonly ParameterValue[];
  readonly when?: Condition;
}

export type Parameter = FloatParameter | IntParameter | CategoricalParameter;

/** What a search draws from. */
export interface SearchSpace {
  /** Each parameter after the one its condition names, otherwise by name: the order never depends on how the space was written. */
  readonly parameters: readonly Parameter[];
}

/** Most parameters of a space; the Sobol sequence has as many dimensions. */
export const MOST_PARAMETERS = 64;
const MOST_CHOICES = 1000;
const NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,63}$/;
const FIELDS: Record<Parameter['type'], readonly string[]> = {
  float: ['type', 'low', 'high', 'log', 'when'],
  int: ['type', 'low', 'high', 'log', 'step', 'when'],
  categorical: ['type', 'choices', 'when'],
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a search space from plain JSON: parameters by name, each `{type: 'float', low, high, log?}`, `{type: 'int', low, high, log?, step?}`
 * or `{type: 'categorical', choices}`, and with `when: {parameter, in}` only for some values of a categorical one.
 * @param path how errors call the place, such as `search.space`
 * @throws RangeError that names the path, what stands there, and what must
 */
export function parseSearchSpace(input: unknown, path = 'space'): SearchSpace {
  const fields = requireObject(input, path);
  const names = Object.keys(fields).sort();
  if (names.length === 0) throw new RangeError(`${path} is empty: give it at least one parameter`);
  if (names.length > MOST_PARAMETERS)
    throw new RangeError(`${path} has ${names.length} parameters: at most ${MOST_PARAMETERS} can be searched at once`);
  const parameters = names.map((name) => {
    if (!NAME.test(name))
      throw new RangeError(`${path} has a parameter ${show(name)}: names are 1 to 64 letters, digits, "_" and "."`);
    return parseParameter(name, fields[name], `${path}.${name}`);
  });
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  for (const parameter of parameters) checkCondition(parameter, byName, `${path}.${parameter.name}.when`);
  return { parameters: orderParameters(parameters, path) };
}

/** The space as `parseSearchSpace` reads it, with every default written out: equal spaces give equal JSON. */
export function searchSpaceJson(space: SearchSpace): Record<string, Omit<Parameter, 'name'>> {
  const byName = [...space.parameters].sort((a, b) => (a.name < b.name ? -1 : 1));
  return Object.fromEntries(byName.map(({ name, ...rest }) => [name, rest]));
}

/** Whether a parameter has a value in this configuration; the parameter that its condition names must be set there already. */
export function isActive(parameter: Parameter, configuration: Configuration): boolean {
  const { when } = parameter;
  if (!when) return true;
  const value = configuration[when.parameter];
  return value !== undefined && when.in.includes(value);
}

/**
 * Refuses a configuration that could not have been drawn from the space.
 * @throws RangeError that names the parameter, its value and what is allowed
 */
export function checkConfiguration(space: SearchSpace, configuration: Configuration): void {
  const known = new Set(space.parameters.map((parameter) => parameter.name));
  for (const name of Object.keys(configuration))
    if (!known.has(name)) throw new RangeError(`${name} is no parameter of the space: leave it out`);
  for (const parameter of space.parameters) {
    const { name } = parameter;
    const value = configuration[name];
    if (!isActive(parameter, configuration)) {
      if (value !== undefined)
        throw new RangeError(`${name} is set, but ${parameter.when?.parameter} has a value that leaves it out`);
      continue;
    }
    if (value === undefined) throw new RangeError(`${name} is missing: give it a value`);
    const allowed = allowedValues(parameter, value);
    if (allowed) throw new RangeError(`${name} is ${show(value)} but must be ${allowed}`);
  }
}

/** What a parameter allows, where the value is not of it. */
function allowedValues(parameter: Parameter, value: ParameterValue): string | undefined {
  if (parameter.type === 'categorical')
    return parameter.choices.includes(value) ? undefined : `one of ${show(parameter.choices)}`;
  const { low, high } = parameter;
  const isInside = typeof value === 'number' && value >= low && value <= high;
  if (parameter.type === 'float') return isInside ? undefined : `a number from ${low} to ${high}`;
  const isOnGrid = isInside && Number.isInteger((value - low) / parameter.step);
  return isOnGrid ? undefined : `a whole number from ${low} to ${high} in steps of ${parameter.step}`;
}

function parseParameter(name: string, input: unknown, path: string): Parameter {
  const fields = requireObject(input, path);
  const { type } = fields;
  if (type !== 'float' && type !== 'int' && type !== 'categorical')
    throw new RangeError(`${path}.type is ${show(type)} but must be "float", "int" or "categorical"`);
  for (const field of Object.keys(fields))
    if (!FIELDS[type].includes(field))
      throw new RangeError(`${path}.${field} is not known for type ${type}: leave it out`);
  const when = fields['when'] === undefined ? {} : { when: parseCondition(fields['when'], `${path}.when`) };
  if (type === 'categorical')
    return { type, name, choices: parseChoices(fields['choices'], `${path}.choices`), ...when };
  const range = parseRange(fields, type === 'int', path);
  if (type === 'float') return { type, name, ...range, ...when };
  return { type, name, ...range, step: parseStep(fields, range, path), ...when };
}

function parseRange(fields: Fields, isWhole: boolean, path: string): { low: number; high: number; log: boolean } {
  const low = requireNumber(fields['low'], isWhole, `${path}.low`);
  const high = requireNumber(fields['high'], isWhole, `${path}.high`);
  if (!(low < high))
    throw new RangeError(
      `${path}.low is ${low} but must be below ${path}.high, which is ${high}: to fix it, set it outside`,
    );
  if (!Number.isFinite(high - low)) throw new RangeError(`${path} goes from ${low} to ${high}: that is too wide`);
  const log = requireFlag(fields['log'], `${path}.log`);
  if (log && !(low > 0)) throw new RangeError(`${path}.low is ${low} but must be above 0, because log is true`);
  return { low, high, log };
}

function parseStep(fields: Fields, range: { low: number; high: number; log: boolean }, path: string): number {
  if (fields['step'] === undefined) return 1;
  const step = requireNumber(fields['step'], true, `${path}.step`);
  if (step < 1 || step > range.high - range.low)
    throw new RangeError(`${path}.step is ${step} but must be from 1 to high - low = ${range.high - range.low}`);
  if (range.log && step !== 1) throw new RangeError(`${path}.step is ${step} but must be 1, because log is true`);
  return step;
}

function parseChoices(input: unknown, path: string): readonly ParameterValue[] {
  const choices = requireScalars(input, path);
  if (choices.length > MOST_CHOICES)
    throw new RangeError(`${path} has ${choices.length} values: at most ${MOST_CHOICES} can be searched`);
  return choices;
}

function parseCondition(input: unknown, path: string): Condition {
  const fields = requireObject(input, path);
  for (const field of Object.keys(fields))
    if (field !== 'parameter' && field !== 'in') throw new RangeError(`${path}.${field} is not known: leave it out`);
  const { parameter } = fields;
  if (typeof parameter !== 'string')
    throw new RangeError(`${path}.parameter is ${show(parameter)} but must be the name of a categorical parameter`);
  return { parameter, in: requireScalars(fields['in'], `${path}.in`) };
}

function checkCondition({ when }: Parameter, byName: ReadonlyMap<string, Parameter>, path: string): void {
  if (!when) return;
  const parent = byName.get(when.parameter);
  if (parent?.type !== 'categorical')
    throw new RangeError(
      `${path}.parameter is ${show(when.parameter)} but must be a categorical parameter of the space`,
    );
  for (const value of when.in)
    if (!parent.choices.includes(value))
      throw new RangeError(
        `${path}.in has ${show(value)}, which is no choice of ${parent.name}: ${show(parent.choices)}`,
      );
}

/** Parents first, otherwise by name. */
function orderParameters(parameters: readonly Parameter[], path: string): Parameter[] {
  const ordered: Parameter[] = [];
  const placed = new Set<string>();
  while (ordered.length < parameters.length) {
    const next = parameters.find(({ name, when }) => !placed.has(name) && (!when || placed.has(when.parameter)));
    if (!next) {
      const circle = parameters.filter(({ name }) => !placed.has(name)).map(({ name }) => name);
      throw new RangeError(
        `${path}: the conditions of ${circle.join(', ')} go round in a circle: leave one of them out`,
      );
    }
    ordered.push(next);
    placed.add(next.name);
  }
  return ordered;
}

function requireObject(input: unknown, path: string): Fields {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new RangeError(`${path} is ${show(input)} but must be an object`);
  return input as Fields;
}

function requireNumber(input: unknown, isWhole: boolean, path: string): number {
  const isRight = typeof input === 'number' && (isWhole ? Number.isSafeInteger(input) : Number.isFinite(input));
  if (!isRight) throw new RangeError(`${path} is ${show(input)} but must be a ${isWhole ? 'whole' : 'finite'} number`);
  return input;
}

function requireFlag(input: unknown, path: string): boolean {
  if (input === undefined) return false;
  if (typeof input !== 'boolean') throw new RangeError(`${path} is ${show(input)} but must be true or false`);
  return input;
}

function requireScalars(input: unknown, path: string): readonly ParameterValue[] {
  if (!Array.isArray(input) || input.length === 0)
    throw new RangeError(`${path} is ${show(input)} but must be a list of at least one value`);
  const values = input as readonly unknown[];
  values.forEach((value, at) => {
    const isScalar = value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
    if (!isScalar)
      throw new RangeError(`${path}[${at}] is ${show(value)} but must be a text, a finite number, true, false or null`);
    if (values.indexOf(value) !== at) throw new RangeError(`${path} has ${show(value)} twice: leave one out`);
  });
  return values as readonly ParameterValue[];
}

function show(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
