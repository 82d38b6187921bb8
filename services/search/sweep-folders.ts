import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { makeScratchFolder } from '../storage/scratch-folder.js';

/** Sweeps that take turns on one worker. */
const MOST_SWEEPS = 4;
const UNUSED_MS = 600_000;

/**
 * A scratch folder for each sweep that this worker runs trials of, for what its processes have in common. One that no trial has asked for in ten
 * minutes goes, as do all with the worker; what a killed one leaves the next one clears.
 */
export class SweepFolders {
  readonly #folders = new Map<string, { folder: Promise<string>; unused: NodeJS.Timeout }>();
  readonly #made = new Set<string>();

  constructor() {
    process.once('exit', () => {
      for (const folder of this.#made) rmSync(folder, { recursive: true, force: true });
    });
  }

  async of(sweepId: string): Promise<string> {
    const known = this.#folders.get(sweepId);
    clearTimeout(known?.unused);
    const folder = known?.folder ?? this.#make();
    // One that could not be made is tried again.
    folder.catch(() => this.#folders.delete(sweepId));
    const unused = setTimeout(() => void this.#drop(sweepId), UNUSED_MS).unref();
    // The ones used last stay.
    this.#folders.delete(sweepId);
    this.#folders.set(sweepId, { folder, unused });
    for (const oldest of this.#folders.keys()) {
      if (this.#folders.size <= MOST_SWEEPS) break;
      await this.#drop(oldest);
    }
    return folder;
  }

  async #make(): Promise<string> {
    const folder = await makeScratchFolder();
    this.#made.add(folder);
    return folder;
  }

  async #drop(sweepId: string): Promise<void> {
    const known = this.#folders.get(sweepId);
    if (!known) return;
    clearTimeout(known.unused);
    this.#folders.delete(sweepId);
    const folder = await known.folder.catch(() => undefined);
    if (folder === undefined) return;
    await rm(folder, { recursive: true, force: true });
    this.#made.delete(folder);
  }
}
