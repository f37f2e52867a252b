import { describe, expect, test } from "vitest";
import { Leases } from "./leases.ts";

describe("leases", () => {
  test("that nobody holds are drained at once", async () => {
    await new Leases().drain(60_000);
  });

  test("are waited for, without a signal, when they end in time", async () => {
    const leases = new Leases();
    const { signal, release } = leases.take();
    setTimeout(release, 5);
    await leases.drain(60_000);
    expect(signal.aborted).toBe(false);
  });

  test("that last too long get a signal, and are waited for again", async () => {
    const leases = new Leases();
    const { signal, release } = leases.take();
    signal.addEventListener("abort", () => setTimeout(release, 5));
    await leases.drain(1);
    expect(signal.reason).toMatchObject({ code: "model_not_ready" });
    expect(leases.numHeld).toBe(0);
  });

  test("given back twice count once", () => {
    const leases = new Leases();
    const first = leases.take();
    leases.take();
    first.release();
    first.release();
    expect(leases.numHeld).toBe(1);
  });
});
