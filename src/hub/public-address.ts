/**
 * Which addresses lie on the public internet.
 *
 * A hub that redirects us to a machine inside our own network would have us fetch, and store, what only
 * we can reach.
 */
import { lookup as lookupAddresses } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

/** Judged as a number; an IPv6 address that carries an IPv4 address is judged by that one. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "unicast";
}

/** Whether a URL's host has an address that is not public. What cannot be looked up here (behind a proxy) has none. */
export async function isPrivateHost(url: URL): Promise<boolean> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0) return !isPublicAddress(host);
  const found = await lookupAddresses(host, { all: true }).catch(() => []);
  return found.some(({ address }) => !isPublicAddress(address));
}

/** For connections: looks a name up once, and hands on only what it has checked. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookupAddresses(hostname, { ...options, all: true }).then(
    (found) => {
      const refused = found.find(({ address }) => !isPublicAddress(address));
      const [first] = found;
      if (refused !== undefined || first === undefined) {
        callback(new PrivateAddressError(hostname), []);
      } else if (options.all === true) {
        callback(null, found);
      } else {
        callback(null, first.address, first.family);
      }
    },
    (error: NodeJS.ErrnoException) => callback(error, []),
  );
};

export class PrivateAddressError extends Error {
  override readonly name = "PrivateAddressError";
  readonly code = "ERR_PRIVATE_ADDRESS";

  constructor(hostname: string) {
    super(`${hostname} is at a private address`);
  }
}
