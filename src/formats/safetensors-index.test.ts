import { describe, expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { parseSafetensorsIndex } from "./safetensors-index.ts";

describe("parseSafetensorsIndex (MF-07)", () => {
  test("says which file holds which tensor", () => {
    const json = {
      metadata: { total_size: 12 },
      weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
    };

    expect([...parseSafetensorsIndex(json)]).toEqual(Object.entries(json.weight_map));
  });

  test.each([
    "../../etc/passwd",
    "../model.safetensors",
    "/etc/model.safetensors",
    "a/model.safetensors",
    "a\\model.safetensors",
    "C:model.safetensors",
    "https://example.org/model.safetensors",
    "..safetensors",
    ".safetensors",
    "model.safetensors\u0000",
    "model.safetensors\n",
    "pytorch_model.bin",
    `${"m".repeat(300)}.safetensors`,
    "",
    7,
    null,
  ])("refuses the file name %j", (file) => {
    const parse = (): unknown => parseSafetensorsIndex({ weight_map: { "a.weight": file } });

    expect(parse).toThrow(PlatformError);
    expect(parse).toThrow(
      /^model\.safetensors\.index\.json cannot be used: it puts a\.weight into ".*", which is no plain name/,
    );
  });

  test.each([[], "text", null, {}, { weight_map: null }, { weight_map: ["a.safetensors"] }])(
    "refuses %j",
    (json) => {
      expect(() => parseSafetensorsIndex(json)).toThrow('it has no "weight_map"');
    },
  );
});
