import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range that systems hand out for outgoing connections, so that nobody takes a port while its server restarts. */
const FIRST_PORT = 20_000;
const LAST_PORT = 31_999;

/** Whether nothing listens on a loopback port. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** `wanted` where it is free, else any free port. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && wanted !== 0 && (await isPortFree(wanted))) return wanted;
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (await isPortFree(port)) return port;
  }
  throw new Error(
    `100 ports between ${FIRST_PORT} and ${LAST_PORT} were tried and none is free. Stop some programs and start again.`,
  );
}

/**
 * The port of a flag: exactly the one that was asked for, or `usual` where it is free and otherwise any.
 * @throws Error when a port that was asked for is taken.
 */
export async function choosePort(flag: string, asked: number | undefined, usual: number): Promise<number> {
  if (asked === undefined || asked === 0 || (await isPortFree(asked))) return freePort(asked ?? usual);
  throw new Error(
    `Port ${asked} is taken by another program. Stop that program, or choose another port: npm start -- ${flag} ${asked === 65_535 ? 0 : asked + 1}.`,
  );
}
