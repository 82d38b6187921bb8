import { setTimeout as sleep } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { TERMINAL, type Job } from '../../services/jobs/job.js';

const LOOK_EVERY_MS = 300;
/** Proxies close a silent connection. */
const COMMENT_EVERY_MS = 15_000;

/** What is sent besides the status of the job. */
export interface StreamedEvent {
  event: string;
  /** JSON. */
  data: string;
}

/**
 * Sends the status whenever it has changed, after what else is new, until the job has ended or the reader has gone.
 * @param isAllowed asked before anything more is sent; the stream ends where it says no
 */
export async function streamJobEvents(
  request: Request,
  response: Response,
  read: () => Promise<Pick<Job, 'status'>>,
  readMore: (isOver: boolean) => Promise<StreamedEvent[]>,
  isAllowed: () => Promise<boolean>,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    Connection: 'keep-alive',
  });
  const isOpen = () => !request.destroyed && !response.destroyed && !response.closed;
  let last = '';
  let sentMs = Date.now();
  for (let id = 1; isOpen() && (await isAllowed());) {
    const status = await read().catch(() => undefined);
    const text = status && JSON.stringify(status);
    const isOver = status !== undefined && TERMINAL.includes(status.status);
    const events = await readMore(isOver).catch((): StreamedEvent[] => []);
    if (text && text !== last) events.push({ event: 'status', data: text });
    last = text ?? last;
    for (const { event, data } of events) response.write(`id: ${id++}\nevent: ${event}\ndata: ${data}\n\n`);
    if (events.length > 0) sentMs = Date.now();
    else if (Date.now() - sentMs > COMMENT_EVERY_MS) {
      response.write(': still there\n\n');
      sentMs = Date.now();
    }
    if (isOver) break;
    await sleep(LOOK_EVERY_MS);
  }
  response.end();
}
