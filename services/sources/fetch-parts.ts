import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readStaged, readStagedJson, writeStaged } from '../storage/staged-file.js';
import type { FetchContext, FetchedPart, SourceContext, SourcePart, SourcePlan, SourceRequest } from './connector.js';
import { findConnector } from './find-connector.js';
import { pathHere } from '../storage/path-here.js';

/**
 * The parts of a source, as they were when the job first looked: a source that grows meanwhile changes nothing.
 * @param context with the folder of the job
 * @throws ServiceError what the connector says
 */
export async function planSource(
  request: SourceRequest,
  context: SourceContext & { folder: string; signal: AbortSignal },
): Promise<SourcePlan> {
  await mkdir(context.folder, { recursive: true });
  const file = join(context.folder, 'plan.json');
  const done = await readStaged(file);
  if (done) return JSON.parse(done.toString('utf8')) as SourcePlan;
  const plan = await findConnector(request.source).plan(request, context);
  await writeStaged(file, JSON.stringify(plan));
  return plan;
}

/** Brings a part to this machine, once: what an earlier attempt has brought is adopted. @throws ServiceError what the connector says */
export async function fetchPart(
  request: SourceRequest,
  part: SourcePart,
  context: Omit<FetchContext, 'attempt'>,
): Promise<FetchedPart> {
  await mkdir(context.folder, { recursive: true });
  const marker = join(context.folder, `${part.id}.json`);
  const done = await readStaged(marker);
  if (done) {
    const brought = JSON.parse(done.toString('utf8')) as FetchedPart;
    return { ...brought, path: pathHere(context.folder, brought.path) };
  }
  context.signal.throwIfAborted();
  // A name of its own for each attempt: one that was given up may still be writing.
  const attempt = `${part.id}-${process.pid}-${Date.now().toString(36)}`;
  const fetched = await findConnector(request.source).fetch(request, part, { ...context, attempt });
  context.failPoint('ingest:after-extract');
  await writeStaged(marker, JSON.stringify(fetched));
  return fetched;
}

/** The marks of how far the parts in a folder were read, for `commitPulls`. */
export async function fetchedPulls(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => /^\d{7}-.*\.json$/.test(name));
  const parts = await Promise.all(names.map((name) => readStagedJson<FetchedPart>(join(folder, name))));
  return parts.flatMap(({ pull }) => pull ?? []);
}
