import { readFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { createServer } from 'node:tls';

/** Ends TLS in front of a server that has none; who has no certificate of `ca` is refused. */
export async function startTlsProxy(
  files: { ca: string; cert: string; key: string },
  toPort: number,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const [ca, cert, key] = [files.ca, files.cert, files.key].map((path) => readFileSync(path));
  const open = new Set<{ destroy: () => void }>();
  const server = createServer({ ca, cert, key, requestCert: true, ALPNProtocols: ['h2'] }, (socket) => {
    const inner = connect(toPort, '127.0.0.1');
    for (const end of [socket, inner]) {
      open.add(end);
      end.on('error', () => (socket.destroy(), inner.destroy()));
      end.on('close', () => open.delete(end));
    }
    socket.pipe(inner).pipe(socket);
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const end of open) end.destroy();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}
