import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LATENCY_MS, UnrulyProxy } from '../../chaos/unruly-proxy.js';

let echo: Server;
let proxy: UnrulyProxy;
/** Ends of the server. */
let ends: Socket[];

beforeEach(async () => {
  ends = [];
  echo = createServer((socket) => {
    ends.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => void echo.listen(0, '127.0.0.1', resolve));
  proxy = await UnrulyProxy.start();
  proxy.targetPort = (echo.address() as AddressInfo).port;
});
afterEach(async () => {
  await proxy.stop();
  for (const end of ends) end.destroy();
  await new Promise((resolve) => void echo.close(resolve));
});

const closed = (socket: Socket) => new Promise<void>((resolve) => void socket.once('close', () => resolve()));

async function open(): Promise<{ socket: Socket; ask: (text: string) => Promise<string> }> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  // A reset may be quicker than the news that it was let in.
  await Promise.race([closed(socket), new Promise<void>((resolve) => void socket.once('connect', resolve))]);
  return {
    socket,
    async ask(text) {
      socket.write(text);
      return String((await once(socket, 'data'))[0]);
    },
  };
}

describe('a proxy that spoils connections', () => {
  it('passes bytes on while the weather is clear', async () => {
    const { ask } = await open();
    expect(await ask('one')).toBe('one');
    expect(await ask('two')).toBe('two');
  });

  it('resets the connections there are and lets none in, until it clears', async () => {
    const before = await open();
    await before.ask('one');
    const isClosed = closed(before.socket);
    proxy.change('reset');
    await isClosed;
    const during = await open();
    if (!during.socket.destroyed) await closed(during.socket);
    proxy.change('clear');
    expect(await (await open()).ask('two')).toBe('two');
  });

  it('passes nothing on in a black hole, and all of it when it clears', async () => {
    const { socket, ask } = await open();
    await ask('one');
    proxy.change('black-hole');
    let got = '';
    socket.on('data', (bytes) => (got += String(bytes)));
    socket.write('two');
    await sleep(50);
    expect(got).toBe('');
    const answered = once(socket, 'data');
    proxy.change('clear');
    await answered;
    expect(got).toBe('two');
  });

  it('delays bytes each way and keeps their order', async () => {
    const { socket, ask } = await open();
    await ask('one');
    proxy.change('latency');
    const startMs = performance.now();
    let got = '';
    socket.on('data', (bytes) => (got += String(bytes)));
    socket.write('two');
    await sleep(10);
    socket.write('three');
    await expect.poll(() => got, { timeout: 30_000 }).toBe('twothree');
    expect(performance.now() - startMs).toBeGreaterThan(2 * LATENCY_MS - 5);
  });

  it('leaves a connection open whose far end is gone, and resets it when it clears', async () => {
    const { socket, ask } = await open();
    await ask('one');
    const isGone = closed(ends[0]!);
    proxy.change('half-open');
    await isGone;
    socket.write('two');
    await sleep(50);
    expect(socket.destroyed).toBe(false);
    const isClosed = closed(socket);
    proxy.change('clear');
    await isClosed;
    expect(await (await open()).ask('three')).toBe('three');
  });
});
