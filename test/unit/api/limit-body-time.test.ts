import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { limitBodyTime } from '../../../api/limit-body-time.js';

const PACE = { maxSeconds: 30, leastRate: 1000, windowSeconds: 0.3 };

let server: Server | undefined;
afterEach(() => server?.closeAllConnections() ?? server?.close());

/** A server that reads every body as `read` does, and answers with its length. @returns its port */
async function listen(pace: typeof PACE, read?: (request: IncomingMessage) => Promise<number>): Promise<number> {
  server = createServer((request, response) => {
    response.setHeader('X-Correlation-Id', 'call-1');
    void (read ?? countBytes)(request).then(
      (bytes) => response.headersSent || response.end(String(bytes)),
      () => undefined,
    );
  });
  limitBodyTime(server, pace);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

async function countBytes(request: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  return bytes;
}

/** Sends pieces over and over until the connection ends, or all of `most` are sent. @returns what was answered */
async function drip(port: number, piece: string, { everyMs = 20, most = Infinity, path = '/data/uploads?format=csv' }) {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  let answer = '';
  socket.on('data', (bytes) => (answer += bytes.toString()));
  const closed = once(socket, 'close');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const chunk = `${piece.length.toString(16)}\r\n${piece}\r\n`;
  for (let sent = 0; sent < most && socket.writable && socket.bytesRead === 0; sent++) {
    socket.write(chunk);
    await sleep(everyMs);
  }
  if (socket.writable) socket.write('0\r\n\r\n');
  await closed;
  return answer;
}

describe('a body that goes to the disk as it comes', () => {
  it.each(['/data/uploads?format=csv', '/data/events/clicks'])(
    'is answered 408 where a caller trickles it to %s for ever, with what to do',
    async (path) => {
      const answer = await drip(await listen(PACE), 'x', { path });
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(
        JSON.parse(
          answer
            .split('\r\n\r\n')[1]!
            .replace(/^[0-9a-f]+\r\n/, '')
            .split('\r\n')[0]!,
        ),
      ).toEqual({
        type: 'urn:problem:body_too_slow',
        title: 'The body comes too slowly',
        status: 408,
        detail: expect.stringMatching(/^\d+ bytes of the body came in 0\.3 s; send at least 300 \(UPLOAD_MIN_RATE/),
        instance: path.split('?')[0],
        correlation_id: 'call-1',
      });
    },
  );

  it('is over for whoever reads it, too, once its connection is', async () => {
    let reading: Promise<unknown> | undefined;
    const port = await listen(PACE, (request) => {
      const counted = countBytes(request);
      reading = counted.catch((error: unknown) => error);
      return counted;
    });
    expect(await drip(port, 'x', {})).toMatch(/^HTTP\/1\.1 408 /);
    expect(await reading).toBeInstanceOf(Error);
  });

  it('may take many windows where enough of it comes in each', async () => {
    const answer = await drip(await listen(PACE), 'x'.repeat(500), { most: 60 });
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*30000/);
  });

  it('is answered 408 when it takes longer than UPLOAD_MAX_TIME, however fast it comes', async () => {
    const answer = await drip(await listen({ ...PACE, maxSeconds: 0.5 }), 'x'.repeat(500), {});
    expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*UPLOAD_MAX_TIME/);
  });

  it('is not held against the caller while we are the slow ones', async () => {
    const slowly = async (request: IncomingMessage) => {
      await sleep(4 * 300);
      return countBytes(request);
    };
    const answer = await drip(await listen(PACE, slowly), 'x'.repeat(50_000), { most: 10, everyMs: 0 });
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*500000/);
  });

  it('may come at any rate with UPLOAD_MIN_RATE 0, but not stop coming', async () => {
    const port = await listen({ ...PACE, leastRate: 0 });
    expect(await drip(port, 'x', { most: 60 })).toMatch(/^HTTP\/1\.1 200 [^]*60/);
    expect(await drip(port, 'x', { most: 2, everyMs: 1000 })).toMatch(/^HTTP\/1\.1 408 /);
  });
});
