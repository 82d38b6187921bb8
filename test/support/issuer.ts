import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';

export const ISSUER = 'https://issuer.test';
export const AUDIENCE = 'ml-pipeline';

interface Key {
  kid: string;
  algorithm: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
}

/** Who signs tokens: keys that come and go, and the address where their public halves are. */
export class Issuer {
  readonly #server: Server;
  readonly #keys: Key[] = [];
  /** What its address answers with instead of the keys. */
  failure: number | undefined;
  /** How often its keys were asked for. */
  asked = 0;

  private constructor() {
    this.#server = createServer((_request, response) => {
      this.asked++;
      response.statusCode = this.failure ?? 200;
      response.setHeader('content-type', 'application/jwk-set+json');
      response.end(JSON.stringify({ keys: this.#keys.map(({ publicJwk }) => publicJwk) }));
    });
  }

  static async start(...algorithms: string[]): Promise<Issuer> {
    const issuer = new Issuer();
    for (const algorithm of algorithms) await issuer.addKey(algorithm, algorithm.toLowerCase());
    issuer.#server.listen(0, '127.0.0.1');
    await once(issuer.#server, 'listening');
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
  }

  async addKey(algorithm: string, kid: string): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' };
    this.#keys.push({ kid, algorithm, privateKey, publicJwk });
  }

  removeKey(kid: string): Key {
    return this.#keys.splice(
      this.#keys.findIndex((key) => key.kid === kid),
      1,
    )[0]!;
  }

  publicJwk(at = 0): JWK {
    return this.#keys[at]!.publicJwk;
  }

  /** A token that is in order but for what is said otherwise; `undefined` leaves a claim out. */
  async sign(claims: JWTPayload = {}, { kid = this.#keys[0]!.kid, header = {} } = {}): Promise<string> {
    const { algorithm, privateKey } = this.#keys.find((key) => key.kid === kid)!;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const payload = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', iat: nowSeconds, exp: nowSeconds + 300, ...claims };
    return new SignJWT(payload).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token with any header, any claims and any signature. */
export const forge = (header: object, claims: object, signature = ''): string =>
  `${encode(header)}.${encode(claims)}.${signature}`;
