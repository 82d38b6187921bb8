import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { lookupOf } from '../network/find-address.js';
import type { Receiver } from './find-receiver.js';

/** From looking up the name to the status. */
const TIMEOUT_MS = 10_000;
/** Nothing of an answer but its status is used; so much is read, so that the connection ends in good order. */
const MOST_BYTES = 16_384;

/**
 * Posts a message and waits for the status. Redirects are not followed: they are an answer like any other.
 * @throws Error when there is no answer within 10 s
 */
export function postMessage(
  receiver: Receiver,
  message: { headers: Record<string, string>; body: string },
): Promise<number> {
  const { url } = receiver;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    const post = url.protocol === 'https:' ? requestHttps : requestHttp;
    const sent = post(
      url,
      {
        method: 'POST',
        agent: false,
        signal,
        lookup: lookupOf(receiver),
        headers: {
          ...message.headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(message.body),
          'user-agent': 'ml-pipeline-service',
        },
      },
      (answer) => {
        drain(answer);
        resolve(answer.statusCode ?? 0);
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) =>
      reject(signal.aborted ? new Error(`There was no answer within ${TIMEOUT_MS / 1000} s.`) : error),
    );
    sent.end(message.body);
  });
}

function drain(answer: IncomingMessage): void {
  let bytes = 0;
  answer.on('error', () => answer.destroy());
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) answer.destroy();
  });
}
