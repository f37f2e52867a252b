/** Pictures as text: `data:` URLs and bare base64, read strictly. */
import { requestLimits } from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import type { EncodedImage } from "../generation/request.ts";

/**
 * The picture of an `image_url`. Its label is not believed: decoding goes by the bytes.
 *
 * @param param the field it came in, for the error
 * @throws PlatformError `invalid_image`
 */
export function imageFromUrl(url: string, param: string): EncodedImage {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === "data") return imageFromDataUrl(url.trimStart(), param);
  if (scheme === "http" || scheme === "https") {
    throw refuse(
      param,
      "is an http address; this version takes pictures as data: URLs only. Read the file and send data:image/png;base64,…",
    );
  }
  throw refuse(param, "is no data: URL. Send the picture as data:image/png;base64,…");
}

/**
 * A member of `images`: a `data:` URL or bare base64.
 *
 * @throws PlatformError `invalid_image`
 */
export function imageFromText(text: string, param: string): EncodedImage {
  return /^\s*[a-z][a-z0-9+.-]*:/i.test(text)
    ? imageFromUrl(text, param)
    : { bytes: decodeBase64(text, param) };
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
  if (packed === "") throw refuse(param, "is an empty picture. Send the bytes of a picture file.");
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) {
    throw refuse(
      param,
      "is not valid base64. Use the standard alphabet (A–Z a–z 0–9 + /) with = padding.",
    );
  }
  const numPadding = packed.endsWith("==") ? 2 : packed.endsWith("=") ? 1 : 0;
  const sizeBytes = (packed.length / 4) * 3 - numPadding;
  if (sizeBytes > requestLimits.maxImageBytes) {
    throw refuse(
      param,
      `is a picture of ${sizeBytes} bytes; the most is ${requestLimits.maxImageBytes}. Make it smaller: the model looks at no more than 4 tiles of it.`,
    );
  }
  return Buffer.from(packed, "base64");
}

function refuse(param: string, what: string): PlatformError {
  return new PlatformError("invalid_image", `"${param}" ${what}`, { details: { param } });
}
