import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { NextFunction, Request, Response } from 'express';
import { ServiceError } from '../../core/errors.js';

/** Who looks whether the process lives has no certificate. */
const PROBES = ['/health/live', '/health/ready'];

/** Whether a caller has shown a certificate of the authorities of TLS_CLIENT_CA_FILE. */
export const hasCertificate = ({ socket }: IncomingMessage): boolean => (socket as TLSSocket).authorized;

/**
 * Lets nobody through without a certificate, but probes.
 * @throws ServiceError `certificate_refused`
 */
export function requireCertificate(request: Request, _response: Response, next: NextFunction): void {
  if (hasCertificate(request) || PROBES.includes(request.path)) return next();
  const socket = request.socket as TLSSocket;
  const isShown = Object.keys(socket.getPeerCertificate()).length > 0;
  const reason = String((socket.authorizationError as Error | string | undefined) ?? '');
  throw new ServiceError(
    'certificate_refused',
    isShown
      ? `The client certificate is not taken (${WHY[reason] ?? reason}). Use one of an authority that this service trusts.`
      : 'This service takes calls with a client certificate only. Send one of an authority that it trusts.',
  );
}

const WHY: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'it is of another authority',
  UNABLE_TO_GET_ISSUER_CERT: 'it is of another authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'it is of another authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'it is of another authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is of no authority',
};
