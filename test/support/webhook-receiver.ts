import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedMessage {
  headers: IncomingHttpHeaders;
  text: string;
  body: { id: string; sequence: number | null; type: string; timestamp: string; data: Record<string, unknown> };
}

/** A receiver of webhooks as any user would write one, which behaves as it is told. */
export class WebhookReceiver {
  readonly received: ReceivedMessage[] = [];
  answer: (response: ServerResponse, message: ReceivedMessage) => void = (response) => response.end();
  #server: Server | undefined;
  #port = 0;

  /** On the same port again after a stop. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const message = { headers: request.headers, text, body: JSON.parse(text) as ReceivedMessage['body'] };
        this.received.push(message);
        this.answer(response, message);
      });
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** As when its process is killed: open connections break. */
  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}

/** What a receiver does by the Standard Webhooks scheme before it believes a message. */
export function isSigned({ headers, text }: ReceivedMessage, secret: string): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const timestamp = String(headers['webhook-timestamp']);
  const expected = createHmac('sha256', key).update(`${headers['webhook-id']}.${timestamp}.${text}`).digest('base64');
  const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  return isFresh && headers['webhook-signature'] === `v1,${expected}`;
}
