/**
 * Passwords → what is stored: scrypt, with its parameters beside, so that they can grow.
 *
 * One hash takes 128 MiB for a third of a second; few are made at once, and none on the event loop.
 *
 * @see RFC 7914
 */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import pLimit from "p-limit";
import { PlatformError } from "../base/errors.ts";

export const minPasswordLength = 10;
/** What is hashed is bounded before it is. */
const maxPasswordLength = 1_024;
const cost = { N: 2 ** 17, r: 8, p: 1 } as const;
const HASH_BYTES = 32;
const atOnce = pLimit(2);
/** Logins that may wait for their hash. */
const MAX_WAITING = 50;

/** @throws PlatformError `invalid_request` */
export function checkPassword(password: string): void {
  if (password.length >= minPasswordLength && password.length <= maxPasswordLength) return;
  throw new PlatformError(
    "invalid_request",
    `A password has ${minPasswordLength} to ${maxPasswordLength} characters; this one has ${password.length}.`,
    { details: { param: "password" } },
  );
}

/** @returns `scrypt$N$r$p$salt$hash`, the last two in base64 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, cost);
  const { N, r, p } = cost;
  return ["scrypt", N, r, p, salt.toString("base64"), hash.toString("base64")].join("$");
}

/**
 * Compare in constant time.
 *
 * @param stored `undefined` takes as long, and is wrong: who guesses names learns nothing
 */
export async function isPassword(password: string, stored: string | undefined): Promise<boolean> {
  const { salt, hash, ...parameters } = parseStored(stored ?? nobody);
  if (password.length > maxPasswordLength) return false;
  const given = await derive(password, salt, parameters);
  return timingSafeEqual(given, hash) && stored !== undefined;
}

type Parameters = { readonly N: number; readonly r: number; readonly p: number };

const nobody = [
  "scrypt",
  cost.N,
  cost.r,
  cost.p,
  Buffer.alloc(16).toString("base64"),
  Buffer.alloc(HASH_BYTES).toString("base64"),
].join("$");

function parseStored(
  stored: string,
): Parameters & { readonly salt: Buffer; readonly hash: Buffer } {
  const [scheme, N, r, p, salt, hash] = stored.split("$");
  if (scheme !== "scrypt" || salt === undefined || hash === undefined) {
    throw new Error("a stored password is not of a form that this program writes");
  }
  return {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, "base64"),
    hash: Buffer.from(hash, "base64"),
  };
}

/** @throws PlatformError `queue_full` */
async function derive(password: string, salt: Buffer, { N, r, p }: Parameters): Promise<Buffer> {
  if (atOnce.pendingCount >= MAX_WAITING) {
    throw new PlatformError("queue_full", "Too many logins at once. Try again in a moment.");
  }
  const maxmem = 256 * N * r;
  // The same letters may be written in several ways.
  const text = password.normalize("NFKC");
  return await atOnce(
    async () =>
      await new Promise<Buffer>((resolve, reject) => {
        scrypt(text, salt, HASH_BYTES, { N, r, p, maxmem }, (error, key) =>
          error === null ? resolve(key) : reject(error),
        );
      }),
  );
}
