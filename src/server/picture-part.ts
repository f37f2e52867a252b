/** A part of a message that is a picture, in any of the forms that clients send → ours. Pure. */
import {
  type ChatContentPart,
  type ImagePart,
  type PictureData,
  type PicturePart,
  pictureParts,
} from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import type { ImageSource } from "../generation/request.ts";
import { imageFromBytes, imageFromText, imageFromUrl } from "./data-url.ts";
import { ignoredIn, isEmpty } from "./known-fields.ts";

/**
 * @param field where the part stands, such as `messages[0].content[1]`
 * @throws PlatformError `invalid_image`, `unsupported_url_scheme`, `unsupported_parameter` for a file
 *   that is no picture
 */
export function imageFromPart(part: PicturePart, field: string): ImageSource {
  switch (part.type) {
    case "image_url":
      return imageFromImageUrl(part.image_url, part["detail"], field);
    case "input_image":
      if (part.image_url != null) return imageFromImageUrl(part.image_url, part.detail, field);
      if (part.file_id == null) throw noPicture(field, '"image_url" or "file_id"');
      return withDetail(storedImage(part.file_id, `${field}.file_id`), part.detail);
    case "input_file":
      return withDetail(imageFromInputFile(part, field), part.detail);
    case "image":
      return imageFromImagePart(part, field);
    case "file":
      return imageFromFilePart(part, field);
    default:
      return part satisfies never;
  }
}

/** One tile is the least there is; `auto` and `high` are as many as suit the picture. */
function withDetail(source: ImageSource, detail: unknown): ImageSource {
  return detail === "low" ? { ...source, maxTiles: 1 } : source;
}

function imageFromImageUrl(
  image: string | { readonly url: string; readonly detail?: string | null | undefined },
  beside: unknown,
  field: string,
): ImageSource {
  const url = typeof image === "string" ? image : image.url;
  const inside = typeof image === "string" ? undefined : image.detail;
  return withDetail(imageFromUrl(url, `${field}.image_url`), beside ?? inside);
}

function storedImage(fileId: string, field: string): ImageSource {
  return { fileId, field };
}

/** OpenAI reads documents in this way; of them there are none here, and pictures tell themselves. */
function imageFromInputFile(
  part: Extract<PicturePart, { type: "input_file" }>,
  field: string,
): ImageSource {
  if (part.file_id != null) return storedImage(part.file_id, `${field}.file_id`);
  if (part.file_data != null) return imageFromText(part.file_data, `${field}.file_data`);
  if (part.file_url != null) return imageFromUrl(part.file_url, `${field}.file_url`);
  throw noPicture(field, '"file_id", "file_data" or "file_url"');
}

export function isTextPart(part: ChatContentPart): part is Exclude<ChatContentPart, PicturePart> {
  return part.type === "text" || part.type === "input_text";
}

/**
 * What the parts of a message carry that nothing reads.
 *
 * @param others what is read in parts of types that are no text or picture
 */
export function ignoredInParts(
  content: unknown,
  where: string,
  others: Readonly<Record<string, readonly string[]>> = {},
): string[] {
  if (!Array.isArray(content)) return [];
  return content.flatMap((part: { readonly type: string }) =>
    ignoredIn(part, where, {
      known: others[part.type] ?? readInParts[part.type] ?? readInText,
      hints: nothingInParts,
    }),
  );
}

const readInText = ["type", "text", "refusal"];

/** What texts of ours have, and clients send back. */
const nothingInParts = { annotations: isEmpty, logprobs: isEmpty };

/** A label is not read, nor missed. */
const labels = ["filename", "id", "mediaType", "media_type", "mimeType", "mime_type"];

const readInParts: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  pictureParts.map(({ shape }) => [shape.type.value, [...Object.keys(shape), "detail", ...labels]]),
);

/**
 * A picture's bytes as text or numbers, or its address.
 *
 * @throws PlatformError `invalid_image`, `unsupported_url_scheme`
 */
export function imageFromData(data: PictureData, field: string): ImageSource {
  if (typeof data === "string") return imageFromText(data, field);
  return imageFromBytes("data" in data ? data.data : data, field);
}

/** @throws PlatformError `invalid_image`, `unsupported_url_scheme` */
export function imageFromImagePart(part: ImagePart, field: string): ImageSource {
  const { source, base64, data, url, image } = part;
  if (source != null) {
    if (source.type === "file") return storedImage(source.file_id, `${field}.source.file_id`);
    return source.type === "url"
      ? imageFromUrl(source.url, `${field}.source.url`)
      : imageFromText(source.data, `${field}.source.data`);
  }
  if (base64 != null) return imageFromText(base64, `${field}.base64`);
  if (data != null) return imageFromData(data, `${field}.data`);
  if (url != null) return imageFromUrl(url, `${field}.url`);
  if (image != null) return imageFromData(image, `${field}.image`);
  throw noPicture(field, '"source", "base64", "data", "url" or "image"');
}

function imageFromFilePart(
  part: Extract<PicturePart, { type: "file" }>,
  field: string,
): ImageSource {
  const mediaType = part.mediaType ?? part.media_type ?? part.mimeType ?? part.mime_type;
  if (mediaType != null && !/^image\//i.test(mediaType)) {
    throw new PlatformError(
      "unsupported_parameter",
      `"${field}" is a file of the type ${JSON.stringify(mediaType.slice(0, 40))}; files are read only when they are pictures. Send its pages as pictures.`,
      { details: { param: field } },
    );
  }
  if (part.file?.file_data != null) {
    return imageFromText(part.file.file_data, `${field}.file.file_data`);
  }
  if (part.file?.file_id != null) return storedImage(part.file.file_id, `${field}.file.file_id`);
  if (part.data != null) return imageFromData(part.data, `${field}.data`);
  if (part.url != null) return imageFromUrl(part.url, `${field}.url`);
  throw noPicture(field, '"data", "url", "file.file_data" or "file.file_id"');
}

function noPicture(field: string, wanted: string): PlatformError {
  return new PlatformError("invalid_image", `"${field}" holds no picture: give it ${wanted}.`, {
    details: { param: field },
  });
}
