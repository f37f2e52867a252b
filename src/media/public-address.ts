/**
 * Whether an IP address belongs to the public internet. Pure; addresses are judged as numbers.
 *
 * Everything is refused that the IANA registries do not list as globally reachable unicast. An IPv6
 * address that carries an IPv4 address is judged by that one too.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
import ipaddr from "ipaddr.js";

/** Blocks of IPv4 that are not globally reachable, are not unicast, or reach a host's own platform. */
const refusedIpv4 = parseBlocks([
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared with a carrier; Alibaba's metadata service is 100.100.100.200
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local, and the metadata services of most clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments; Oracle's metadata service is 192.0.0.192
  "192.0.2.0/24", // documentation
  "192.31.196.0/24", // AS112: answers for private addresses
  "192.52.193.0/24", // AMT
  "192.88.99.0/24", // 6to4 relays, deprecated
  "192.168.0.0/16", // private
  "192.175.48.0/24", // AS112
  "198.18.0.0/15", // benchmarking
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and the broadcast address
  "168.63.129.16/32", // Azure's platform service: public in form, the host's own in fact
]);

/** The only block of IPv6 that is handed out as global unicast; RFC 4291, 2.4. */
const globalUnicastIpv6 = parseBlocks(["2000::/3"]);

/** NAT64: an IPv4 address that is reached through the network's translator; RFC 6052. */
const nat64 = parseBlocks(["64:ff9b::/96"]);

/** Parts of 2000::/3 that are not globally reachable, or wrap an address of somebody else's choice. */
const refusedIpv6 = parseBlocks([
  "2001::/23", // protocol assignments: Teredo, benchmarking, ORCHID
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4, deprecated
  "2620:4f:8000::/48", // AS112
  "3fff::/20", // documentation
]);

type Block = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, prefixLength: number];

/** @param address as the resolver or a parsed URL gives it, IPv6 without brackets */
export function isPublicAddress(address: string): boolean {
  // A zone, as in fe80::1%eth0, belongs to this machine's own links.
  if (address.includes("%") || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  return parsed instanceof ipaddr.IPv4 ? isPublicIpv4(parsed) : isPublicIpv6(parsed);
}

function isPublicIpv4(address: ipaddr.IPv4): boolean {
  return !isIn(address, refusedIpv4);
}

function isPublicIpv6(address: ipaddr.IPv6): boolean {
  const bytes = address.toByteArray();
  if (isIn(address, nat64)) return isPublicIpv4(new ipaddr.IPv4(bytes.slice(12)));
  if (!isIn(address, globalUnicastIpv6) || isIn(address, refusedIpv6)) return false;
  return !isIsatap(bytes) || isPublicIpv4(new ipaddr.IPv4(bytes.slice(12)));
}

/** An interface of RFC 5214 is `0000:5efe` or `0200:5efe`, then an IPv4 address. */
function isIsatap(bytes: readonly number[]): boolean {
  const [first, ...rest] = bytes.slice(8, 12);
  return (first === 0 || first === 2) && rest.join() === "0,94,254";
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, blocks: readonly Block[]): boolean {
  return blocks.some(
    ([network, prefixLength]) =>
      network.kind() === address.kind() && address.match(network, prefixLength),
  );
}

function parseBlocks(blocks: readonly string[]): readonly Block[] {
  return blocks.map((block) => ipaddr.parseCIDR(block));
}
