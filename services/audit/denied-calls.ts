import type { Logger } from '../telemetry/logger.js';
import { within } from '../within.js';
import type { AuditLog, AuditNote } from './audit-log.js';

/** The same denial again within this time is counted and not written. */
const WINDOW_MS = 60_000;
/** Different ones at a time; beyond it those of nobody in particular are counted together. */
const MOST_KINDS = 5000;
/** A refusal must not wait for a database that is away. */
const PATIENCE_MS = 250;

interface Window {
  note: AuditNote;
  sinceMs: number;
  /** How often it was not written yet. */
  unwritten: number;
}

/**
 * Calls that were denied, for the audit log: the first of its kind at once, before it is answered, and then how often it came again, once a minute. Whoever
 * knocks a million times fills no table. What cannot be written waits in memory.
 */
export class DeniedCalls {
  readonly #windows = new Map<string, Window>();
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly context: { audit: AuditLog; logger: Logger }) {
    this.#timer = setInterval(() => void this.flush(Date.now() - WINDOW_MS), WINDOW_MS / 6);
    this.#timer.unref();
  }

  async note(given: Omit<AuditNote, 'kind'>): Promise<void> {
    const full = this.#windows.size >= MOST_KINDS;
    const note: AuditNote = full
      ? { kind: 'denied', action: 'many', subject: 'anonymous', status: given.status }
      : { kind: 'denied', ...given };
    const { subject, address, action, status, target } = note;
    const key = JSON.stringify([subject, address, action, status, target]);
    const known = this.#windows.get(key);
    if (known) return void known.unwritten++;
    const window: Window = { note, sinceMs: Date.now(), unwritten: 1 };
    this.#windows.set(key, window);
    await within(PATIENCE_MS, this.#write(window)).catch(() => undefined);
  }

  /** Writes what has not been written of windows that began before a time, and ends these. */
  async flush(beganBeforeMs: number): Promise<void> {
    for (const [key, window] of this.#windows) {
      if (window.sinceMs > beganBeforeMs) continue;
      if (window.unwritten === 0 || (await this.#write(window))) this.#windows.delete(key);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush(Infinity);
  }

  async #write(window: Window): Promise<boolean> {
    const { note, unwritten: times } = window;
    window.unwritten = 0;
    try {
      await this.context.audit.note(times === 1 ? note : { ...note, detail: { ...note.detail, times } });
      return true;
    } catch (error) {
      window.unwritten += times;
      this.context.logger.warn(
        { err: error, action: note.action, subject: note.subject },
        'a denied call waits for the audit log',
      );
      return false;
    }
  }
}
