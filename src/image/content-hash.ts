import { createHash } from "node:crypto";
import type { RgbImage } from "../base/rgb-image.ts";

/**
 * Hex SHA-256 over a picture's width, height and pixels: what caches of encoded pictures are keyed by.
 *
 * The sizes are part of it because a 2 × 3 and a 3 × 2 picture can hold the same bytes.
 */
export function contentHash(image: RgbImage): string {
  const size = new Uint8Array(8);
  const view = new DataView(size.buffer);
  view.setUint32(0, image.width, true);
  view.setUint32(4, image.height, true);
  return createHash("sha256").update(size).update(image.pixels).digest("hex");
}
