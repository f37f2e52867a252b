/**
 * Bilinear resizing that gives Pillow's bytes: a triangle filter stretched to cover the source when
 * shrinking, in integers, one axis after the other, rounded to 8 bits after each pass.
 */
import type { RgbImage } from "../base/rgb-image.ts";

/**
 * How finely the filter's weights are rounded. `pillow`: 22 bits always, as Pillow and Meta's own
 * transform do (in the order of Pillow 13.0's passes). `torchvision`: as many bits as fit 16-bit weights, chosen per axis, as torchvision
 * does on a CPU with AVX2 or NEON. The results differ by at most one level.
 */
export type ResizePrecision = "pillow" | "torchvision";

const maxPrecisionBits = 22;
const numChannels = 3;

/** The filter of one axis: which source positions make up each output position, and how much. */
type AxisFilter = {
  readonly precisionBits: number;
  /** Weights per output position; the last ones are 0 where its window is shorter. */
  readonly windowSize: number;
  /** `[outSize]`: first source position of the window. */
  readonly starts: Int32Array;
  /** `[outSize]`: source positions in the window. */
  readonly lengths: Int32Array;
  /** `[outSize, windowSize]`: fixed-point weights with `precisionBits` fractional bits. */
  readonly weights: Int32Array;
};

/**
 * Resize a picture.
 *
 * A pass whose size does not change is skipped, so a picture that already has the size is returned
 * as it is.
 *
 * @param size in pixels, both at least 1
 * @see Pillow 13.0, `src/libImaging/Resample.c`, `precompute_coeffs` and `ImagingResample*_8bpc`
 * @see torchvision 0.28, `transforms/v2/functional/_geometry.py`, `resize`; the kernel is
 *   PyTorch's `aten/src/ATen/native/cpu/UpSampleKernel.cpp`, `_compute_index_ranges_int16_weights`
 */
export function resizeBilinear(
  image: RgbImage,
  size: { readonly width: number; readonly height: number },
  precision: ResizePrecision,
): RgbImage {
  if (precision === "pillow" && shrinksMostlyInHeight(image, size)) {
    return resizeWidth(resizeHeight(image, size.height, precision), size.width, precision);
  }
  return resizeHeight(resizeWidth(image, size.width, precision), size.height, precision);
}

/**
 * Whether Pillow takes the vertical pass first, which saves it work and changes some roundings.
 *
 * Pillow does so since 13.0; 12 and older, Meta's transform and torchvision never do.
 */
function shrinksMostlyInHeight(
  image: RgbImage,
  size: { readonly width: number; readonly height: number },
): boolean {
  const removedRows = image.height - size.height;
  return removedRows > 0 && removedRows > 2 * (image.width - size.width);
}

function resizeWidth(image: RgbImage, width: number, precision: ResizePrecision): RgbImage {
  if (image.width === width) return image;
  const { starts, lengths, weights, windowSize, precisionBits } = axisFilter(
    image.width,
    width,
    precision,
  );
  const source = image.pixels;
  const pixels = new Uint8ClampedArray(image.height * width * numChannels);
  const half = 1 << (precisionBits - 1);
  let to = 0;
  for (let y = 0; y < image.height; y++) {
    const rowStart = y * image.width * numChannels;
    for (let x = 0; x < width; x++) {
      let from = rowStart + at(starts, x) * numChannels;
      const firstWeight = x * windowSize;
      const end = firstWeight + at(lengths, x);
      // At most 255 · 2^22 and rounding, so every sum fits a 32-bit integer.
      let red = half;
      let green = half;
      let blue = half;
      for (let k = firstWeight; k < end; k++) {
        const weight = at(weights, k);
        red = (red + Math.imul(weight, at(source, from))) | 0;
        green = (green + Math.imul(weight, at(source, from + 1))) | 0;
        blue = (blue + Math.imul(weight, at(source, from + 2))) | 0;
        from += numChannels;
      }
      pixels[to] = red >> precisionBits;
      pixels[to + 1] = green >> precisionBits;
      pixels[to + 2] = blue >> precisionBits;
      to += numChannels;
    }
  }
  return { width, height: image.height, pixels: new Uint8Array(pixels.buffer) };
}

function resizeHeight(image: RgbImage, height: number, precision: ResizePrecision): RgbImage {
  if (image.height === height) return image;
  const { starts, lengths, weights, windowSize, precisionBits } = axisFilter(
    image.height,
    height,
    precision,
  );
  const rowSize = image.width * numChannels;
  const source = image.pixels;
  const pixels = new Uint8ClampedArray(height * rowSize);
  const half = 1 << (precisionBits - 1);
  for (let y = 0; y < height; y++) {
    const windowStart = at(starts, y) * rowSize;
    const firstWeight = y * windowSize;
    const end = firstWeight + at(lengths, y);
    const to = y * rowSize;
    for (let i = 0; i < rowSize; i++) {
      let from = windowStart + i;
      let sum = half;
      for (let k = firstWeight; k < end; k++) {
        sum = (sum + Math.imul(at(weights, k), at(source, from))) | 0;
        from += rowSize;
      }
      pixels[to + i] = sum >> precisionBits;
    }
  }
  return { width: image.width, height, pixels: new Uint8Array(pixels.buffer) };
}

function axisFilter(inSize: number, outSize: number, precision: ResizePrecision): AxisFilter {
  const scale = inSize / outSize;
  const support = Math.max(scale, 1);
  const windowSize = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outSize);
  const lengths = new Int32Array(outSize);
  const exact = new Float64Array(outSize * windowSize);
  const inverse = 1 / support;
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const length = Math.min(Math.trunc(center + support + 0.5), inSize) - start;
    const window = exact.subarray(out * windowSize, out * windowSize + length);
    let sum = 0;
    for (let k = 0; k < length; k++) {
      const weight = Math.max(0, 1 - Math.abs((start + k - center + 0.5) * inverse));
      window[k] = weight;
      sum += weight;
    }
    for (let k = 0; k < length; k++) window[k] = at(window, k) / sum;
    starts[out] = start;
    lengths[out] = length;
  }
  const precisionBits = precision === "pillow" ? maxPrecisionBits : int16PrecisionBits(exact);
  const one = 2 ** precisionBits;
  const weights = Int32Array.from(exact, (weight) => Math.trunc(weight * one + 0.5));
  return { precisionBits, windowSize, starts, lengths, weights };
}

/** The most fractional bits with which the largest weight still fits 16 bits, signed. */
function int16PrecisionBits(weights: Float64Array): number {
  const largest = weights.reduce((max, weight) => Math.max(max, weight), 0);
  let bits = 0;
  while (bits < maxPrecisionBits && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;
  return bits;
}

/** An element whose index is known to be inside; out of range would read as 0, never as `undefined`. */
function at(array: Uint8Array | Int32Array | Float64Array, index: number): number {
  return array[index] ?? 0;
}
