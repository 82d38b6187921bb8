/** What a run is asked by: one of its own columns, or a name among its parameters or metrics. */
export type RunField =
  { kind: 'metric' | 'param'; name: string } | { kind: 'text' | 'number' | 'time'; name: keyof typeof COLUMNS };

export type RunValue = number | string | boolean;

export const COMPARISONS = ['=', '!=', '<', '<=', '>', '>=', 'contains'] as const;
export type Comparison = (typeof COMPARISONS)[number];

export type RunFilter =
  | { kind: 'and' | 'or'; terms: RunFilter[] }
  | { kind: 'not'; term: RunFilter }
  | { kind: 'compare'; field: RunField; comparison: Comparison; value: RunValue }
  | { kind: 'in'; field: RunField; values: RunValue[] }
  | { kind: 'null'; field: RunField };

/** The fields of a run that are neither parameter nor metric, and what they hold. */
export const COLUMNS = {
  run_id: 'text',
  kind: 'text',
  parent_id: 'text',
  model: 'text',
  status: 'text',
  version: 'text',
  code_version: 'text',
  dataset_id: 'text',
  wall_seconds: 'number',
  cpu_seconds: 'number',
  peak_memory_bytes: 'number',
  created_at: 'time',
  finished_at: 'time',
} as const;

const MOST_CHARACTERS = 2000;
const MOST_TERMS = 100;
const MOST_DEPTH = 20;

/** A filter that cannot be read. `position` counts characters from 1. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  constructor(
    readonly position: number,
    problem: string,
  ) {
    super(`character ${position}: ${problem}`);
  }
}

type TokenKind = 'word' | 'number' | 'text' | 'quoted' | 'sign' | 'end';
interface Token {
  kind: TokenKind;
  text: string;
  at: number;
}

const TOKEN =
  /\s*(?:(?<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_]))|(?<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)|(?<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<quoted>`[^`]+`)|(?<sign><=|>=|!=|<>|==|[=<>(),.]))/y;

function tokenise(source: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (;;) {
    const before = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (!match) {
      const at = before + /^\s*/.exec(source.slice(before))![0].length;
      if (at < source.length) throw new FilterError(at + 1, describeBad(source.slice(at)));
      return [...tokens, { kind: 'end', text: '', at: source.length + 1 }];
    }
    const [kind, text] = Object.entries(match.groups!).find(([, found]) => found !== undefined) as [TokenKind, string];
    tokens.push({ kind, text, at: TOKEN.lastIndex - text.length + 1 });
  }
}

