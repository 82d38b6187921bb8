import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { S3Settings } from '../network/s3-client.js';
import { inLanes } from './in-lanes.js';
import type { ObjectStore, StoredObject } from './object-store.js';
import { isSame, readRecord, recordedFolders, stateOf, writeRecord, type SharedRecord } from './shared-record.js';

/** A folder of this machine that is a copy of what lies below a prefix of a bucket. */
export interface SharedRoot {
  root: string;
  /** Where this machine notes which state of each file it has. */
  records: string;
  bucket: string;
  /** Without a slash at its ends; may be empty. */
  prefix: string;
}

interface OpenRoot extends SharedRoot {
  /** Its client takes half a second to load, which processes without a store are spared. */
  openStore: () => Promise<ObjectStore>;
}

export interface SharedPart {
  /** Which files, by their path below the folder; all without it. */
  only?: (name: string) => boolean;
}

/** Files are read and written in many places; all of one installation are in the same store. */
let roots: readonly OpenRoot[] = [];

const LANES = 8;
/** What is not finished, or is of one attempt alone. */
const UNFINISHED = /\.partial$|^(copies|forming-[^/]*)\//;
/** What makes a dataset or a model whole: it goes last, so that whoever finds it finds the rest as well. */
const SEALS = ['manifest.json', 'model.json'];

/** Says where files are kept that all machines share, before any is read. Without a store, machines share the folders themselves. */
export function useSharedFiles(shared: readonly SharedRoot[], s3: S3Settings): void {
  roots = shared.map((root) => {
    let store: Promise<ObjectStore> | undefined;
    const open = async () => new (await import('./object-store.js')).ObjectStore(s3, root.bucket);
    return { ...root, openStore: () => (store ??= open()) };
  });
}

const rootOf = (path: string) => roots.find(({ root }) => path === root || path.startsWith(`${root}/`));
const keyOf = ({ root, prefix }: SharedRoot, path: string) =>
  [prefix, relative(root, path)].filter((part) => part !== '').join('/');

/** Calls for one folder come one after the other in a process. */
const queues = new Map<string, Promise<unknown>>();

function inTurn<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const mine = (queues.get(folder) ?? Promise.resolve()).then(work, work);
  const settled = mine.catch(() => undefined);
  queues.set(folder, settled);
  void settled.then(() => queues.get(folder) === settled && queues.delete(folder));
  return mine;
}

/**
 * Makes a folder of this machine what it is in the store: brings what is new or other there, and removes what was in it once and is no longer.
 * What this machine has made and not sent yet stays.
 * @throws ServiceError `dependency_unavailable`
 */
export async function bringFolder(folder: string, { only = () => true }: SharedPart = {}): Promise<void> {
  const root = rootOf(folder);
  if (root)
    await inTurn(folder, async () => {
      const prefix = `${keyOf(root, folder)}/`;
      await takeOver(root, folder, await (await root.openStore()).list(prefix), only);
    });
}

async function takeOver(
  root: OpenRoot,
  folder: string,
  objects: readonly StoredObject[],
  only: (name: string) => boolean,
): Promise<void> {
  const record = await readRecord(root.records, folder);
  await removeGone(root, folder, objects, record);
  const bring = async ({ name, etag, bytes }: StoredObject) => {
    const path = join(folder, name);
    const present = await stateOf(path);
    const known = record[name];
    if (present && (known ? known.etag === etag || !isSame(known, present) : present.bytes === bytes)) {
      if (!known) record[name] = { etag, ...present };
      return;
    }
    await mkdir(dirname(path), { recursive: true });
    const brought = await (await root.openStore()).get(`${keyOf(root, folder)}/${name}`, path);
    if (brought !== undefined) record[name] = { etag: brought, ...(await stateOf(path))! };
  };
  const before = JSON.stringify(record);
  const wanted = objects.filter(({ name }) => only(name));
  await inLanes(LANES, wanted.filter(isNoSeal), bring);
  for (const seal of wanted.filter((object) => !isNoSeal(object))) await bring(seal);
  if (JSON.stringify(record) !== before) await writeRecord(root.records, folder, record);
}

const isNoSeal = ({ name }: { name: string }) => !SEALS.includes(name);

/** What was deleted on another machine goes here as well. */
async function removeGone(
  root: SharedRoot,
  folder: string,
  objects: readonly StoredObject[],
  record: SharedRecord,
): Promise<void> {
  const listed = new Set(objects.map(({ name }) => name));
  const gone = Object.keys(record).filter((name) => !listed.has(name));
  if (gone.length === 0) return;
  for (const name of gone) {
    await rm(join(folder, name), { force: true });
    delete record[name];
  }
  await writeRecord(root.records, folder, record);
  if (objects.length === 0) await rm(folder, { recursive: true, force: true });
}

/**
 * Puts into the store what is new or other on this machine. What makes the folder whole goes last.
 * @param part with `removes`, what was taken out here since it came from the store is taken out there
 * @throws ServiceError `dependency_unavailable`
 */
