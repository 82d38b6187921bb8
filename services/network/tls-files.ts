import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Files in PEM: whom this end trusts, and with what it shows who it is. */
export interface TlsFiles {
  /** Certificates of the authorities that the other end must have its own from; without it those that Node knows. */
  ca?: string;
  cert?: string;
  key?: string;
}

/** The contents of such files, as TLS wants them. */
export interface TlsMaterial {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

/** The settings that name the files, for messages. */
export type TlsSettingNames = Record<keyof TlsFiles, string>;

/**
 * Reads the files and looks whether they can work at all, so that a mistake is told by its setting instead of by a failed handshake.
 * @throws Error that names the setting, the file, and what is wrong with it
 */
export function readTlsFiles(files: TlsFiles, names: TlsSettingNames, now = new Date()): TlsMaterial {
  const material: TlsMaterial = {};
  for (const part of ['ca', 'cert', 'key'] as const)
    if (files[part] !== undefined) material[part] = readFile(files[part], names[part]);
  if (material.ca) readCertificate(material.ca, `${names.ca}=${files.ca}`);
  // That both are set, or neither, is looked at with the settings.
  if (!material.cert || !material.key) return material;
  const certificate = readCertificate(material.cert, `${names.cert}=${files.cert}`);
  const until = new Date(certificate.validTo);
  if (until < now)
    throw new Error(
      `${names.cert}=${files.cert}: the certificate has expired on ${until.toISOString()}. Put a new one in its place.`,
    );
  if (!holdsKey(certificate, material.key, `${names.key}=${files.key}`))
    throw new Error(
      `${names.key}=${files.key}: the key is not that of ${names.cert}=${files.cert}. Give both of the same certificate.`,
    );
  return material;
}

function readFile(path: string, name: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${name}=${path} cannot be read (${(error as NodeJS.ErrnoException).code}). Give a file in PEM.`, {
      cause: error,
    });
  }
}

/** The first certificate of a file. */
function readCertificate(pem: Buffer, where: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new Error(`${where} has no certificate in PEM.`, { cause: error });
  }
}

function holdsKey(certificate: X509Certificate, pem: Buffer, where: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem));
  } catch (error) {
    throw new Error(`${where} has no private key in PEM without a passphrase.`, { cause: error });
  }
}
