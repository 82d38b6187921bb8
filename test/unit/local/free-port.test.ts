import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { choosePort, freePort, isPortFree } from '../../../infra/local/free-port.js';

async function whileTaken(work: (port: number) => Promise<void>): Promise<void> {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    await work(port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('ports', () => {
  it('are the wanted ones where they are free', async () => {
    const port = await freePort();
    expect(await freePort(port)).toBe(port);
    expect(await choosePort('--port', undefined, port)).toBe(port);
  });

  it('are other free ones where the usual one is taken', async () => {
    await whileTaken(async (taken) => {
      expect(await isPortFree(taken)).toBe(false);
      const other = await choosePort('--ui-port', undefined, taken);
      expect(other).not.toBe(taken);
      expect(await isPortFree(other)).toBe(true);
    });
  });

  it('are refused by name where one that was asked for is taken', async () => {
    await whileTaken(async (taken) => {
      await expect(choosePort('--ui-port', taken, 8233)).rejects.toThrow(
        `Port ${taken} is taken by another program. Stop that program, or choose another port: npm start -- --ui-port ${taken + 1}.`,
      );
    });
  });

  it('lie below the range of outgoing connections, so that none takes the port of a server that restarts', async () => {
    for (let i = 0; i < 20; i++) expect(await freePort(0)).toBeLessThan(32_768);
  });
});
