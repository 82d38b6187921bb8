import { Agent, createServer, request as sendRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 200;

/**
 * A load balancer as small as one can be: requests go to each ready backend in turn. It asks for readiness as balancers do, and tries nothing
 * twice, so that what a restart breaks is seen.
 */
export async function startRoundRobin(backends: () => readonly string[]) {
  const agent = new Agent({ keepAlive: true });
  let ready: readonly string[] = [];
  let turn = 0;
  const stopping = new AbortController();

  const isReady = (backend: string) =>
    fetch(`${backend}/health/ready`, { signal: AbortSignal.timeout(1000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  const look = async () => {
    const answers = await Promise.all(backends().map(async (one) => ((await isReady(one)) ? [one] : [])));
    ready = answers.flat();
  };
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await sleep(LOOK_EVERY_MS);
    }
  })();

  const forward = (incoming: IncomingMessage, answer: ServerResponse) => {
    const backend = ready[turn++ % Math.max(1, ready.length)];
    if (!backend) return void answer.writeHead(503).end('{"detail":"no backend is ready"}');
    const { hostname, port } = new URL(backend);
    const outgoing = sendRequest(
      { hostname, port, agent, method: incoming.method, path: incoming.url, headers: incoming.headers },
      (received) => {
        answer.writeHead(received.statusCode!, received.headers);
        received.pipe(answer);
      },
    );
    outgoing.on('error', (error) => {
      if (answer.headersSent) answer.destroy();
      else answer.writeHead(502).end(JSON.stringify({ detail: `${backend}: ${error.message}` }));
    });
    incoming.pipe(outgoing);
  };
  const server = createServer(forward);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await look();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isReady: (backend: string) => ready.includes(backend),
    async stop() {
      stopping.abort();
      await looking;
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}
