import type { FieldProblem } from '../../core/errors.js';
import { pollutingPaths, unstorablePaths } from '../parse-request.js';

/** The largest event, in bytes. */
export const MOST_EVENT_BYTES = 2 ** 20;
const MOST_ID_CHARACTERS = 200;

/** An event that can be kept. */
export interface ReadEvent {
  id: string;
  /** JSON on one line, as it was sent. */
  text: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one event: a JSON object with `event_id`, a text of 1 to 200 characters.
 * @returns the event, or every reason why it is none
 */
export function readEvent(bytes: Uint8Array): ReadEvent | FieldProblem[] {
  if (bytes.length > MOST_EVENT_BYTES) return [{ path: 'body', message: `is larger than ${MOST_EVENT_BYTES} bytes` }];
  let text: string;
  let event: unknown;
  try {
    text = utf8.decode(bytes);
  } catch {
    return [{ path: 'body', message: 'is not valid UTF-8' }];
  }
  try {
    event = JSON.parse(text);
  } catch {
    return [{ path: 'body', message: 'is not valid JSON' }];
  }
  if (event === null || typeof event !== 'object' || Array.isArray(event))
    return [{ path: 'body', message: 'must be a JSON object' }];
  const id = (event as Record<string, unknown>)['event_id'];
  const problems = [...pollutingPaths(event), ...unstorablePaths(event)];
  if (typeof id !== 'string' || id.length === 0 || id.length > MOST_ID_CHARACTERS)
    problems.unshift({ path: 'event_id', message: `must be a text of 1 to ${MOST_ID_CHARACTERS} characters` });
  if (problems.length > 0) return problems;
  // Within strings a line break is always escaped, so that these stand between values.
  return { id: id as string, text: text.trim().replaceAll(/[\r\n]+/g, ' ') };
}
