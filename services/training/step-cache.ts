import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../canonical-json.js';
import { copyFromRest, copyToRest, sha256AtRest } from '../encryption/file-keys.js';
import { bringFolder, dropShared, hasSharedFiles, listStored, sendFolder } from '../storage/shared-files.js';
import type { Logger } from '../telemetry/logger.js';
import { STAGED, type TrainingPlan } from './training-plan.js';

export interface StepCacheContext {
  /** Beside the models, so that all who see the same models see it. */
  folder: string;
  /** All entries together; 0 turns the cache off. */
  maxBytes: number;
  /** Entries that nobody has used for longer go. */
  maxAgeMs: number;
  logger: Pick<Logger, 'info' | 'warn'>;
}

/** The manifest is what makes an entry whole: it is sent to a store last, and when it was written is when the entry was used. */
const ENTRY = { table: 'table', meta: 'manifest.json' } as const;
/** Longer than any copy takes: what is older was left by a process that is gone. */
const PARTIAL_AGE_MS = 3_600_000;

interface EntryMeta {
  sha256: string;
  rows: number;
}

interface Entry {
  path: string;
  isPartial: boolean;
  usedMs: number;
  bytes: number;
}

/** Of all that the table of a run follows from: the release, the model's columns and settings, the rows, and what is chosen of them. */
export function tableDigest(plan: TrainingPlan): string {
  const { codeVersion, kind, heads, features, settings, entity, timestamp } = plan;
  const { datasetId, datasetDigest, startDate, endDate, filters, featureViews, seed } = plan;
  const followed = { codeVersion, kind, heads, features, settings, entity, timestamp };
  return digestOf(['table', followed, datasetId, datasetDigest, startDate, endDate, filters, featureViews, seed]);
}

/**
 * The tables of earlier runs by what they follow from, so that the next run of the same rows need not build its own. A table is held to the
 * digest of its bytes each time; one that differs is dropped, with a warning in the log, and built anew. Entries are sealed where there are
 * keys, and appear whole or not at all. Where files are in an S3 store, all machines have the entries in common: they are looked up and
 * forgotten there, and lie on a machine as copies only.
 */
export class StepCache {
  constructor(private readonly context: StepCacheContext) {}

  /** Stages the table of the plan from the cache, or with `build`, whose table is kept then. */
  async stageTable(
    plan: TrainingPlan,
    staging: string,
    build: () => Promise<{ rows: number }>,
  ): Promise<{ rows: number }> {
    if (this.context.maxBytes === 0) return build();
    const digest = tableDigest(plan);
    const known = await this.#take(digest, staging);
    if (known) {
      this.context.logger.info({ jobId: plan.jobId, digest }, 'the table of an earlier run was taken from the cache');
      return known;
    }
    const built = await build();
    // A courtesy: a full disk must not fail the run.
    await this.#keep(digest, join(staging, STAGED.table), built.rows).catch((error: unknown) =>
      this.context.logger.warn({ err: error, digest }, 'the table of a run could not be kept for the next one'),
    );
    return built;
  }

  /** Forgets everything, such as when a person is erased. */
  async clear(): Promise<void> {
    await dropShared(this.context.folder);
  }

  async #take(digest: string, staging: string): Promise<EntryMeta | undefined> {
    const entry = join(this.context.folder, digest);
    // What another machine is still sending is none yet; what this one could not send others could not forget.
    if (hasSharedFiles() && !(await listStored(entry)).some(({ name }) => name === ENTRY.meta)) {
      await rm(entry, { recursive: true, force: true });
      return undefined;
    }
    await bringFolder(entry);
    const text = await readFile(join(entry, ENTRY.meta), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const partial = join(staging, `${STAGED.table}.${randomUUID()}.partial`);
    try {
      const meta = JSON.parse(text) as EntryMeta;
      await mkdir(staging, { recursive: true });
      await copyFromRest(join(entry, ENTRY.table), partial);
      // The copy is what will be read, so it is the copy that is looked at.
      const found = await sha256AtRest(partial);
      if (found !== meta.sha256) throw new Error(`its bytes have the digest ${found}, and not ${meta.sha256}`);
      await rename(partial, join(staging, STAGED.table));
      const now = new Date();
      await utimes(join(entry, ENTRY.meta), now, now).catch(() => undefined);
      // In a store the time of use is when the manifest was sent last. A courtesy, as the time itself.
      await sendFolder(entry, { only: (name) => name === ENTRY.meta }).catch(() => undefined);
      return { rows: meta.rows, sha256: meta.sha256 };
    } catch (error) {
      this.context.logger.warn({ err: error, digest }, 'a cached table is damaged and was dropped; it is built anew');
      await dropShared(entry);
      return undefined;
    } finally {
      await rm(partial, { force: true });
    }
  }

  async #keep(digest: string, table: string, rows: number): Promise<void> {
    const { folder, maxBytes } = this.context;
    if ((await stat(table)).size > maxBytes) return;
    const partial = join(folder, `${digest}.${randomUUID()}.partial`);
    await mkdir(partial, { recursive: true });
    try {
      await copyToRest(table, join(partial, ENTRY.table));
      const meta: EntryMeta = { sha256: await sha256AtRest(join(partial, ENTRY.table)), rows };
      await writeFile(join(partial, ENTRY.meta), JSON.stringify(meta), { flush: true });
      await rename(partial, join(folder, digest)).catch((error: NodeJS.ErrnoException) => {
        // Another run has kept the same meanwhile.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    await sendFolder(join(folder, digest));
    await this.#bound();
  }

  /** Drops what is too old, what a killed process has left, and the longest unused where all together is too much. */
  async #bound(): Promise<void> {
    const { maxBytes, maxAgeMs } = this.context;
    let total = 0;
    for (const { path, isPartial, usedMs, bytes } of await this.#entries()) {
      const ageMs = Date.now() - usedMs;
      if (isPartial && ageMs < PARTIAL_AGE_MS) continue;
      total += isPartial ? 0 : bytes;
      if (isPartial || ageMs > maxAgeMs || total > maxBytes) await dropShared(path);
    }
  }

  /** Here and in the store, the one used last first. */
  async #entries(): Promise<Entry[]> {
    const { folder } = this.context;
    const found = new Map<string, Entry>();
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      // Of a store only what is in it counts.
      const isPartial = hasSharedFiles() || name.endsWith('.partial');
      const used = await stat(isPartial ? path : join(path, ENTRY.meta)).catch(() => undefined);
      const size = await stat(join(path, ENTRY.table)).catch(() => undefined);
      found.set(name, { path, isPartial, usedMs: used?.mtimeMs ?? 0, bytes: size?.size ?? 0 });
    }
    for (const { name, bytes, modifiedMs } of await listStored(folder)) {
      const [digest = '', file] = name.split('/');
      const entry = found.get(digest) ?? { path: join(folder, digest), isPartial: false, usedMs: 0, bytes: 0 };
      // A table without a manifest is on its way, or its machine has died.
      const usedMs = Math.max(entry.isPartial ? 0 : entry.usedMs, modifiedMs);
      found.set(digest, { ...entry, isPartial: false, usedMs, bytes: file === ENTRY.table ? bytes : entry.bytes });
    }
    return [...found.values()].sort((a, b) => b.usedMs - a.usedMs);
  }
}
