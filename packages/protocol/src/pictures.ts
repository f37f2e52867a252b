/** The forms that clients send a picture in. Which bytes they hold is checked where they are read. */
import { z } from "zod";

const bytes = z.custom<readonly unknown[]>(Array.isArray);

/**
 * A picture's bytes: base64 or a `data:` URL as text; what `JSON.stringify` makes of a Node `Buffer`;
 * a list of numbers from 0 to 255.
 */
export const PictureData = z.union([
  z.string(),
  z.looseObject({
    type: z.literal("Buffer").describe("Always `Buffer`."),
    data: bytes.describe("The bytes, numbers from 0 to 255."),
  }),
  bytes,
]);
export type PictureData = z.infer<typeof PictureData>;

const detail = z.enum(["auto", "low", "high"]).nullish();

const imageUrl = z.union([
  z.string(),
  z.looseObject({
    url: z.string().describe("`data:` URL or address."),
    detail: detail.describe(
      "`low` is one tile; `auto` and `high` are as many as suit the picture. `auto` when left out.",
    ),
  }),
]);

/** Of a file that was sent to `/v1/files`. */
const fileId = z.string().min(1).max(100).nullish();

/** OpenAI's chat. The bare string is what several clients send in place of the object. */
const ImageUrlPart = z.looseObject({
  type: z.literal("image_url").describe("Always `image_url`."),
  image_url: imageUrl.describe("The picture's address, or an object with it."),
});

/** OpenAI's responses. */
const InputImagePart = z.looseObject({
  type: z.literal("input_image").describe("Always `input_image`."),
  image_url: imageUrl.nullish().describe("`data:` URL or address, or an object with it."),
  file_id: fileId.describe("Id of a picture that was sent to `/v1/files`, in place of an address."),
  detail: detail.describe(
    "`low` is one tile; `auto` and `high` are as many as suit the picture. `auto` when left out.",
  ),
});

/** A file of OpenAI's responses, read when it is a picture. */
const InputFilePart = z.looseObject({
  type: z.literal("input_file").describe("Always `input_file`: read when it is a picture."),
  file_id: fileId.describe("Id of a picture that was sent to `/v1/files`."),
  file_data: z.string().nullish().describe("A picture as base64 or a `data:` URL."),
  file_url: z.string().nullish().describe("Address of a picture."),
  detail: detail.describe(
    "`low` is one tile; `auto` and `high` are as many as suit the picture. `auto` when left out.",
  ),
});

/** Anthropic's `source`; LangChain's `base64`, `data` or `url`; the AI SDK's `image`. */
export const ImagePart = z.looseObject({
  type: z.literal("image").describe("Always `image`."),
  source: z
    .discriminatedUnion("type", [
      z.looseObject({
        type: z.literal("base64").describe("`base64`: in the request."),
        data: z.string().describe("The picture's file as base64."),
      }),
      z.looseObject({
        type: z.literal("url").describe("`url`: at an address."),
        url: z.string().describe("Address of the picture."),
      }),
      z.looseObject({
        type: z.literal("file").describe("`file`: sent before."),
        file_id: z
          .string()
          .min(1)
          .max(100)
          .describe("Id of a picture that was sent to `/v1/files`."),
      }),
    ])
    .nullish()
    .describe("The picture in Anthropic's form."),
  base64: z.string().nullish().describe("The picture's file as base64, in LangChain's form."),
  data: PictureData.nullish().describe("The picture's bytes, in LangChain's form."),
  url: z.string().nullish().describe("Address of the picture, in LangChain's form."),
  image: PictureData.nullish().describe("The picture's bytes, in the AI SDK's form."),
});
export type ImagePart = z.infer<typeof ImagePart>;

/** The AI SDK's `file`, and OpenAI's with `file_data` or `file_id`. */
const FilePart = z.looseObject({
  type: z.literal("file").describe("Always `file`: read when it is a picture."),
  file: z
    .looseObject({
      file_data: z.string().nullish().describe("A picture as base64 or a `data:` URL."),
      file_id: fileId.describe("Id of a picture that was sent to `/v1/files`."),
    })
    .nullish()
    .describe("The picture, in OpenAI's form."),
  data: PictureData.nullish().describe("The picture's bytes, in the AI SDK's form."),
  url: z.string().nullish().describe("Address of the picture."),
  mediaType: z
    .string()
    .nullish()
    .describe("Type of the file; when it is no picture's, the part is refused."),
  media_type: z.string().nullish().describe("The same."),
  mimeType: z.string().nullish().describe("The same."),
  mime_type: z.string().nullish().describe("The same."),
});

export const pictureParts = [
  ImageUrlPart,
  InputImagePart,
  InputFilePart,
  ImagePart,
  FilePart,
] as const;

export type PicturePart = z.infer<(typeof pictureParts)[number]>;
