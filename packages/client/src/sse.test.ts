import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEventStream } from "./sse.ts";

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  let start = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    yield bytes.subarray(start, end);
    start = end;
  }
}

async function parseText(text: string, cuts: readonly number[] = []): Promise<string[]> {
  const events: string[] = [];
  for await (const data of parseEventStream(inPieces(new TextEncoder().encode(text), cuts))) {
    events.push(data);
  }
  return events;
}

describe("an event stream", () => {
  test.each([
    { why: "ends lines in LF", text: "data: a\n\ndata: b\n\n", events: ["a", "b"] },
    { why: "ends lines in CR LF", text: "data: a\r\n\r\ndata: b\r\n\r\n", events: ["a", "b"] },
    { why: "ends lines in CR", text: "data: a\r\rdata: b\r\r", events: ["a", "b"] },
    { why: "has comments, which are skipped", text: ": hello\n\ndata: a\n\n", events: ["a"] },
    { why: "has events of several lines", text: "data: a\ndata: b\n\n", events: ["a\nb"] },
    { why: "takes one space away, not two", text: "data:  a\n\n", events: [" a"] },
    { why: "has other fields, which are skipped", text: "id: 1\ndata: a\n\n", events: ["a"] },
    { why: "drops an event that is cut short", text: "data: a\n\ndata: b", events: ["a"] },
    { why: "keeps U+2028 in its line", text: "data: a\u2028b\n\n", events: ["a\u2028b"] },
  ])("$why", async ({ text, events }) => {
    expect(await parseText(text)).toEqual(events);
  });

  test("cut at any bytes, gives the same events", async () => {
    const lineEnd = fc.constantFrom("\n", "\r\n");
    const payload = fc
      .string({ unit: "binary", minLength: 1 })
      .filter((text) => !/[\r\n]/.test(text) && text.isWellFormed());
    await fc.assert(
      fc.asyncProperty(
        fc.array(payload),
        lineEnd,
        fc.array(fc.nat(2_000)),
        async (payloads, end, cuts) => {
          const text = payloads.map((data) => `data: ${data}${end}${end}`).join("");
          expect(await parseText(text, cuts)).toEqual(payloads);
        },
      ),
    );
  });
});
