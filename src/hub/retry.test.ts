import { describe, expect, test } from "vitest";
import { defaultLimits } from "./limits.ts";
import { readRetryAfter, retrying, waitBefore } from "./retry.ts";
import { TransferError } from "./transfer-error.ts";

const limits = { ...defaultLimits, backoffMs: 1, maxBackoffMs: 2, maxAttempts: 3 };
const signal = new AbortController().signal;

describe("trying again", () => {
  test("ends with the first success", async () => {
    let numTries = 0;
    const value = await retrying(
      async () => {
        numTries++;
        if (numTries < 3) throw new TransferError("x is away");
        return numTries;
      },
      { limits, signal },
    );
    expect(value).toBe(3);
  });

  test("ends after so many tries without progress, and with progress does not", async () => {
    let progress = 0;
    let numTries = 0;
    const attempt = async (): Promise<never> => {
      numTries++;
      if (numTries <= 10) progress++;
      throw new TransferError("x is away");
    };
    await expect(
      retrying(attempt, { limits, signal, progress: () => progress }),
    ).rejects.toMatchObject({ code: "hub_unavailable", message: "x is away; tried 3 times." });
    expect(numTries).toBe(12);
  });

  test("is for what may pass only", async () => {
    let numTries = 0;
    const attempt = async (): Promise<never> => {
      numTries++;
      throw new Error("a fault of ours");
    };
    await expect(retrying(attempt, { limits, signal })).rejects.toThrow("a fault of ours");
    expect(numTries).toBe(1);
  });

  test("ends at once when it is not wanted any more", async () => {
    const stop = new AbortController();
    const slow = { ...limits, backoffMs: 60_000, maxBackoffMs: 60_000 };
    const work = retrying(
      async () => {
        throw new TransferError("x is away");
      },
      { limits: slow, signal: stop.signal, onRetry: () => stop.abort(new Error("enough")) },
    );
    await expect(work).rejects.toThrow("enough");
  });
});

test("waits double, up to a bound; a hub that asks for more gets it, up to another (DL-18)", () => {
  const wait = (numFailures: number, retryAfterMs?: number): number =>
    waitBefore(numFailures, { retryAfterMs }, { limits: defaultLimits, random: () => 0.5 });
  expect([1, 2, 3, 4, 5, 6, 50].map((count) => wait(count))).toEqual([
    500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
  ]);
  expect(wait(1, 10_000)).toBe(10_000);
  expect(wait(1, 0)).toBe(500);
  expect(wait(1, 86_400_000)).toBe(60_000);
});

test.each([
  [{ "retry-after": "7" }, 7_000],
  [{ "retry-after": "Thu, 01 Jan 1970 00:00:09 GMT" }, 8_000],
  [{ "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }, 0],
  [{ "retry-after": "-5" }, undefined],
  [{ "retry-after": "soon" }, undefined],
  [{ ratelimit: '"api";r=0;t=3' }, 3_000],
  [{}, undefined],
])("%j asks to wait %s ms", (headers, waitMs) => {
  expect(readRetryAfter(headers, 1_000)).toBe(waitMs);
});
