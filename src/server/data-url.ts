/** Pictures as text: `data:` URLs and bare base64, read strictly; addresses, to be read later. */
import { requestLimits } from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import type { EncodedImage, ImageSource } from "../generation/request.ts";

/**
 * The picture of an `image_url`. A label is not believed: decoding goes by the bytes. Whether an
 * address may be read is decided where it is fetched.
 *
 * @param param the field it came in, for the error
 * @throws PlatformError `invalid_image`, `unsupported_url_scheme`
 */
export function imageFromUrl(url: string, param: string): ImageSource {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case "data":
      return imageFromDataUrl(url.trimStart(), param);
    case "http":
    case "https":
    case "file":
      return { url: url.trim() };
    case undefined:
      throw refuse(param, "is no URL. Send the picture as data:image/png;base64,…");
    default:
      throw new PlatformError(
        "unsupported_url_scheme",
        `"${param}" begins with "${scheme.slice(0, 20)}:"; use https:, http: or a data: URL.`,
        { details: { param } },
      );
  }
}

/**
 * A picture that may be a URL or bare base64.
 *
 * @throws PlatformError `invalid_image`, `unsupported_url_scheme`
 */
export function imageFromText(text: string, param: string): ImageSource {
  return /^\s*[a-z][a-z0-9+.-]*:/i.test(text)
    ? imageFromUrl(text, param)
    : { bytes: decodeBase64(text, param) };
}

/**
 * A picture whose bytes are numbers in a list.
 *
 * @throws PlatformError `invalid_image`
 */
export function imageFromBytes(bytes: readonly unknown[], param: string): EncodedImage {
  if (bytes.length === 0) throw emptyPicture(param);
  refuseSize(bytes.length, param);
  if (!bytes.every(isByte)) {
    throw refuse(param, "is a list, but not one of bytes. Send numbers from 0 to 255, or base64.");
  }
  return { bytes: Buffer.from(bytes) };
}

export function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}

function imageFromDataUrl(url: string, param: string): EncodedImage {
  const comma = url.indexOf(",");
  // A header is a media type and a few parameters; what is longer is no header.
  if (comma === -1 || comma > 256) {
    throw refuse(param, "is a data: URL without a comma between its header and its data.");
  }
  const [mediaType = "", ...parameters] = url
    .slice("data:".length, comma)
    .toLowerCase()
    .split(";")
    .map((word) => word.trim());
  if (parameters.at(-1) !== "base64") {
    throw refuse(param, "is a data: URL that is not in base64. Send data:image/png;base64,…");
  }
  if (
    mediaType !== "" &&
    mediaType !== "application/octet-stream" &&
    !mediaType.startsWith("image/")
  ) {
    throw refuse(
      param,
      `is a data: URL of another type than a picture. Send data:image/png;base64,…`,
    );
  }
  return { bytes: decodeBase64(url.slice(comma + 1), param) };
}

/** The standard alphabet with its padding; line breaks and spaces are what some encoders add. */
function decodeBase64(text: string, param: string): Uint8Array {
  const packed = /\s/.test(text) ? text.replace(/\s+/g, "") : text;
  if (packed === "") throw emptyPicture(param);
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) {
    throw refuse(
      param,
      "is not valid base64. Use the standard alphabet (A–Z a–z 0–9 + /) with = padding.",
    );
  }
  const numPadding = packed.endsWith("==") ? 2 : packed.endsWith("=") ? 1 : 0;
  const sizeBytes = (packed.length / 4) * 3 - numPadding;
  refuseSize(sizeBytes, param);
  return Buffer.from(packed, "base64");
}

function refuseSize(sizeBytes: number, param: string): void {
  if (sizeBytes <= requestLimits.maxImageBytes) return;
  throw refuse(
    param,
    `is a picture of ${sizeBytes} bytes; the most is ${requestLimits.maxImageBytes}. Make it smaller: the model looks at no more than 4 tiles of it.`,
  );
}

function emptyPicture(param: string): PlatformError {
  return refuse(param, "is an empty picture. Send the bytes of a picture file.");
}

function refuse(param: string, what: string): PlatformError {
  return new PlatformError("invalid_image", `"${param}" ${what}`, { details: { param } });
}
