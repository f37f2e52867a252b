import { createHash } from "node:crypto";
import type { RgbImage } from "../base/rgb-image.ts";

/**
 * Hex SHA-256 over a picture's width, height and pixels: what caches of encoded pictures are keyed by.
 *
 * The sizes are part of it because a 2 × 3 and a 3 × 2 picture can hold the same bytes.
 *
 * @param owner whose picture it is: nobody learns from a cache, or from how long an answer took, that another has shown
 *   the same one
 */
export function contentHash(image: RgbImage, owner?: string): string {
  const size = new Uint8Array(8);
  const view = new DataView(size.buffer);
  view.setUint32(0, image.width, true);
  view.setUint32(4, image.height, true);
  const hash = createHash("sha256").update(size).update(image.pixels);
  return (owner === undefined ? hash : hash.update(owner)).digest("hex");
}
