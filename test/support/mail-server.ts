import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  to: string[];
  /** Headers and text, as they came. */
  text: string;
}

/** A mail server with a password, which keeps what it gets. */
export class MailServer {
  static readonly PASSWORD = 'kept-out-of-logs';
  readonly received: ReceivedMail[] = [];
  readonly #server: SMTPServer;

  constructor() {
    this.#server = new SMTPServer({
      hideSTARTTLS: true,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) =>
        password === MailServer.PASSWORD ? done(null, { user: username }) : done(new Error('a wrong password')),
      onData: (stream, { envelope }, done) => {
        let text = '';
        stream.on('data', (chunk) => (text += String(chunk)));
        stream.on('end', () => {
          this.received.push({ to: envelope.rcptTo.map(({ address }) => address), text });
          done();
        });
      },
    });
  }

  async start(): Promise<void> {
    const listener = this.#server.listen(0, '127.0.0.1');
    if (!listener.listening) await once(listener, 'listening');
  }

  get url(): string {
    const { port } = this.#server.server.address() as AddressInfo;
    return `smtp://service:${MailServer.PASSWORD}@127.0.0.1:${port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
