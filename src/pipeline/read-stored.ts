/** Pictures that were sent as files before they are asked about. */
import { PlatformError } from "../base/errors.ts";
import { nobody, type Viewer } from "../base/viewer.ts";
import type { StoredImage } from "../generation/request.ts";
import { readImageHeader } from "../image/image-header.ts";

/** @throws PlatformError `not_found`, `invalid_image` when the file is larger than any picture may be */
export type ReadStored = (
  fileId: string,
  options: { readonly viewer: Viewer; readonly signal: AbortSignal },
) => Promise<Uint8Array>;

/** Where no files are kept. */
export const noStoredFiles: ReadStored = async () => {
  throw new PlatformError("not_found", "There is no such file: none are kept here.");
};

/**
 * The bytes of a stored picture. What goes wrong is said of the field that named the file.
 *
 * @throws PlatformError what `read` says; `invalid_image` when the file is no picture
 */
export async function readStoredImage(
  { fileId, field }: StoredImage,
  {
    read,
    viewer = nobody,
    signal,
  }: {
    readonly read: ReadStored;
    /** Who named the file. */
    readonly viewer: Viewer | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Uint8Array> {
  try {
    const bytes = await read(fileId, { viewer, signal });
    if (readImageHeader(bytes) !== undefined) return bytes;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    throw new PlatformError(error.code, `"${field}": ${error.message}`, {
      cause: error,
      details: { param: field },
    });
  }
  throw new PlatformError(
    "invalid_image",
    `"${field}" names a file that is no PNG, JPEG, WebP or GIF picture. Send its pages as pictures.`,
    { details: { param: field } },
  );
}
