import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Backend } from "./backend.ts";

/** Of this process, bytes. */
function residentBytes(): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

test.skipIf(process.platform !== "linux")(
  "a large cache is zeros, takes what is written to it, and is given back",
  async () => {
    using backend = Backend.openCpu({ numThreads: 1 });
    const before = residentBytes();
    const set = backend.allocate(
      new Map([
        ["odd", { dtype: "f32", shape: [3] }],
        ["cache", { dtype: "f32", shape: [1 << 17, 1024] }],
      ]),
    );
    try {
      expect(set.sizeBytes).toBe(64 + 2 ** 29);
      expect(residentBytes() - before).toBeLessThan(2 ** 28);
      // The second half's first row.
      set.write(set.get("cache"), Float32Array.of(1, 2, 3), 2 ** 28);
      using graph = backend.newGraph({ kind: "test", maxNodes: 16 });
      const rows = graph.getRows(
        set.get("cache"),
        graph.input("i32", [2], Int32Array.of(2 ** 16 - 1, 2 ** 16)),
      );
      const [odd, read] = await graph.compute([graph.scale(set.get("odd"), 1), rows]);
      expect(odd).toEqual(Float32Array.of(0, 0, 0));
      expect(read?.slice(1023, 1028)).toEqual(Float32Array.of(0, 1, 2, 3, 0));
      expect(read?.every((value, index) => value === 0 || (index > 1023 && index < 1027))).toBe(
        true,
      );
    } finally {
      set[Symbol.dispose]();
    }
    expect(residentBytes() - before).toBeLessThan(2 ** 28 + 2 ** 29);
  },
);

test("more than addresses reach is refused with a sentence", () => {
  using backend = Backend.openCpu({ numThreads: 1 });
  const names = ["a", "b", "c"];
  const specs = names.map((name) => [name, { dtype: "f32", shape: [2 ** 20, 2 ** 24] }] as const);
  expect(() => backend.allocate(new Map(specs))).toThrow(/MB could not be allocated/);
});
