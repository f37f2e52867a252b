/** Random secrets that are shown once, and the hashes that are kept of them. */
import { createHash, randomBytes } from "node:crypto";

/** 256 bits, in letters that survive URLs and shells. */
export function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** For secrets that are long and random; never for passwords. */
export function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