function describeBad(rest: string): string {
  if (/^['"`]/.test(rest)) return `the text that begins with ${rest[0]} has no end`;
  return `${JSON.stringify(String.fromCodePoint(rest.codePointAt(0)!))} means nothing here`;
}

/**
 * Reads a filter of runs: comparisons such as `metrics.roc_auc > 0.8`, `params.max_depth = 10`, `status in ('failed', 'cancelled')`,
 * `version is not null` or `params.algorithm contains 'forest'`, put together with `and`, `or`, `not` and brackets. Names with other
 * characters stand in backquotes: metrics.`a b`.
 * @throws FilterError with the position of what cannot be read
 */
export function parseRunFilter(source: string): RunFilter {
  if (source.length > MOST_CHARACTERS)
    throw new FilterError(MOST_CHARACTERS + 1, `a filter has at most ${MOST_CHARACTERS} characters`);
  return new FilterParser(tokenise(source)).parse();
}

/** Reads what runs are sorted by, such as `metrics.roc_auc desc`; without a direction it is ascending. */
export function parseRunOrder(source: string): { field: RunField; isDescending: boolean } {
  if (source.length > MOST_CHARACTERS)
    throw new FilterError(MOST_CHARACTERS + 1, `an order has at most ${MOST_CHARACTERS} characters`);
  return new FilterParser(tokenise(source)).parseOrder();
}

class FilterParser {
  #next = 0;
  #terms = 0;
  constructor(private readonly tokens: readonly Token[]) {}

  parse(): RunFilter {
    const filter = this.#readChain('or', 0);
    this.#expectEnd('expected `and`, `or` or the end');
    return filter;
  }

  parseOrder(): { field: RunField; isDescending: boolean } {
    const field = this.#readField();
    const isDescending = this.#takeWord('desc');
    if (!isDescending) this.#takeWord('asc');
    this.#expectEnd('expected `asc`, `desc` or the end');
    return { field, isDescending };
  }

  #readChain(kind: 'or' | 'and', depth: number): RunFilter {
    const read = () => (kind === 'or' ? this.#readChain('and', depth) : this.#readTerm(depth));
    const terms = [read()];
    while (this.#takeWord(kind)) terms.push(read());
    return terms.length === 1 ? terms[0]! : { kind, terms };
  }

  #readTerm(depth: number): RunFilter {
    if (depth > MOST_DEPTH) throw this.#refuse(`brackets go at most ${MOST_DEPTH} deep`);
    if (this.#takeWord('not')) return { kind: 'not', term: this.#readTerm(depth + 1) };
    if (this.#takeSign('(')) {
      const filter = this.#readChain('or', depth + 1);
      if (!this.#takeSign(')')) throw this.#refuse('expected `)`');
      return filter;
    }
    if (++this.#terms > MOST_TERMS) throw this.#refuse(`a filter has at most ${MOST_TERMS} comparisons`);
    return this.#readComparison(this.#readField());
  }

  #readField(): RunField {
    const token = this.#take('word', 'expected a field such as metrics.roc_auc, params.max_depth or status');
    const [scope, ...rest] = token.text.split('.');
    const isNested = scope === 'metrics' || scope === 'params';
    let name = rest.join('.');
    if (isNested && name === '' && this.#takeSign('.'))
      name = this.#take('quoted', `expected a name in backquotes after ${scope}.`).text.slice(1, -1);
    if (isNested && name !== '') return { kind: scope === 'metrics' ? 'metric' : 'param', name };
    if (isNested) throw new FilterError(token.at, `${scope} needs a name: ${scope}.…`);
    if (!Object.hasOwn(COLUMNS, token.text))
      throw new FilterError(
        token.at,
        `${token.text} is no field; fields: metrics.…, params.…, ${Object.keys(COLUMNS).join(', ')}`,
      );
    const column = token.text as keyof typeof COLUMNS;
    return { kind: COLUMNS[column], name: column };
  }

  #readComparison(field: RunField): RunFilter {
    if (this.#takeWord('is')) {
      const isNegated = this.#takeWord('not');
      if (!this.#takeWord('null')) throw this.#refuse('expected `null`');
      const filter: RunFilter = { kind: 'null', field };
      return isNegated ? { kind: 'not', term: filter } : filter;
    }
    if (this.#takeWord('in')) return { kind: 'in', field, values: this.#readValues(field) };
    if (this.#takeWord('contains')) {
      const at = this.#peek().at;
      const value = this.#readValue(field);
      if (typeof value !== 'string') throw new FilterError(at, 'contains needs a text in quotes');
      return { kind: 'compare', field, comparison: 'contains', value };
    }
    const { text } = this.#take('sign', 'expected =, !=, <, <=, >, >=, in, contains or is');
    const comparison = ({ '==': '=', '<>': '!=' }[text] ?? text) as Comparison;
    if (!COMPARISONS.includes(comparison)) {
      this.#next--;
      throw this.#refuse('expected =, !=, <, <=, >, >=, in, contains or is');
    }
    return { kind: 'compare', field, comparison, value: this.#readValue(field) };
  }

  #readValues(field: RunField): RunValue[] {
    if (!this.#takeSign('(')) throw this.#refuse('expected `(` and values');
    const values = [this.#readValue(field)];
    while (this.#takeSign(',')) {
      if (values.length >= MOST_TERMS) throw this.#refuse(`a list has at most ${MOST_TERMS} values`);
      values.push(this.#readValue(field));
    }
    if (!this.#takeSign(')')) throw this.#refuse('expected `,` or `)`');
    return values;
  }

  #readValue(field: RunField): RunValue {
    const token = this.#peek();
    const value = readLiteral(token);
    if (value === undefined) throw this.#refuse('expected a number, a text in quotes, true or false');
    const problem = describeMisfit(field, value);
    if (problem) throw this.#refuse(problem);
    this.#next++;
    return value;
  }

  #peek = (): Token => this.tokens[this.#next]!;

  #take(kind: TokenKind, problem: string): Token {
    const token = this.#peek();
    if (token.kind !== kind) throw this.#refuse(problem);
    this.#next++;
    return token;
  }

  #takeWord(word: string): boolean {
    const { kind, text } = this.#peek();
    if (kind !== 'word' || text.toLowerCase() !== word) return false;
    this.#next++;
    return true;
  }

  #takeSign(sign: string): boolean {
    const { kind, text } = this.#peek();
    if (kind !== 'sign' || text !== sign) return false;
    this.#next++;
    return true;
  }

  #expectEnd(problem: string): void {
    if (this.#peek().kind !== 'end') throw this.#refuse(problem);
  }

  #refuse(problem: string): FilterError {
    const { kind, text, at } = this.#peek();
    return new FilterError(
      at,
      kind === 'end' ? `${problem}, but it ends here` : `${problem}, got ${text.slice(0, 40)}`,
    );
  }
}

function readLiteral({ kind, text }: Token): RunValue | undefined {
  if (kind === 'number') return Number(text);
  if (kind === 'text') return text.slice(1, -1).replaceAll(text[0]! + text[0]!, text[0]!);
  if (kind !== 'word') return undefined;
  return { true: true, false: false }[text.toLowerCase()];
}

/** Why a field can have no such value. */
function describeMisfit(field: RunField, value: RunValue): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'the number is too large';
  if ((field.kind === 'metric' || field.kind === 'number') && typeof value !== 'number')
    return `${field.name} is a number`;
  if (field.kind === 'text' && typeof value !== 'string') return `${field.name} is a text, in quotes`;
  if (field.kind === 'time' && (typeof value !== 'string' || Number.isNaN(Date.parse(value))))
    return `${field.name} is a time such as '2026-01-31' or '2026-01-31T12:00:00Z'`;
  return undefined;
}
