import { describe, expect, test } from "vitest";
import {
  checkFields,
  ignoredFieldsHeader,
  unsupportedByChat,
  unsupportedByLaunch,
} from "./known-fields.ts";

const check = (body: Record<string, unknown>): string[] =>
  checkFields(body, { known: ["model", "messages"], unsupported: unsupportedByChat });

describe("fields of a request", () => {
  test.each([{ best_of: 3 }, { chat_template: "{{ x }}" }, { chat_template_kwargs: { a: 1 } }])(
    "that ask for what we do not do are refused by name: %o (PT-13)",
    (body) => {
      const [field] = Object.keys(body);
      expect(() => check(body)).toThrow(
        expect.objectContaining({ code: "unsupported_parameter", details: { param: field } }),
      );
    },
  );

  test("that ask for nothing pass", () => {
    const body = {
      model: "m",
      images: [],
      best_of: 1,
      echo: null,
    };
    expect(check(body)).toEqual([]);
  });

  test("that nobody knows are listed (PA-12)", () => {
    expect(check({ user: "u", constructor: 1, metadata: {} })).toEqual([
      "user",
      "constructor",
      "metadata",
    ]);
  });

  test("with odd names stay out of the header", () => {
    expect(ignoredFieldsHeader(["user", "a\r\nset-cookie: x", "x".repeat(65), "b.c"])).toBe(
      "user, b.c",
    );
  });

  test("of a launch that change nothing when they say this pass, as clients send them unasked", () => {
    const body = {
      model_type: "LLM",
      n_worker: 1,
      peft_model_config: null,
      quantization_config: null,
      envs: {},
      enable_thinking: false,
      trust_remote_code: true,
    };
    expect(checkFields(body, { known: [], unsupported: unsupportedByLaunch })).toEqual([]);
  });
});
