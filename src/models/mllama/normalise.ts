import type { ImageProcessorConfig } from "./processor-config.ts";

/**
 * What each sample value becomes when it is rescaled and normalised: 256 float32 numbers per channel.
 *
 * The two image backends of the reference round at different places (by at most 2.4e-7), so the table
 * follows `resizePrecision`, which names the backend.
 *
 * @returns `[3, 256]`: red, green, blue
 * @see transformers 5.18.0, `image_transforms.py`, `rescale` and `normalize` (Pillow), and
 *   `image_processing_backends.py`, `_fuse_mean_std_and_rescale_factor` (torchvision)
 */
export function normalisationTables(config: ImageProcessorConfig): readonly Float32Array[] {
  return config.mean.map((mean, channel) => {
    const std = config.std[channel] ?? 1;
    return Float32Array.from({ length: 256 }, (_, sample) =>
      config.resizePrecision === "pillow"
        ? pillowValue(sample, { mean, std, rescaleFactor: config.rescaleFactor })
        : torchvisionValue(sample, { mean, std, rescaleFactor: config.rescaleFactor }),
    );
  });
}

type Channel = { readonly mean: number; readonly std: number; readonly rescaleFactor: number };

const { fround } = Math;

function pillowValue(sample: number, { mean, std, rescaleFactor }: Channel): number {
  return fround(fround(fround(sample * rescaleFactor) - fround(mean)) / fround(std));
}

/** Here the rescaling is folded into mean and deviation. */
function torchvisionValue(sample: number, { mean, std, rescaleFactor }: Channel): number {
  const scale = fround(1 / rescaleFactor);
  const scaledMean = fround(fround(mean) * scale);
  return fround(fround(sample - scaledMean) / fround(fround(std) * scale));
}
