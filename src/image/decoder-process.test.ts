import sharp from "sharp";
import { expect, test } from "vitest";
import { DecoderProcess } from "./decoder-process.ts";

const plain = { create: { width: 3000, height: 3000, channels: 3, background: "#123" } } as const;
const large = await sharp(plain).png({ compressionLevel: 1 }).toBuffer();
const noSignal = undefined;

test("a decoder at its time limit is killed in the middle of its work (IM-18)", async () => {
  const decoder = new DecoderProcess();
  expect(await decoder.decode(large, { timeoutMs: 1, signal: noSignal })).toBe("timed-out");
  expect(decoder.isAlive).toBe(false);
});

test("a decoder whose caller leaves is killed", async () => {
  const decoder = new DecoderProcess();
  const leave = new AbortController();
  const answer = decoder.decode(large, { timeoutMs: 30_000, signal: leave.signal });
  leave.abort();
  expect(await answer).toBe("cancelled");
  expect(decoder.isAlive).toBe(false);
});

test("bad bytes cost nothing but themselves: the same process decodes the next picture", async () => {
  const decoder = new DecoderProcess();
  const limits = { timeoutMs: 30_000, signal: noSignal };
  expect(await decoder.decode(large.subarray(0, 500), limits)).toBe("damaged");
  expect(await decoder.decode(large, limits)).toMatchObject({ width: 3000, height: 3000 });
  decoder.kill();
});
