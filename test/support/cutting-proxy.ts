import { connect, createServer, type AddressInfo } from 'node:net';

/** Passes connections on to a server of this machine, and cuts them within their answers while `cuts` is above 0. */
export async function startCuttingProxy(toPort: number) {
  const state = {
    /** Connections that are still to be cut. */
    cuts: 0,
    /** Bytes of an answer after which it happens. */
    afterBytes: 0,
    /** What each request asked for, where it asked for a part. */
    ranges: [] as string[],
  };
  const server = createServer((near) => {
    const far = connect(toPort, '127.0.0.1');
    let answered = 0;
    near.on('data', (bytes) => {
      const range = /^range: *(.+)$/im.exec(bytes.toString('latin1'))?.[1];
      if (range !== undefined) state.ranges.push(range.trim());
      far.write(bytes);
    });
    far.on('data', (bytes) => {
      near.write(bytes);
      answered += bytes.length;
      if (state.cuts === 0 || answered < state.afterBytes) return;
      state.cuts--;
      // What was written goes out first, as it does when a machine on the way dies.
      near.end(() => near.destroy());
      far.destroy();
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroySoon());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    state,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => void server.close(),
  };
}
