import { connect, type Socket } from 'node:net';

/** What came back of requests that were sent over plain sockets. */
export interface SocketLoad {
  /** Answers by status; 0: the connection ended first. */
  statuses: Map<number, number>;
  /** Milliseconds from when each answered request was sent to the end of its 200. */
  latenciesMs: number[];
  /** Requests that fell due while no connection was free, or was there at all. */
  unsent: number;
}

interface Connection {
  socket: Socket;
  sentMs: number;
  isBusy: boolean;
  /** Bytes of the answer that are still to come; -1 before its head is read. */
  left: number;
}

/** An HTTP request that keeps its connection. */
export function rawRequest(url: string, path: string, body: string): Buffer {
  const { host } = new URL(url);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/**
 * Sends requests over so many kept connections with a tenth of the work that an HTTP client has, so that a driver of one core can ask
 * for more than a server of one core can do.
 * @param perSecond requests fall due at this rate, whatever comes back, and take a connection that is free; undefined: each
 * connection sends its next request when the last one is answered
 */
export async function runSocketLoad(options: {
  url: string;
  requests: readonly Buffer[];
  connections: number;
  seconds: number;
  perSecond?: number;
}): Promise<SocketLoad> {
  const { url, requests, connections, seconds, perSecond } = options;
  const { hostname, port } = new URL(url);
  const load: SocketLoad = { statuses: new Map(), latenciesMs: [], unsent: 0 };
  const idle: Connection[] = [];
  let next = 0;
  let isOver = false;
  const send = (connection: Connection) => {
    connection.isBusy = true;
    connection.sentMs = performance.now();
    connection.left = -1;
    connection.socket.write(requests[next++ % requests.length]!);
  };
  const finish = (connection: Connection, status: number) => {
    if (!connection.isBusy) return;
    connection.isBusy = false;
    if (!isOver) load.statuses.set(status, (load.statuses.get(status) ?? 0) + 1);
    if (status === 200 && !isOver) load.latenciesMs.push(performance.now() - connection.sentMs);
    if (isOver || status === 0) return;
    if (perSecond === undefined) send(connection);
    else idle.push(connection);
  };
  const all = await Promise.all(Array.from({ length: connections }, () => open(hostname, Number(port), finish)));
  // To open thousands of connections takes a while, in which nothing falls due.
  const startMs = performance.now();
  if (perSecond === undefined) for (const connection of all) send(connection);
  else idle.push(...all);
  for (let sent = 0; performance.now() - startMs < seconds * 1000;) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const nowMs = performance.now();
    for (; sent < ((perSecond ?? 0) * (nowMs - startMs)) / 1000; sent++) {
      let free = idle.pop();
      // Turned away when it came, or closed since.
      while (free?.socket.destroyed) free = idle.pop();
      if (free) send(free);
      else load.unsent++;
    }
  }
  isOver = true;
  for (const { socket } of all) socket.destroy();
  return load;
}

function open(host: string, port: number, finish: (of: Connection, status: number) => void): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const connection: Connection = { socket, sentMs: 0, isBusy: false, left: -1 };
    let status = 0;
    socket.setNoDelay(true);
    socket.once('connect', () => resolve(connection));
    socket.once('error', reject);
    socket.on('close', () => finish(connection, 0));
    socket.on('data', (chunk) => {
      let body = chunk.length;
      if (connection.left < 0) {
        // The head of an answer comes in one piece with the beginning of its body.
        const end = chunk.indexOf('\r\n\r\n');
        const head = chunk.toString('latin1', 0, end);
        status = Number(head.slice(9, 12));
        connection.left = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        body = chunk.length - end - 4;
      }
      connection.left -= body;
      if (connection.left <= 0) finish(connection, status);
    });
  });
}
