import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { ServiceError } from '../core/errors.js';
import type { UploadSettings } from '../services/uploads/upload-settings.js';
import { sendProblem } from './middleware/problem.js';

type BodyPace = UploadSettings['pace'];

/** From the head of a request to the end of its body. */
const WHOLE_SECONDS = 60;
/** For whoever still sends when the answer is there already: to read it. */
const LINGER_MS = 5000;
/** Bodies of any length: they go to the disk as they come. */
const STREAMED = /^\/data\/(uploads|events\/[^/?]+)(\?|$)/;

/**
 * Answers requests whose body does not come with 408, so that nobody holds a connection for nothing: not by silence, and not by a byte now and
 * then. Node's own `requestTimeout` knows no exception for bodies that are streamed.
 */
export function limitBodyTime(server: Server, pace: BodyPace): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    // A body that is not read any more must not hold its connection by coming slowly.
    response.once('finish', () => {
      if (request.complete) return;
      setTimeout(() => request.complete || socket.destroy(), LINGER_MS).unref();
      // Node tells a request that is answered nothing more of its connection: whoever still reads its body would wait for ever.
      socket.once('close', () => request.destroy());
    });
    const isStreamed = request.method === 'POST' && STREAMED.test(request.url ?? '');
    const timers = isStreamed ? watchStreamed(request, response, pace) : [watchWhole(request, response)];
    const forget = () => timers.forEach((timer) => clearTimeout(timer));
    request.once('close', forget);
    request.once('end', forget);
  });
}

const watchWhole = (request: IncomingMessage, response: ServerResponse) =>
  setTimeout(
    () => end(request, response, `The body did not come whole within ${WHOLE_SECONDS} s. Send it at once.`),
    WHOLE_SECONDS * 1000,
  );

function watchStreamed(request: IncomingMessage, response: ServerResponse, pace: BodyPace): NodeJS.Timeout[] {
  const { socket } = request;
  const least = Math.max(1, pace.leastRate * pace.windowSeconds);
  let seen = socket.bytesRead;
  const judge = () => {
    const came = socket.bytesRead - seen;
    seen = socket.bytesRead;
    // What waits to be read is ours to take: a slow disk is not the caller's doing.
    if (came >= least || request.readableLength > 0) return;
    const asked = `at least ${Math.ceil(least)} (UPLOAD_MIN_RATE, UPLOAD_RATE_WINDOW)`;
    end(
      request,
      response,
      `${came} bytes of the body came in ${pace.windowSeconds} s; send ${asked}, or smaller parts.`,
    );
  };
  // After a long turn of this process timers come before what has arrived meanwhile is read; an immediate comes behind it.
  const window = setInterval(() => setImmediate(judge), pace.windowSeconds * 1000);
  const whole = setTimeout(
    () =>
      end(
        request,
        response,
        `The body took longer than the ${pace.maxSeconds} s of UPLOAD_MAX_TIME. Send smaller parts.`,
      ),
    pace.maxSeconds * 1000,
  );
  return [window, whole];
}

/** Answers, where nothing was answered yet, and closes the connection. */
function end(request: IncomingMessage, response: ServerResponse, why: string): void {
  const { socket } = request;
  // Who is answered has time to read it: see above.
  if (request.complete || socket.destroyed || response.writableFinished) return;
  if (response.headersSent) return void socket.destroy();
  // Closed at once, a connection on which something comes still is reset, and the answer is lost: its other end hears the end and has time to read.
  response.shouldKeepAlive = true;
  response.removeHeader('Connection');
  sendProblem(request, response, new ServiceError('body_too_slow', why), () => socket.end());
}
