import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What was encrypted, and with which key. */
export interface Sealed {
  keyId: string;
  /** salt, nonce, tag, ciphertext */
  bytes: Uint8Array;
}

/** The keys of this installation by their ids. The first one writes; all of them read, so that a key can be replaced without a pause. */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly writeId: string;

  /** @throws Error without a key */
  constructor(keys: readonly { id: string; key: Buffer }[]) {
    const first = keys[0];
    if (!first) throw new Error('A ring of keys needs at least one.');
    this.writeId = first.id;
    this.#keys = new Map(keys.map(({ id, key }) => [id, key]));
  }

  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  /**
   * AES-256-GCM under a key of its own, derived by HKDF-SHA256 from the first key and a random salt: however much is written, no nonce meets
   * its key twice (NIST SP 800-38D limits one key to 2^32 random nonces).
   * @param context what it is for: it opens in the same context only
   */
  seal(plain: Uint8Array, context: string): Sealed {
    const salt = randomBytes(SALT_BYTES);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#derive(this.writeId, salt), nonce);
    cipher.setAAD(Buffer.from(context));
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    return { keyId: this.writeId, bytes: Buffer.concat([salt, nonce, cipher.getAuthTag(), text]) };
  }

  /** @throws Error for a key that is not in the ring, and for bytes that were changed or sealed in another context */
  open({ keyId, bytes }: Sealed, context: string): Uint8Array {
    if (!this.#keys.has(keyId))
      throw new Error(
        `It was encrypted with the key "${keyId.slice(0, 64)}", which ENCRYPTION_KEYS does not have. Put that key behind the first one.`,
      );
    if (bytes.length < SALT_BYTES + NONCE_BYTES + TAG_BYTES) throw new Error('The encrypted bytes are cut off.');
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const salt = at.subarray(0, SALT_BYTES);
    const nonce = at.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
    const tag = at.subarray(SALT_BYTES + NONCE_BYTES, SALT_BYTES + NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#derive(keyId, salt), nonce);
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(tag);
    try {
      return Buffer.concat([decipher.update(at.subarray(SALT_BYTES + NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    } catch {
      throw new Error(
        `The bytes do not open with the key "${keyId}": they were changed, or ENCRYPTION_KEYS has another key under its id.`,
      );
    }
  }

  #derive(keyId: string, salt: Uint8Array): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#keys.get(keyId)!, salt, 'mlops data key', KEY_BYTES));
  }
}

const ENTRY = /^([A-Za-z0-9_.-]{1,64}):([A-Za-z0-9+/_-]{43}=?)$/;

/**
 * Reads `id:base64,id:base64`, each key of 32 bytes.
 * @throws Error that says which entry is wrong, without showing any key
 */
export function parseKeys(text: string): { id: string; key: Buffer }[] {
  const keys = text.split(',').map((entry, at) => {
    const [, id, encoded] = ENTRY.exec(entry.trim()) ?? [];
    const key = Buffer.from(encoded ?? '', 'base64');
    if (id === undefined || key.length !== KEY_BYTES)
      throw new Error(
        `entry ${at + 1} is not id:base64 with ${KEY_BYTES} bytes. Make one with: echo "k1:$(openssl rand -base64 32)"`,
      );
    return { id, key };
  });
  const twice = keys.find(({ id }, at) => keys.findIndex((other) => other.id === id) !== at);
  if (twice) throw new Error(`the id "${twice.id}" is there twice. Give each key an id of its own, for ever.`);
  return keys;
}
