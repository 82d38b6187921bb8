import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as x509 from '@peculiar/x509';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const DAYS = 30;

type KeyPair = webcrypto.CryptoKeyPair;

/** Files in PEM of one certificate. */
export interface CertificateFiles {
  /** Of the authority. */
  ca: string;
  cert: string;
  key: string;
}

/** What a certificate says. */
export interface CertificateRequest {
  /** Of its files, and of its holder. */
  name: string;
  /** Names and addresses of the server that it is for. */
  hosts?: readonly string[];
  /** One that has expired where this is in the past. */
  until?: Date;
}

/** An authority for trying TLS out: it makes certificates for servers and clients into a folder. Nothing but a test should trust it. */
export class TestAuthority {
  private constructor(
    private readonly folder: string,
    private readonly keys: KeyPair,
    private readonly own: x509.X509Certificate,
    /** The certificate of the authority, for those who are to trust it. */
    readonly ca: string,
  ) {}

  /** @param folder is made if it is not there @param name of the authority and of its file */
  static async create(folder: string, name = 'ca'): Promise<TestAuthority> {
    mkdirSync(folder, { recursive: true });
    const keys = await makeKeys();
    const own = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=test authority ${name}`,
      keys,
      signingAlgorithm: EC,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAYS * DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const ca = join(folder, `${name}.pem`);
    writeFileSync(ca, `${own.toString('pem')}\n`);
    return new TestAuthority(folder, keys, own, ca);
  }

  /** Makes a certificate for a server, a client, or both: `{name}.pem` and `{name}-key.pem`. */
  async issue({
    name,
    hosts = [],
    until = new Date(Date.now() + DAYS * DAY_MS),
  }: CertificateRequest): Promise<CertificateFiles> {
    const keys = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: this.own.subject,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: EC,
      notBefore: new Date(Math.min(Date.now(), until.getTime()) - DAY_MS),
      notAfter: until,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        await x509.AuthorityKeyIdentifierExtension.create(this.keys.publicKey),
        ...(hosts.length > 0
          ? [
              new x509.SubjectAlternativeNameExtension(
                hosts.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value })),
              ),
            ]
          : []),
      ],
    });
    const files = { ca: this.ca, cert: join(this.folder, `${name}.pem`), key: join(this.folder, `${name}-key.pem`) };
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    writeFileSync(files.cert, `${certificate.toString('pem')}\n`);
    writeFileSync(
      files.key,
      `-----BEGIN PRIVATE KEY-----\n${pkcs8.replaceAll(/(.{64})/g, '$1\n').trimEnd()}\n-----END PRIVATE KEY-----\n`,
      { mode: 0o600 },
    );
    return files;
  }
}

const makeKeys = () => webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']) as Promise<KeyPair>;

const HELP = `npm run test-ca -- --to FOLDER [--host NAME_OR_ADDRESS …] [--client NAME …]

Makes an authority, a certificate for a server of these hosts (localhost, 127.0.0.1 and ::1 unless given), and one for each client.
For trying out only: the key of the authority is thrown away, and the certificates last ${DAYS} days.
`;

/** `npm run test-ca`. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      to: { type: 'string' },
      host: { type: 'string', multiple: true },
      client: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help || values.to === undefined) {
    process.stdout.write(HELP);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const authority = await TestAuthority.create(resolve(values.to));
  const server = await authority.issue({ name: 'server', hosts: values.host ?? ['localhost', '127.0.0.1', '::1'] });
  const lines = [`TLS_CERT_FILE=${server.cert}`, `TLS_KEY_FILE=${server.key}`, `NODE_EXTRA_CA_CERTS=${authority.ca}`];
  for (const name of values.client ?? ['client']) await authority.issue({ name });
  process.stdout.write(`${lines.join('\n')}\n`);
}

if (process.argv[1]?.endsWith('test-authority.js')) await main();
