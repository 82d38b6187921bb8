import { lookup } from 'node:dns/promises';
import type { RequestOptions } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { within } from '../within.js';

/** An address that was looked up and may be reached: exactly this one is connected to. */
export interface CheckedAddress {
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

/** As names are written in settings that allow hosts: lower case, an address of IPv6 without brackets. */
export const hostOf = (url: URL) => url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');

/** Whether a URL names an address of a private network, without looking anything up. */
export const isPrivateHost = (host: string) => isIP(host) !== 0 && !isPublicAddress(host);

const LOOKUP_MS = 5000;

/**
 * Looks a host up, once: the answer is what is connected to, so that a name cannot mean another address a moment later.
 * @param isAllowed whether a private address will do
 * @returns undefined when it leads into a private network; one private address among public ones is one too many
 * @throws Error when the name is not known
 */
export async function findAddress(host: string, isAllowed: boolean): Promise<CheckedAddress | undefined> {
  const found = await within(LOOKUP_MS, lookup(host, { all: true }));
  if (!isAllowed && !found.every(({ address }) => isPublicAddress(address))) return undefined;
  const first = found[0];
  if (!first) throw new Error(`The name ${host} has no address.`);
  return { address: first.address, family: first.family === 6 ? 6 : 4 };
}

/** For a request: connects to the address that was checked, whatever the name means by now. */
export function lookupOf({ address, family }: CheckedAddress): RequestOptions['lookup'] {
  return (_host, options, answer) =>
    options.all ? answer(null, [{ address, family }]) : answer(null, address, family);
}
