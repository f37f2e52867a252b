/**
 * Lay decoded samples over white and keep red, green and blue.
 *
 * Rounds as Pillow's `alpha_composite` over an opaque white picture does, in its integers: 7 more bits
 * than the sample while multiplying, then division by 255. libvips' `flatten` truncates and is off by
 * one on half of all samples.
 *
 * @param samples `[height, width, numChannels]`; grey, grey and alpha, RGB or RGBA. RGBA is
 *   overwritten, to save a second copy of a large picture.
 * @returns `[height, width, 3]`
 * @see Pillow 13.0, `src/libImaging/AlphaComposite.c`
 */
export function flattenOnWhite(samples: Uint8Array, numChannels: number): Uint8Array {
  if (numChannels === 3) return samples;
  const numPixels = samples.length / numChannels;
  const hasAlpha = numChannels === 2 || numChannels === 4;
  const isGrey = numChannels < 3;
  const rgb = isGrey ? new Uint8Array(numPixels * 3) : samples;
  for (let pixel = 0; pixel < numPixels; pixel++) {
    const from = pixel * numChannels;
    const alpha = hasAlpha ? (samples[from + numChannels - 1] ?? 0) : 255;
    const to = pixel * 3;
    for (let channel = 0; channel < 3; channel++) {
      const sample = samples[isGrey ? from : from + channel] ?? 0;
      rgb[to + channel] = alpha === 255 ? sample : overWhite(sample, alpha);
    }
  }
  return rgb.subarray(0, numPixels * 3);
}

/** One sample of straight alpha over white, both 0 to 255. */
export function overWhite(sample: number, alpha: number): number {
  const weight = alpha << 7;
  const sum = sample * weight + 255 * ((255 << 7) - weight) + (0x80 << 7);
  return (((sum >> 8) + sum) >> 8) >> 7;
}
