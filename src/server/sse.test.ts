import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { createLogger } from "../base/logger.ts";
import { frames, namedFrames, withHeartbeat } from "./sse.ts";

const log = createLogger("silent");

async function collect(source: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const text of source) all.push(text);
  return all;
}

async function* each<Value>(values: readonly Value[]): AsyncGenerator<Value> {
  yield* values;
}

describe("server-sent events", () => {
  test("hold one object each, whatever text is in it, and end with [DONE] (PT-10)", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("\n\ndata: [DONE]\n\n", "\r\n", "\u2028"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text), async (texts) => {
        const written = (await collect(frames(each(texts.map((t) => ({ t }))), log))).join("");
        const events = written.split("\n\n").slice(0, -1);
        expect(events.pop()).toBe("data: [DONE]");
        expect(events.map((event) => JSON.parse(event.slice(6)))).toEqual(
          texts.map((t) => ({ t: t.toWellFormed() === t ? t : JSON.parse(JSON.stringify(t)) })),
        );
      }),
    );
  });

  test("carry their names where a dialect has names, the failure's too", async () => {
    async function* failing(): AsyncGenerator<{ type: string }> {
      yield { type: "ping" };
      throw new Error("x");
    }
    expect(await collect(namedFrames(failing(), () => ({ type: "error" })))).toEqual([
      'event: ping\ndata: {"type":"ping"}\n\n',
      'event: error\ndata: {"type":"error"}\n\n',
    ]);
  });

  test("end with the error when one comes under way", async () => {
    async function* failing(): AsyncGenerator<object> {
      yield { a: 1 };
      throw new PlatformError("worker_failed", "The engine's process ended.");
    }
    const [first, last, ...rest] = await collect(frames(failing(), log));
    expect(first).toBe('data: {"a":1}\n\n');
    expect(JSON.parse(last?.slice(6) ?? "")).toEqual({
      error: {
        message: "The engine's process ended.",
        type: "server_error",
        param: null,
        code: "worker_failed",
      },
    });
    expect(rest).toEqual([]);
  });

  test("have a comment wherever the source is silent, and lose nothing for it", async () => {
    async function* slow(): AsyncGenerator<string> {
      yield "a";
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield "b";
    }
    const all = await collect(withHeartbeat(slow(), 10));
    expect(all.filter((text) => !text.startsWith(":"))).toEqual(["a", "b"]);
    expect(all.filter((text) => text.startsWith(":")).length).toBeGreaterThanOrEqual(2);
  });

  test("end their source when the reader leaves", async () => {
    let hasEnded = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) yield "x";
      } finally {
        hasEnded = true;
      }
    }
    for await (const _ of withHeartbeat(endless(), 1_000)) break;
    expect(hasEnded).toBe(true);
  });
});
