/** How much of pictures is kept, in memory and on disk: from a launch's options to the engine's. */
import { join } from "node:path";
import { parseByteSize } from "../../base/byte-size.ts";
import { PlatformError } from "../../base/errors.ts";
import type { EngineLoadOptions } from "../engine.ts";
import type { NativeEngineOptions } from "./native-engine.ts";
import { PictureStore, type PictureStoreOptions } from "./picture-store.ts";

/** Some twenty pictures of four tiles for the 11B and the 90B together, or thousands for a small model. */
const DEFAULT_DISK_BYTES = 2 ** 32;

/** @throws PlatformError `invalid_request` for an option that is no amount of memory */
export function pictureCaches(
  { cacheDirectory, engineOptions = {} }: EngineLoadOptions,
  warn: PictureStoreOptions["warn"],
): Pick<NativeEngineOptions, "pictureBudgetBytes" | "pictureKeeper"> {
  const bytesOf = (option: string): number | undefined => {
    const value = engineOptions[option];
    if (value === undefined) return undefined;
    const isAmount = typeof value === "string" || typeof value === "number";
    const bytes = isAmount ? parseByteSize(`${value}`) : undefined;
    if (bytes !== undefined) return bytes;
    throw new PlatformError(
      "invalid_request",
      `--${option.replaceAll("_", "-")} is ${JSON.stringify(value)?.slice(0, 40)}, which is no amount of memory. Give one such as 512MB, 4GiB or 0.`,
      { details: { param: option } },
    );
  };
  const diskBytes = bytesOf("picture_cache_disk") ?? DEFAULT_DISK_BYTES;
  return {
    pictureBudgetBytes: bytesOf("picture_cache_memory"),
    pictureKeeper:
      cacheDirectory === undefined || diskBytes === 0
        ? undefined
        : new PictureStore({
            directory: join(cacheDirectory, "pictures"),
            budgetBytes: diskBytes,
            warn,
          }),
  };
}
