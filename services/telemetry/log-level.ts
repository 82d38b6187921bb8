import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG_LEVELS, type LogLevel } from '../../core/schemas/log-level.js';
import { writeStaged } from '../storage/staged-file.js';
import type { Logger } from './logger.js';

/** How soon each process of the machine follows. */
const LOOK_EVERY_MS = 1000;

export interface LogLevelState {
  level: LogLevel;
  /** What it is again once the time is over. */
  configured_level: LogLevel;
  until: string | null;
}

interface Override {
  level: LogLevel;
  until: string;
}

/**
 * The level of the log of this process: the configured one, or another for a time, which stands in a file of the state folder, so that all
 * processes of the machine follow it, also one that is started meanwhile, and also while the database is away.
 */
export class LogLevelSwitch {
  readonly #file: string;
  readonly #configured: LogLevel;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: { stateDir: string; configured: string; logger: Logger }) {
    this.#file = join(options.stateDir, 'log-level.json');
    this.#configured = options.configured.toUpperCase() as LogLevel;
  }

  start(): void {
    void this.follow();
    this.#timer = setInterval(() => void this.follow(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes the level that the file says. @returns what holds now */
  async follow(): Promise<LogLevelState> {
    const override = await this.#read();
    const isInForce = override !== undefined && Date.parse(override.until) > Date.now();
    const level = isInForce ? override.level : this.#configured;
    const { logger } = this.options;
    if (logger.level !== level.toLowerCase()) {
      logger.level = level.toLowerCase();
      logger.warn({ level_now: level }, 'the level of the log has changed');
    }
    return { level, configured_level: this.#configured, until: isInForce ? override.until : null };
  }

  /** Changes the level of all processes of this machine for a time. */
  async set(level: LogLevel, seconds: number): Promise<void> {
    const until = new Date(Date.now() + seconds * 1000).toISOString();
    await writeStaged(this.#file, JSON.stringify({ level, until } satisfies Override));
  }

  /** Goes back to the configured level. */
  async reset(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** @returns undefined where there is none, or none that can be read */
  async #read(): Promise<Override | undefined> {
    try {
      const { level, until } = JSON.parse(await readFile(this.#file, 'utf8')) as Partial<Override>;
      return LOG_LEVELS.includes(level!) && until !== undefined ? { level: level!, until } : undefined;
    } catch {
      return undefined;
    }
  }
}
