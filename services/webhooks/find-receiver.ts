import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { ServiceError } from '../../core/errors.js';
import { within } from '../within.js';

/** A receiver that was looked up and may be reached: exactly this address is connected to. */
export interface Receiver {
  url: URL;
  address: string;
  family: 4 | 6;
}

/** Networks that are not of the public internet: one's own machine, one's own network, the metadata service of a cloud. */
const PRIVATE_4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;
/** Of IPv6 only what is given out to the public is reached, less what leads back to addresses of IPv4 or is for examples. */
const PUBLIC_6 = ['2000::', 3] as const;
const PRIVATE_6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const privateList = new BlockList();
for (const [network, bits] of PRIVATE_4) privateList.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of PRIVATE_6) privateList.addSubnet(network, bits, 'ipv6');
const publicList = new BlockList();
publicList.addSubnet(...PUBLIC_6, 'ipv6');

export function isPublicAddress(address: string): boolean {
  if (!isIPv6(address)) return isIP(address) === 4 && !privateList.check(address, 'ipv4');
  return publicList.check(address, 'ipv6') && !privateList.check(address, 'ipv6');
}

/** As names are written in WEBHOOK_ALLOWED_HOSTS: lower case, an address of IPv6 without brackets. */
const hostOf = (url: URL) => url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');

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
  if (isIP(host) && !isPublicAddress(host)) throw forbidden(PRIVATE);
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

const LOOKUP_MS = 5000;
const PRIVATE = 'leads into a private network; an operator can allow its host with WEBHOOK_ALLOWED_HOSTS';

/**
 * Looks the host up, once: the answer is what is connected to, so that a name cannot mean another address a moment later.
 * @throws ServiceError `request_invalid` as above; Error when the name is not known
 */
export async function findReceiver(text: string, allowedHosts: readonly string[]): Promise<Receiver> {
  const url = checkReceiverUrl(text, allowedHosts);
  const host = hostOf(url);
  const found = await within(LOOKUP_MS, lookup(host, { all: true }));
  const isAllowed = allowedHosts.includes(host);
  // One private address among public ones is one too many.
  if (!isAllowed && !found.every(({ address }) => isPublicAddress(address))) throw forbidden(PRIVATE);
  const first = found[0];
  if (!first) throw new Error(`The name ${host} has no address.`);
  return { url, address: first.address, family: first.family === 6 ? 6 : 4 };
}
