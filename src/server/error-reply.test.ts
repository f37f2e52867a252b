import { describe, expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { createLogger } from "../base/logger.ts";
import { toHttpError, withoutDirectories } from "./error-reply.ts";

const log = createLogger("silent");

test("says when to try again: half a minute while a model loads, else soon", () => {
  const of = (code: "model_not_ready" | "queue_full" | "invalid_request"): unknown =>
    toHttpError(new PlatformError(code, "No."), log).retryAfter;
  expect([of("model_not_ready"), of("queue_full"), of("invalid_request")]).toEqual([
    30,
    1,
    undefined,
  ]);
});

describe("an error on the wire", () => {
  test.each([
    {
      message: "/home/me/models/llama/model.safetensors is 12 bytes short.",
      shown: "model.safetensors is 12 bytes short.",
    },
    { message: "There is no directory /models/x.", shown: "There is no directory x." },
    { message: 'config.json of "/a/b" is not JSON', shown: 'config.json of "b" is not JSON' },
    { message: String.raw`C:\models\x\config.json is none`, shown: "config.json is none" },
    {
      message:
        "The checkpoint /home/my user/my models/tiny a cannot be used: model.safetensors is short.",
      shown: "The checkpoint tiny a cannot be used: model.safetensors is short.",
    },
    {
      message: String.raw`C:\Program Files\My models\config.json is none`,
      shown: "config.json is none",
    },
    {
      message: "See /a/b. Then pull owner/name, or /c d/e.",
      shown: "See b. Then pull owner/name, or e.",
    },
    {
      message: "Try GET /v1/models or POST /v1/chat/completions.",
      shown: "Try GET /v1/models or POST /v1/chat/completions.",
    },
    { message: "image/png and 3/4 stay", shown: "image/png and 3/4 stay" },
    {
      message: "See http://127.0.0.1:9997/v1/models",
      shown: "See http://127.0.0.1:9997/v1/models",
    },
  ])("has no directories: $shown", ({ message, shown }) => {
    expect(withoutDirectories(message)).toBe(shown);
  });

  test("has the code's status, the field and no more", () => {
    const error = new PlatformError("invalid_image", "It is no picture.", {
      details: { param: "images[0]", path: "/secret" },
    });
    expect(toHttpError(error, log)).toEqual({
      status: 400,
      body: {
        error: {
          message: "It is no picture.",
          type: "invalid_request_error",
          param: "images[0]",
          code: "invalid_image",
        },
      },
      retryAfter: undefined,
    });
  });

  test("that may pass says when to come back", () => {
    const { status, retryAfter } = toHttpError(new PlatformError("queue_full", "Full."), log);
    expect({ status, retryAfter }).toEqual({ status: 429, retryAfter: 1 });
  });

  test("that is a bug shows an incident and nothing else, and the log has it all (LG-05)", () => {
    const lines: string[] = [];
    const written = createLogger("error", { write: (line) => void lines.push(line) });
    const { status, body } = toHttpError(new TypeError("x of undefined at /src/y.ts"), written);
    expect(status).toBe(500);
    expect(body.error.message).not.toMatch(/undefined|src/);
    const incident = /incident (\S+)\.$/.exec(body.error.message)?.[1];
    expect(JSON.parse(lines[0] ?? "{}")).toMatchObject({ incident, msg: "bug" });
  });
});
