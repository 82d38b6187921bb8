import { ServiceError } from '../../core/errors.js';
import { findAddress, hostOf, isPrivateHost, type CheckedAddress } from '../network/find-address.js';

/** A receiver that was looked up and may be reached: exactly this address is connected to. */
export interface Receiver extends CheckedAddress {
  url: URL;
}

const forbidden = (message: string) =>
  new ServiceError('request_invalid', `The webhook is not possible: url ${message}.`, [{ path: 'url', message }]);

/**
 * Looks at an address without looking it up.
 * @throws ServiceError `request_invalid` for credentials in it, for http to a host that is not in WEBHOOK_ALLOWED_HOSTS, and for an
 * address of a private network
 */
function checkReceiverUrl(text: string, allowedHosts: readonly string[]): URL {
  const url = new URL(text);
  const host = hostOf(url);
  if (url.username || url.password)
    throw forbidden('must have no user and no password: everybody who lists webhooks sees it');
  if (allowedHosts.includes(host)) return url;
  if (url.protocol !== 'https:') throw forbidden(`must begin with https://, or its host be in WEBHOOK_ALLOWED_HOSTS`);
  if (isPrivateHost(host)) throw forbidden(PRIVATE);
  return url;
}

/**
 * What a new webhook is held to. A name that is not known yet may be known by the time of the first message, and is looked up each time.
 * @throws ServiceError `request_invalid`
 */
export async function checkReceiver(text: string, allowedHosts: readonly string[]): Promise<void> {
  await findReceiver(text, allowedHosts).catch((error: unknown) => {
    if (error instanceof ServiceError) throw error;
  });
}

const PRIVATE = 'leads into a private network; an operator can allow its host with WEBHOOK_ALLOWED_HOSTS';

/**
 * Looks the host up, once: the answer is what is connected to, so that a name cannot mean another address a moment later.
 * @throws ServiceError `request_invalid` as above; Error when the name is not known
 */
export async function findReceiver(text: string, allowedHosts: readonly string[]): Promise<Receiver> {
  const url = checkReceiverUrl(text, allowedHosts);
  const host = hostOf(url);
  const found = await findAddress(host, allowedHosts.includes(host));
  if (!found) throw forbidden(PRIVATE);
  return { url, ...found };
}
