import { describe, expect, test } from "vitest";
import { FailureThrottle } from "./failure-throttle.ts";

function clocked() {
  const clock = { ms: 1_000_000 };
  return { clock, throttle: new FailureThrottle(() => clock.ms) };
}
const fail = (throttle: FailureThrottle, peer: string, times: number): void => {
  for (let n = 0; n < times; n++) throttle.failed(peer);
};

describe("who guesses", () => {
  test("waits after ten failures, longer each time; another address does not", () => {
    const { clock, throttle } = clocked();
    fail(throttle, "10.0.0.1", 9);
    throttle.refuseBlocked("10.0.0.1");
    fail(throttle, "10.0.0.1", 1);
    expect(() => throttle.refuseBlocked("10.0.0.1")).toThrow(
      expect.objectContaining({ code: "rate_limited", details: { retryAfter: 15 } }),
    );
    throttle.refuseBlocked("10.0.0.2");
    clock.ms += 15_000;
    throttle.refuseBlocked("10.0.0.1");
    fail(throttle, "10.0.0.1", 1);
    expect(() => throttle.refuseBlocked("10.0.0.1")).toThrow(/Wait 30 s/);
  });

  test("has no more passwords checked at once than may still fail", async () => {
    const { throttle } = clocked();
    fail(throttle, "10.0.0.1", 7);
    const checks: (() => void)[] = [];
    const check = async (peer: string): Promise<void> =>
      await throttle.attempt(
        peer,
        async () => await new Promise<void>((resolve) => checks.push(resolve)),
      );
    const three = [check("10.0.0.1"), check("10.0.0.1"), check("10.0.0.1")];
    await expect(check("10.0.0.1")).rejects.toMatchObject({
      code: "rate_limited",
      details: { retryAfter: 1 },
    });
    const other = check("10.0.0.2");
    for (const end of checks.splice(0)) end();
    await Promise.all([...three, other]);
    const again = check("10.0.0.1");
    checks[0]?.();
    await again;
    await expect(
      throttle.attempt("10.0.0.1", () => Promise.reject(new Error("the database is gone"))),
    ).rejects.toThrow(/gone/);
    fail(throttle, "10.0.0.1", 3);
    await expect(throttle.attempt("10.0.0.1", async () => "x")).rejects.toThrow(/Wait 15 s/);
  });

  test("is listed while it waits, and may be forgiven", () => {
    const { clock, throttle } = clocked();
    fail(throttle, "10.0.0.1", 10);
    for (let n = 0; n < 10; n++) throttle.failed(`2001:db8:1:2::${n}`);
    fail(throttle, "10.0.0.2", 3);
    expect(throttle.blocked()).toEqual([
      { peer: "10.0.0.1", waitMs: 15_000 },
      { peer: "2001:db8:1:2", waitMs: 15_000 },
    ]);
    throttle.forgive("2001:db8:1:2::77");
    throttle.forgive("10.0.0.1");
    throttle.refuseBlocked("10.0.0.1");
    expect(throttle.blocked()).toEqual([]);
    fail(throttle, "10.0.0.1", 10);
    throttle.forgive();
    throttle.refuseBlocked("10.0.0.1");
    fail(throttle, "10.0.0.1", 10);
    clock.ms += 15_000;
    expect(throttle.blocked()).toEqual([]);
  });

  test("is forgiven when the failures lie five minutes back", () => {
    const { clock, throttle } = clocked();
    fail(throttle, "10.0.0.1", 9);
    clock.ms += 5 * 60_000 + 1;
    fail(throttle, "10.0.0.1", 9);
    throttle.refuseBlocked("10.0.0.1");
  });

  test("does not gain by other addresses of one IPv6 network", () => {
    const { throttle } = clocked();
    for (let n = 0; n < 10; n++) throttle.failed(`2001:db8:1:2::${n}`);
    expect(() => throttle.refuseBlocked("2001:db8:1:2:3:4:5:6")).toThrow(/Too many wrong/);
    throttle.refuseBlocked("2001:db8:1:3::1");
  });
});
