import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** From the head of a request to the end of its body. */
const WHOLE_MS = 60_000;
/** Between two pieces of a body that may take as long as it likes. */
const SILENT_MS = 60_000;
/** For whoever still sends when the answer is there already: to read it. */
const LINGER_MS = 5000;
/** Bodies of any length: they go to the disk as they come. */
const STREAMED = /^\/data\/(uploads|events\/[^/?]+)(\?|$)/;

/**
 * Ends requests whose body does not come, so that nobody holds a connection for nothing. Node's own `requestTimeout` knows no exception for
 * bodies that are streamed.
 */
export function limitBodyTime(server: Server): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    // A body that is not read any more must not hold its connection by coming slowly.
    response.once('finish', () => {
      if (!request.complete) setTimeout(() => request.complete || socket.destroy(), LINGER_MS).unref();
    });
    const isStreamed = request.method === 'POST' && STREAMED.test(request.url ?? '');
    let seen = socket.bytesRead;
    const timer = setTimeout(look, isStreamed ? SILENT_MS : WHOLE_MS);
    function look() {
      const hasCome = socket.bytesRead > seen;
      seen = socket.bytesRead;
      if (isStreamed && hasCome && !request.complete) timer.refresh();
      else end(request);
    }
    request.once('close', () => clearTimeout(timer));
    request.once('end', () => clearTimeout(timer));
  });
}

function end({ socket, complete }: IncomingMessage): void {
  if (complete || socket.destroyed) return;
  socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', () => socket.destroy());
}
