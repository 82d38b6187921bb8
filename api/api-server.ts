import { createHash } from 'node:crypto';
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { readTlsFiles, type TlsFiles, type TlsMaterial } from '../services/network/tls-files.js';
import { API_SERVER_TLS } from '../services/network/tls-settings.js';
import type { Logger } from '../services/telemetry/logger.js';

/** Secrets of Kubernetes and certificates of ACME are replaced under way: this is how soon a new one is shown. */
const LOOK_EVERY_MS = 5000;
/** Who opens a connection and says nothing must not keep it. */
const HANDSHAKE_MS = 10_000;
const LIMITS = {
  requestTimeout: 0,
  headersTimeout: 10_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5000,
};

/**
 * The server of the API: plain, or with TLS of its own. Callers without a certificate get as far as `requireCertificate`, which tells them what is
 * wrong; a refusal in the handshake would not, and probes could not look.
 * @throws Error that says what is wrong with the certificates
 */
export function createApiServer(tls: TlsFiles | undefined, listener: RequestListener, logger: Logger): Server {
  if (!tls) return createPlainServer(LIMITS, listener);
  const material = readTlsFiles(tls, API_SERVER_TLS);
  const server = createTlsServer({ ...LIMITS, ...optionsOf(material), handshakeTimeout: HANDSHAKE_MS }, listener);
  let shown = digestOf(material);
  let isTold = false;
  const look = () => {
    try {
      const next = readTlsFiles(tls, API_SERVER_TLS);
      const digest = digestOf(next);
      isTold = false;
      if (digest === shown) return;
      server.setSecureContext(optionsOf(next));
      shown = digest;
      logger.info('the API shows its new certificate');
    } catch (error) {
      if (!isTold)
        logger.error({ err: error }, 'the new certificate cannot be used; the API goes on with the former one');
      isTold = true;
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  server.once('close', () => clearInterval(timer));
  return server;
}

function optionsOf(material: TlsMaterial): ServerOptions {
  return {
    ...material,
    minVersion: 'TLSv1.2',
    ...(material.ca ? { requestCert: true, rejectUnauthorized: false } : {}),
  };
}

const digestOf = ({ ca, cert, key }: TlsMaterial) =>
  createHash('sha256')
    .update(JSON.stringify([ca, cert, key].map((part) => part?.toString('latin1'))))
    .digest('hex');
