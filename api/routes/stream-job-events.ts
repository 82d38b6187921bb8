import type { Request, Response } from 'express';

const LOOK_EVERY_MS = 300;
/** Proxies close a silent connection. */
const COMMENT_EVERY_MS = 15_000;

/** Sends the status whenever it has changed, until the job has ended or the reader has gone. */
export async function streamJobEvents(
  request: Request,
  response: Response,
  read: () => Promise<{ status: string }>,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    Connection: 'keep-alive',
  });
  const isOpen = () => !request.destroyed && !response.destroyed && !response.closed;
  let last = '';
  let sentMs = Date.now();
  for (let id = 1; isOpen();) {
    const status = await read().catch(() => undefined);
    const text = status && JSON.stringify(status);
    if (text && text !== last) {
      response.write(`id: ${id++}\nevent: status\ndata: ${text}\n\n`);
      last = text;
      sentMs = Date.now();
    } else if (Date.now() - sentMs > COMMENT_EVERY_MS) {
      response.write(': still there\n\n');
      sentMs = Date.now();
    }
    if (status && ['completed', 'failed', 'cancelled'].includes(status.status)) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  response.end();
}
