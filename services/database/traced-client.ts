import { openSpan } from '../telemetry/tracing.js';
import { WatchedClient } from './watched-client.js';

type Callback = (error: Error | undefined, ...rest: unknown[]) => void;

const MOST_CHARACTERS = 1000;

/** A statement with its placeholders, never with its values. */
function statementOf(query: unknown): string {
  const text = typeof query === 'string' ? query : ((query as { text?: unknown } | undefined)?.text ?? '');
  return String(text).replaceAll(/\s+/g, ' ').trim().slice(0, MOST_CHARACTERS);
}

/** A client of PostgreSQL whose statements have spans, below the call that they are for; pools take it while something is traced. */
export class TracedClient extends WatchedClient {
  // pg has nine overloads of this, of which each keeps its own arguments and its own result.
  // oxlint-disable-next-line typescript/no-explicit-any
  override query(...given: any[]): any {
    const statement = statementOf(given[0]);
    const [verb = 'query'] = statement.split(' ', 1);
    const attributes = { 'db.system': 'postgresql', 'db.query.text': statement };
    const span = openSpan(verb.toUpperCase(), { kind: 'CLIENT', isOnlyInside: true, attributes });
    const ask = super.query.bind(this) as (...args: unknown[]) => unknown;
    if (!span) return ask(...given);
    const last: unknown = given.at(-1);
    if (typeof last === 'function') {
      const told: Callback = (error, ...rest) => {
        span.end(error ?? undefined);
        (last as Callback)(error, ...rest);
      };
      return ask(...given.slice(0, -1), told);
    }
    const answer = ask(...given);
    // A cursor or a copy tells its end itself, later than anyone waits for here.
    if (!(answer instanceof Promise)) {
      span.end();
      return answer;
    }
    void answer.then(
      () => span.end(),
      (error: unknown) => span.end(error),
    );
    return answer;
  }
}
