import { describe, expect, test } from "vitest";
import { parseFamily, parseSize, toFamilyJson } from "./family-file.ts";

const spec = {
  model_format: "pytorch",
  model_size_in_billions: 11,
  quantization: "none",
  model_id: null,
  model_hub: "huggingface",
  model_uri: "file:///models/receipts%20v2",
  model_revision: null,
  activated_size_in_billions: null,
};

/** As Xinference 3.2.1 documents it. */
const version2 = {
  version: 2,
  context_length: 32_768,
  model_name: "receipts",
  model_lang: ["en", "de"],
  model_ability: ["chat", "vision"],
  model_description: "Reads receipts.",
  model_family: "llama-3.2-vision-instruct",
  model_specs: [spec],
  chat_template: null,
  stop_token_ids: null,
  stop: null,
  reasoning_start_tag: null,
  cache_config: null,
  virtualenv: { packages: [], inherit_pip_config: true, index_url: null },
  is_builtin: false,
};

/** As Xinference 0.16.3 documents it. */
const version1 = {
  version: 1,
  context_length: 32_768,
  model_name: "receipts",
  model_lang: ["en", "de"],
  model_ability: ["chat", "vision"],
  model_description: "Reads receipts.",
  model_family: "llama-3.2-vision-instruct",
  model_specs: [
    {
      model_format: "pytorch",
      model_size_in_billions: 11,
      quantizations: ["none"],
      model_uri: "file:///models/receipts%20v2",
    },
  ],
};

const parse = (json: unknown) => parseFamily(json, { isBuiltin: false });

describe("a registration", () => {
  test.each([
    { form: "version 1", json: version1 },
    { form: "version 2", json: version2 },
  ])("in $form gives the same family", ({ json }) => {
    expect(parse(json)).toEqual({
      unused: [],
      family: {
        modelName: "receipts",
        isBuiltin: false,
        description: "Reads receipts.",
        contextLength: 32_768,
        languages: ["en", "de"],
        abilities: ["chat", "vision"],
        basedOn: "llama-3.2-vision-instruct",
        licence: undefined,
        specs: [
          {
            format: "pytorch",
            size: 11,
            quantizations: ["none"],
            sources: [],
            directory: "/models/receipts v2",
            config: undefined,
          },
        ],
      },
    });
  });

  test("may name hubs, one or several", () => {
    const one = { ...spec, model_uri: null, model_id: "me/receipts", model_revision: "v2" };
    const several = {
      ...spec,
      model_uri: null,
      model_src: {
        huggingface: { model_id: "me/receipts", model_revision: "v2", quantizations: ["none"] },
        modelscope: { model_id: "me/receipts-ms", quantizations: ["none"] },
      },
    };
    const source = { hub: "huggingface", modelId: "me/receipts", aliases: [], revision: "v2" };
    expect(parse({ ...version2, model_specs: [one] }).family.specs[0]?.sources).toEqual([source]);
    expect(parse({ ...version2, model_specs: [several] }).family.specs[0]?.sources).toEqual([
      source,
      { hub: "modelscope", modelId: "me/receipts-ms", aliases: [], revision: undefined },
    ]);
  });

  test("tells which of its fields are not used", () => {
    const json = {
      ...version2,
      chat_template: "{{ messages }}",
      stop: ["x"],
      virtualenv: { packages: ["evil"] },
    };
    expect(parse(json).unused).toEqual(["chat_template", "stop", "virtualenv"]);
  });

  test("survives being kept and read again", () => {
    const { family } = parse(version2);
    expect(parse(JSON.parse(JSON.stringify(toFamilyJson(family)))).family).toEqual(family);
  });

  test.each([
    { change: { model_name: "../x" }, says: /cannot be named "\.\.\/x"/ },
    { change: { model_name: "a/b" }, says: /cannot be named "a\/b"/ },
    { change: { model_name: "a..b" }, says: /cannot be named/ },
    { change: { model_name: "%2e%2e" }, says: /cannot be named/ },
    { change: { model_name: "a\0" }, says: /cannot be named/ },
    { change: { model_name: "x".repeat(300) }, says: /cannot be named/ },
    { change: { model_name: "" }, says: /cannot be named/ },
    { change: { model_specs: [] }, says: /"model_specs" is not usable/ },
    { change: { model_specs: undefined }, says: /"model_specs" is not usable/ },
    {
      change: { model_ability: ["chat", "audio"] },
      says: /"model_ability" has "audio", and .* chat, generate, vision, tools/,
    },
    { change: { context_length: -1 }, says: /"context_length" is not usable/ },
    { change: { version: 3 }, says: /"version" is not usable/ },
  ])("with $change is refused (MF-14)", ({ change, says }) => {
    expect(() => parse({ ...version2, ...change })).toThrow(
      expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(says) }),
    );
  });

  test.each([
    { change: { model_uri: "https://10.0.0.1/model" }, says: /is no directory of this machine/ },
    { change: { model_uri: "s3://bucket/model" }, says: /is no directory of this machine/ },
    { change: { model_uri: "file://host/model" }, says: /is no directory of this machine/ },
    { change: { model_uri: "file:///%2" }, says: /is no directory of this machine/ },
    { change: { model_uri: null }, says: /neither "model_uri" nor "model_id"/ },
    {
      change: { model_uri: null, model_id: "../../etc" },
      says: /"model_specs.0.model_id" is not usable/,
    },
    {
      change: { model_id: "me/x", model_revision: "../../x" },
      says: /model_revision" is not usable/,
    },
    { change: { model_id: "me/x", model_hub: "elsewhere" }, says: /"model_hub" has "elsewhere"/ },
    { change: { model_format: "awq" }, says: /"model_format" has "awq", and .* pytorch/ },
    { change: { model_size_in_billions: "big" }, says: /"model_size_in_billions" is "big"; write/ },
  ])("with $change in a spec is refused", ({ change, says }) => {
    expect(() => parse({ ...version2, model_specs: [{ ...spec, ...change }] })).toThrow(says);
  });

  test.each([null, [], 42, "text"])("that is %j is refused", (json) => {
    expect(() => parse(json)).toThrow(/it is no JSON object/);
  });
});

test.each([
  [11, 11],
  ["11", 11],
  ["1_8", 1.8],
  ["0.5", 0.5],
  ["0", undefined],
  ["-1", undefined],
  ["1e400", undefined],
  ["eleven", undefined],
])("the size %j is %j billions", (text, size) => {
  expect(parseSize(text)).toBe(size);
});
