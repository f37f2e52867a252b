/** The forms that clients send a picture in. Which bytes they hold is checked where they are read. */
import { z } from "zod";

const bytes = z.custom<readonly unknown[]>(Array.isArray);

/**
 * A picture's bytes: base64 or a `data:` URL as text; what `JSON.stringify` makes of a Node `Buffer`;
 * a list of numbers from 0 to 255.
 */
export const PictureData = z.union([
  z.string(),
  z.looseObject({ type: z.literal("Buffer"), data: bytes }),
  bytes,
]);
export type PictureData = z.infer<typeof PictureData>;

const detail = z.enum(["auto", "low", "high"]).nullish();

const imageUrl = z.union([z.string(), z.looseObject({ url: z.string(), detail })]);

/** Of a file that was sent to `/v1/files`. */
const fileId = z.string().min(1).max(100).nullish();

/** OpenAI's chat. The bare string is what several clients send in place of the object. */
const ImageUrlPart = z.looseObject({ type: z.literal("image_url"), image_url: imageUrl });

/** OpenAI's responses. */
const InputImagePart = z.looseObject({
  type: z.literal("input_image"),
  image_url: imageUrl.nullish(),
  file_id: fileId,
  detail,
});

/** A file of OpenAI's responses, read when it is a picture. */
const InputFilePart = z.looseObject({
  type: z.literal("input_file"),
  file_id: fileId,
  file_data: z.string().nullish(),
  file_url: z.string().nullish(),
  detail,
});

/** Anthropic's `source`; LangChain's `base64`, `data` or `url`; the AI SDK's `image`. */
export const ImagePart = z.looseObject({
  type: z.literal("image"),
  source: z
    .discriminatedUnion("type", [
      z.looseObject({ type: z.literal("base64"), data: z.string() }),
      z.looseObject({ type: z.literal("url"), url: z.string() }),
      z.looseObject({ type: z.literal("file"), file_id: z.string().min(1).max(100) }),
    ])
    .nullish(),
  base64: z.string().nullish(),
  data: PictureData.nullish(),
  url: z.string().nullish(),
  image: PictureData.nullish(),
});
export type ImagePart = z.infer<typeof ImagePart>;

/** The AI SDK's `file`, and OpenAI's with `file_data` or `file_id`. */
const FilePart = z.looseObject({
  type: z.literal("file"),
  file: z.looseObject({ file_data: z.string().nullish(), file_id: fileId }).nullish(),
  data: PictureData.nullish(),
  url: z.string().nullish(),
  mediaType: z.string().nullish(),
  media_type: z.string().nullish(),
  mimeType: z.string().nullish(),
  mime_type: z.string().nullish(),
});

export const pictureParts = [
  ImageUrlPart,
  InputImagePart,
  InputFilePart,
  ImagePart,
  FilePart,
] as const;

export type PicturePart = z.infer<(typeof pictureParts)[number]>;
