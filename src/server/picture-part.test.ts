import { ChatContentPart } from "@atalaya/protocol";
import { describe, expect, test } from "vitest";
import { imageFromPart, isTextPart } from "./picture-part.ts";

const bytes = Uint8Array.of(137, 80, 78, 71);
const base64 = Buffer.from(bytes).toString("base64");
const url = "https://example.com/a.png";
const read = (part: object): object => {
  const parsed = ChatContentPart.parse(part);
  if (isTextPart(parsed)) throw new Error("is a text");
  return imageFromPart(parsed, "messages[0].content[1]");
};

describe("a picture's bytes are read", () => {
  test.each([
    { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } },
    { type: "image_url", image_url: `DATA:;BASE64, ${base64}\n` },
    { type: "input_image", image_url: `data:image/png;base64,${base64}`, detail: "auto" },
    { type: "image", source: { type: "base64", media_type: "image/gif", data: base64 } },
    { type: "image", base64, mime_type: "image/png" },
    { type: "image", source_type: "base64", data: base64, mime_type: "image/png" },
    { type: "image", data: `data:image/png;base64,${base64}` },
    { type: "image", data: { type: "Buffer", data: [...bytes] } },
    { type: "image", image: [...bytes], mediaType: "image/png" },
    { type: "file", mediaType: "image/png", data: base64 },
    { type: "file", media_type: "IMAGE/PNG", data: [...bytes] },
    { type: "file", file: { filename: "a", file_data: `data:image/png;base64,${base64}` } },
  ])("from %j", (part) => {
    expect(read(part)).toEqual({ bytes: expect.anything() });
    expect(Buffer.from((read(part) as { bytes: Uint8Array }).bytes)).toEqual(Buffer.from(bytes));
  });
});

test.each([
  { type: "image_url", image_url: { url } },
  { type: "image_url", image_url: url },
  { type: "input_image", image_url: url },
  { type: "image", source: { type: "url", url } },
  { type: "image", source_type: "url", url },
  { type: "image", image: url },
  { type: "file", mediaType: "image/*", data: url },
  { type: "file", mime_type: "image/png", url },
])("the address in %j is left to be fetched", (part) => {
  expect(read(part)).toEqual({ url });
});

test.each([
  { part: { type: "input_image" }, code: "invalid_image", param: "" },
  { part: { type: "image" }, code: "invalid_image", param: "" },
  { part: { type: "file", file: {} }, code: "invalid_image", param: "" },
  { part: { type: "input_file" }, code: "invalid_image", param: "" },
  {
    part: { type: "file", mediaType: "application/pdf", data: base64 },
    code: "unsupported_parameter",
    param: "",
  },
  { part: { type: "image", url: "gopher://x" }, code: "unsupported_url_scheme", param: ".url" },
  { part: { type: "image", data: [1, 256] }, code: "invalid_image", param: ".data" },
  {
    part: { type: "image", source: { type: "base64", data: "?" } },
    code: "invalid_image",
    param: ".source.data",
  },
])("$part is refused by the name of its field", ({ part, code, param }) => {
  expect(() => read(part)).toThrow(
    expect.objectContaining({ code, details: { param: `messages[0].content[1]${param}` } }),
  );
});
