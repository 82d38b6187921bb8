import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * What happens on the way: nothing; every connection is reset and none is let in; bytes go nowhere and nobody is told; bytes take a
 * while; the far end has forgotten the connections there are, and their owners do not know.
 */
export type Weather = 'clear' | 'reset' | 'black-hole' | 'latency' | 'half-open';

/** Of each way, in the weather `latency`. */
export const LATENCY_MS = 200;

/** One connection through the proxy. */
class Passage {
  #isForgotten = false;
  #hasSwallowed = false;

  constructor(
    readonly near: Socket,
    readonly far: Socket,
    private readonly weather: () => Weather,
  ) {
    this.#pass(near, far);
    this.#pass(far, near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => {
        // The owner of a forgotten connection is not told that the far end is gone.
        if (!(this.#isForgotten && one === far)) other.destroySoon();
      });
    }
  }

  #pass(from: Socket, to: Socket): void {
    let underWay = 0;
    from.on('data', (bytes: Buffer) => {
      if (this.#isForgotten) {
        this.#hasSwallowed = true;
        if (this.weather() === 'clear') this.reset();
        return;
      }
      // What comes behind delayed bytes stays behind them when the weather has cleared.
      if (this.weather() !== 'latency' && underWay === 0) return void to.write(bytes);
      underWay++;
      setTimeout(() => {
        underWay--;
        to.write(bytes);
      }, LATENCY_MS);
    });
  }

  /** The far end forgets; the near one learns of it as it would by TCP, when it sends something and the weather is clear. */
  forget(): void {
    this.#isForgotten = true;
    this.far.resetAndDestroy();
  }

  hold(): void {
    for (const end of [this.near, this.far]) end.pause();
  }

  clear(): void {
    for (const end of [this.near, this.far]) end.resume();
    // TCP sends what was not acknowledged again, and is told then.
    if (this.#isForgotten && this.#hasSwallowed) this.reset();
  }

  reset(): void {
    for (const end of [this.near, this.far]) end.resetAndDestroy();
  }
}

/** Stands between a client and a server on loopback, and spoils their connections when told to. */
export class UnrulyProxy {
  readonly #server: Server;
  readonly #passages = new Set<Passage>();
  #weather: Weather = 'clear';
  /** Where connections lead; known once the server behind has its port. */
  targetPort = 0;

  private constructor() {
    this.#server = createServer((near) => this.#open(near));
  }

  static async start(): Promise<UnrulyProxy> {
    const proxy = new UnrulyProxy();
    await new Promise<void>((resolve) => void proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #open(near: Socket): void {
    near.on('error', () => undefined);
    if (this.#weather === 'reset') return void near.resetAndDestroy();
    const passage = new Passage(near, connect(this.targetPort, '127.0.0.1'), () => this.#weather);
    this.#passages.add(passage);
    near.on('close', () => this.#passages.delete(passage));
    if (this.#weather === 'black-hole') passage.hold();
  }

  change(weather: Weather): void {
    this.#weather = weather;
    for (const passage of this.#passages) {
      if (weather === 'reset') passage.reset();
      else if (weather === 'black-hole') passage.hold();
      else if (weather === 'half-open') passage.forget();
      else if (weather === 'clear') passage.clear();
    }
  }

  async stop(): Promise<void> {
    for (const passage of this.#passages) passage.reset();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }
}