export async function sendFolder(folder: string, part: SharedPart & { removes?: boolean } = {}): Promise<void> {
  const root = rootOf(folder);
  if (!root) return;
  await inTurn(folder, async () => {
    const store = await root.openStore();
    const record = await readRecord(root.records, folder);
    const before = JSON.stringify(record);
    const names = (await filesOf(folder)).filter((name) => !UNFINISHED.test(name) && (part.only?.(name) ?? true));
    const send = async (name: string) => {
      const present = await stateOf(join(folder, name));
      if (!present || (record[name] && isSame(record[name], present))) return;
      try {
        record[name] = { etag: await store.put(join(folder, name), `${keyOf(root, folder)}/${name}`), ...present };
      } catch (error) {
        // Another step may have finished with it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    };
    const isSeal = (name: string) => SEALS.includes(name);
    await inLanes(
      LANES,
      names.filter((name) => !isSeal(name)),
      send,
    );
    for (const seal of names.filter(isSeal)) await send(seal);
    if (part.removes) await removeTakenOut(root, folder, record, part.only);
    if (JSON.stringify(record) !== before) await writeRecord(root.records, folder, record);
  });
}

async function removeTakenOut(
  root: OpenRoot,
  folder: string,
  record: SharedRecord,
  only: (name: string) => boolean = () => true,
): Promise<void> {
  const there = new Set(await filesOf(folder));
  const out = Object.keys(record).filter((name) => only(name) && !there.has(name));
  await (await root.openStore()).remove(out.map((name) => `${keyOf(root, folder)}/${name}`));
  for (const name of out) delete record[name];
}

/** Deletes a folder, or a file, here and in the store. Other machines let their copies go when they next look. */
export async function dropShared(path: string): Promise<void> {
  const root = rootOf(path);
  if (root) {
    const key = keyOf(root, path);
    const store = await root.openStore();
    const below = await store.list(`${key}/`);
    await store.remove([key, ...below.map(({ name }) => `${key}/${name}`)]);
    await writeRecord(root.records, path, {});
  }
  await rm(path, { recursive: true, force: true });
}

export interface SharedStep {
  /** Which files it needs; all without it. */
  bring?: (name: string) => boolean;
  /** Which files it makes; all without it. */
  send?: (name: string) => boolean;
  /** Sends what there is also in the middle. */
  sendEveryMs?: number;
}

/** Does a step of a job in its folder: with what the steps before have left there, and leaving what it has made to those after it, also when it fails. */
export async function inSharedFolder<T>(
  folder: string,
  { bring, send, sendEveryMs }: SharedStep,
  work: () => Promise<T>,
): Promise<T> {
  if (!rootOf(folder)) return work();
  await bringFolder(folder, { only: bring });
  // A courtesy to the next attempt, wherever that is; the failure of the step is the one to tell.
  const sendQuietly = () => sendFolder(folder, { only: send }).catch(() => undefined);
  const timer = sendEveryMs === undefined ? undefined : setInterval(() => void sendQuietly(), sendEveryMs);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await sendQuietly();
    throw error;
  } finally {
    clearInterval(timer);
  }
  await sendFolder(folder, { only: send });
  return result;
}

/** The folder that is brought and sent as one, of a file below a root: a version, a dataset, what a job has staged. */
function unitOf({ root }: SharedRoot, path: string): string {
  const parts = relative(root, path).split('/');
  const depth = parts[0] === 'uploads' ? 1 : parts[0] === 'datasets' && parts[1]?.startsWith('.') ? 3 : 2;
  return join(root, ...parts.slice(0, Math.min(depth, parts.length - 1)));
}

/** Brings all that lies below a folder, for what looks at everything: a backup, an erasure, a change of keys. */
export async function bringAll(folder: string): Promise<void> {
  const root = rootOf(folder);
  if (!root) return;
  const objects = await (await root.openStore()).list(`${keyOf(root, folder)}/`);
  const units = new Set(objects.map(({ name }) => unitOf(root, join(folder, name))));
  for (const unit of units) await bringFolder(unit);
}

/** Sends all that lies below a folder; what is there already is passed over. */
export async function sendAll(folder: string): Promise<void> {
  const root = rootOf(folder);
  if (!root) return;
  const units = new Set((await filesOf(folder)).map((name) => unitOf(root, join(folder, name))));
  for (const unit of units) await sendFolder(unit);
}

/** A file or folder that lies directly below another one. */
export interface SharedEntry {
  name: string;
  bytes: number;
  /** When anything in it was written last. */
  modifiedMs: number;
}

/** What lies directly below a folder on this machine or in the store: also what a machine has left there that is no more. */
export async function listEntries(folder: string): Promise<SharedEntry[]> {
  const found = new Map<string, SharedEntry>();
  const add = (name: string, bytes: number, modifiedMs: number) => {
    const known = found.get(name) ?? { name, bytes: 0, modifiedMs: 0 };
    found.set(name, { name, bytes: known.bytes + bytes, modifiedMs: Math.max(known.modifiedMs, modifiedMs) });
  };
  for (const { name, bytes, modifiedMs } of await listStored(folder)) add(name.split('/', 1)[0]!, bytes, modifiedMs);
  for (const name of await readdir(folder).catch(() => [])) {
    const here = await stat(join(folder, name)).catch(() => undefined);
    if (here) add(name, found.has(name) ? 0 : here.size, here.mtimeMs);
  }
  return [...found.values()];
}

/** All objects of the store below a folder; none where there is no store. */
export async function listStored(folder: string): Promise<StoredObject[]> {
  const root = rootOf(folder);
  return root ? (await root.openStore()).list(`${keyOf(root, folder)}/`) : [];
}

/** Lets copies follow the store: what was deleted, erased or written anew on another machine is so here. */
export async function refreshCopies(signal: AbortSignal): Promise<void> {
  for (const root of roots)
    for (const folder of await recordedFolders(root.records)) {
      signal.throwIfAborted();
      const held = await readRecord(root.records, folder);
      await bringFolder(folder, { only: (name) => Object.hasOwn(held, name) });
    }
}

/** Whether files are in a store, or in folders that all machines share. */
export const hasSharedFiles = () => roots.length > 0;

/** @throws ServiceError `dependency_unavailable` where the store of a folder cannot be used */
export async function checkStoreOf(path: string): Promise<void> {
  await (await rootOf(path)?.openStore())?.check();
}

/** Finished and unfinished files, as paths below the folder with `/`. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}
