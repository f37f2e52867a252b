/**
 * The address of a picture, read once. The parsed URL is what is checked, and what is connected to.
 *
 * Names are refused here that can mean no public host; what the others resolve to is checked where
 * they are resolved.
 */
import { isIP } from "node:net";
import { PlatformError } from "../base/errors.ts";
import { isPublicAddress } from "./public-address.ts";

/** Last labels that never lead to the public internet: RFC 6761, 6762, 8375, 9476, and ICANN's own. */
const privateSuffixes: readonly string[] = [
  "localhost",
  "local",
  "internal",
  "home.arpa",
  "lan",
  "intranet",
  "corp",
  "home",
  "private",
  "onion",
  "alt",
  "test",
  "example",
  "invalid",
];

/** Characters; what servers take at most. */
const maxLength = 8 * 1024;

/**
 * @throws PlatformError `unsupported_url_scheme`, `url_not_allowed`
 */
export function parseHttpUrl(text: string): URL {
  const url = text.length <= maxLength && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw urlNotAllowed();
  if (url.protocol !== "http:" && url.protocol !== "https:") throw unsupportedScheme(url.protocol);
  // A port that is the scheme's own is empty once parsed.
  if (url.port !== "" || url.username !== "" || url.password !== "") throw urlNotAllowed();
  const host = bareHost(url);
  if (isIP(host) === 0 ? !mayBePublicName(host) : !isPublicAddress(host)) throw urlNotAllowed();
  return url;
}

/** Without the brackets of an IPv6 literal. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** One sentence for every reason: it must not tell what is there, nor whether anything is. */
export function urlNotAllowed(): PlatformError {
  return new PlatformError(
    "url_not_allowed",
    "The address of a picture is none that this server fetches: only public hosts, by http on port 80 or https on port 443, without a user name in it. Send the picture as a data: URL.",
  );
}

function unsupportedScheme(protocol: string): PlatformError {
  return new PlatformError(
    "unsupported_url_scheme",
    `The address of a picture begins with "${protocol.slice(0, 20)}"; use https:, http: or a data: URL.`,
  );
}

function mayBePublicName(host: string): boolean {
  const name = host.replace(/\.$/, "");
  const isSingleLabel = !name.includes(".");
  return (
    !isSingleLabel &&
    !privateSuffixes.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))
  );
}
