import { Worker } from 'node:worker_threads';
import type { ReportDocument } from './report-document.js';

const ENTRY = new URL('./render-thread.js', import.meta.url);
/** A page has up to a megabyte. */
const MOST_KEPT = 8;
const TIMEOUT_MS = 60_000;
const MEMORY_MB = 512;

/** Pages of reports, drawn outside the thread that answers predictions: a page takes up to a second of a core. */
export interface ReportPages {
  /** @param key names the content: pages of one key are drawn once */
  page(key: string, document: ReportDocument): Promise<string>;
}

/**
 * Keeps the last few pages, and draws one at a time, so that many readers at once cost the predictions one core at most.
 * @param draw replaces the thread in tests
 */
export function createReportPages(draw: (document: ReportDocument) => Promise<string> = drawInThread): ReportPages {
  const kept = new Map<string, Promise<string>>();
  let last: Promise<unknown> = Promise.resolve();
  return {
    page(key, document) {
      const known = kept.get(key);
      if (known) {
        // Used last, dropped last.
        kept.delete(key);
        kept.set(key, known);
        return known;
      }
      const drawn = last.then(() => draw(document));
      last = drawn.catch(() => undefined);
      kept.set(key, drawn);
      // A failure is not kept: the next reader tries again.
      drawn.catch(() => kept.delete(key));
      for (const oldest of kept.keys()) {
        if (kept.size <= MOST_KEPT) break;
        kept.delete(oldest);
      }
      return drawn;
    },
  };
}

function drawInThread(document: ReportDocument): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(ENTRY, {
      workerData: document,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    });
    const timer = setTimeout(() => {
      void worker.terminate();
      reject(new Error(`the report of ${document.model} was not drawn within ${TIMEOUT_MS / 1000} s`));
    }, TIMEOUT_MS);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(timer);
      reject(new Error(`the thread that draws the report of ${document.model} ended without a page`));
    });
  });
}
