import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageFromBytes, imageFromText, imageFromUrl } from "./data-url.ts";

describe("a picture as text", () => {
  test("is the bytes that were encoded, with or without a label and line breaks", () => {
    const header = fc.constantFrom(
      "data:image/png;base64,",
      "DATA:IMAGE/JPEG;BASE64,",
      "data:;base64,",
      "data:image/png;name=a;base64,",
      "",
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1 }),
        header,
        fc.boolean(),
        (bytes, prefix, breaks) => {
          const base64 = Buffer.from(bytes).toString("base64");
          const text = breaks ? base64.replace(/.{20}/g, "$&\r\n") : base64;
          expect(imageFromText(`${prefix}${text}`, "images[0]")).toEqual({
            bytes: Buffer.from(bytes),
          });
        },
      ),
    );
  });

  test.each([
    { why: "a path", url: "./a.png", says: /is no URL/ },
    { why: "an absolute path", url: "/home/me/a.png", says: /is no URL/ },
    { why: "without a comma", url: "data:image/png;base64", says: /without a comma/ },
    { why: "not in base64", url: "data:image/svg+xml,<svg/>", says: /not in base64/ },
    { why: "a page", url: "data:text/html;base64,AAAA", says: /another type than a picture/ },
    { why: "empty", url: "data:image/png;base64,", says: /empty picture/ },
    { why: "URL-safe base64", url: "data:image/png;base64,_-8=", says: /not valid base64/ },
    { why: "base64 without padding", url: "data:image/png;base64,AAA", says: /not valid base64/ },
    {
      why: "padding in the middle",
      url: "data:image/png;base64,AA==AAAA",
      says: /not valid base64/,
    },
  ])("$why is refused by the name of its field (IM-07, IM-08)", ({ url, says }) => {
    expect(() => imageFromUrl(url, "messages[0].content[1].image_url")).toThrow(
      expect.objectContaining({
        code: "invalid_image",
        message: expect.stringMatching(says),
        details: { param: "messages[0].content[1].image_url" },
      }),
    );
  });

  test.each(["http://example.com/a.png", " HTTPS://example.com/a.png", "file:///a.png"])(
    "%s is left to be fetched",
    (url) => {
      expect(imageFromText(url, "images[0]")).toEqual({ url: url.trim() });
    },
  );

  test.each(["ftp://example.com/a.png", "javascript:alert(1)", "blob:x", "C:\\a.png"])(
    "%s is refused by its scheme",
    (url) => {
      expect(() => imageFromUrl(url, "images[0]")).toThrow(
        expect.objectContaining({
          code: "unsupported_url_scheme",
          details: { param: "images[0]" },
        }),
      );
    },
  );

  test("over the limit is refused with both sizes", () => {
    const base64 = Buffer.alloc(20 * 1024 * 1024 + 1).toString("base64");
    expect(() => imageFromText(base64, "images[0]")).toThrow(
      /20971521 bytes; the most is 20971520/,
    );
  });
});

describe("a picture as a list of numbers", () => {
  test("is its bytes", () => {
    expect(imageFromBytes([137, 80, 0, 255], "images[0]")).toEqual({
      bytes: Buffer.of(137, 80, 0, 255),
    });
  });

  test.each([[], [256], [-1], [1.5], ["1"], [null]])("%j is refused", (...bytes) => {
    expect(() => imageFromBytes(bytes.flat(), "images[0]")).toThrow(
      expect.objectContaining({ code: "invalid_image" }),
    );
  });
});
