/** What would end the process in C throws in TypeScript, and leaves the back end as it was. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Backend } from "./backend.ts";
import type { Graph } from "./graph.ts";
import { openLibrary } from "./library.ts";
import type { Tensor } from "./tensor.ts";
import type { TensorSet } from "./tensor-set.ts";

let backend: Backend;
let folder: string;
beforeAll(() => {
  backend = Backend.openCpu({ numThreads: 1 });
  folder = mkdtempSync(join(tmpdir(), "misuse-"));
});
afterAll(() => {
  backend[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const newGraph = (maxNodes = 64): Graph => backend.newGraph({ kind: "test", maxNodes });
const counted = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);
const data = counted(12);
const matrix = (g: Graph): Tensor => g.input("f32", [3, 4], data);
/** `[4, 3]`, its rows the columns of `matrix`. */
const permuted = (g: Graph): Tensor => g.permute(matrix(g), [1, 0]);
/** `[3, 2]` with gaps between rows that are packed. */
const withGaps = (g: Graph): Tensor => g.slice(matrix(g), 1, 0, 2);
const ids = (g: Graph, ...rows: number[]): Tensor =>
  g.input("i32", [rows.length], Int32Array.from(rows));
const longIds = (g: Graph, ...rows: number[]): Tensor =>
  g.input("i64", [rows.length], BigInt64Array.from(rows, BigInt));
const integers = (g: Graph): Tensor => g.input("i32", [3, 4], new Int32Array(12));

function mapped(): TensorSet {
  const path = join(folder, "weights");
  writeFileSync(path, new Uint8Array(data.buffer));
  return backend.map(new Map([["table", { dtype: "f32", shape: [3, 4], path, offset: 0 }]]));
}

type Case = readonly [name: string, message: RegExp, build: (g: Graph) => unknown];

describe("a shape that does not fit", () => {
  test.each<Case>([
    [
      "a product of unlike widths",
      /cannot be multiplied/,
      (g) => g.matmul(matrix(g), g.input("f32", [4, 3], data)),
    ],
    [
      "a sum that does not repeat",
      /cannot be repeated/,
      (g) => g.add(matrix(g), g.input("f32", [2, 6], data)),
    ],
    ["a slice past the end", /has no 2 … 4/, (g) => g.slice(matrix(g), 0, 2, 2)],
    ["a slice of an axis that is not there", /on axis 5/, (g) => g.slice(matrix(g), 5, 0, 1)],
    ["a slice of half a row", /has no/, (g) => g.slice(matrix(g), 0, 0, 1.5)],
    ["a reshape of another size", /cannot be reshaped/, (g) => g.reshape(matrix(g), [5, 2])],
    ["a reshape to five axes", /one to four axes/, (g) => g.reshape(matrix(g), [2, 1, 1, 1, 6])],
    ["a reshape to negative extents", /positive integer/, (g) => g.reshape(matrix(g), [-3, -4])],
    ["five axes", /one to four axes/, (g) => g.input("f32", [1, 1, 1, 3, 4], data)],
    ["axes named twice", /no order of the axes/, (g) => g.permute(matrix(g), [0, 0])],
    [
      "concat along an axis past the last",
      /along axis 2/,
      (g) => g.concat(matrix(g), matrix(g), 2),
    ],
    ["concat along a negative axis", /along axis -1/, (g) => g.concat(matrix(g), matrix(g), -1)],
    [
      "more elements than any memory holds",
      /more elements/,
      (g) => g.repeat(g.input("f32", [1, 1], counted(1)), [2 ** 24, 2 ** 24]),
    ],
    [
      "a mask for each head",
      /is no mask/,
      (g) =>
        g.attention({
          query: g.input("f32", [4, 3, 4], counted(48)),
          key: g.input("f32", [4, 5, 4], counted(80)),
          value: g.input("f32", [4, 5, 4], counted(80)),
          mask: g.input("f16", [3, 64, 5], new Uint16Array(960)),
          scale: 1,
        }),
    ],
    ["padding to less than there is", /cannot be filled up to 1/, (g) => g.pad(matrix(g), 0, 1)],
    ["padding of an axis past the last", /cannot be filled up/, (g) => g.pad(matrix(g), 2, 9)],
    ["a negative epsilon", /must not be negative/, (g) => g.rmsNormalize(matrix(g), -1)],
  ])("%s", (_name, message, build) => {
    using graph = newGraph();
    expect(() => build(graph)).toThrow(message);
  });
});

describe("data that is not what it is called", () => {
  test.each<Case>([
    ["data of another length", /is not a f32\[3, 5\]/, (g) => g.input("f32", [3, 5], data)],
    [
      "a run of numbers past the last",
      /2 numbers from 11 on leave/,
      (g) => g.zeros([3, 4], [{ first: 11, data: new Uint16Array(2) }]),
    ],
    ["floats as ids", /Float32Array of 48 bytes/, (g) => g.input("i32", [12], data)],
    ["a row past the last", /has no row 3/, (g) => g.getRows(matrix(g), ids(g, 0, 3, 1))],
    ["a negative row", /has no row -1/, (g) => g.getRows(matrix(g), ids(g, -1))],
    [
      "a row to be written past the last",
      /has no row 3/,
      (g) => g.setRows(matrix(g), g.input("f32", [1, 4], counted(4)), longIds(g, 3)),
    ],
    [
      "ids that were checked against a longer table",
      /has no row 2/,
      (g) => {
        const rows = ids(g, 2);
        g.getRows(matrix(g), rows);
        return g.getRows(g.input("f32", [2, 6], data), rows);
      },
    ],
    [
      "ids that are no input",
      /must be an input/,
      (g) => g.getRows(matrix(g), g.slice(ids(g, 0, 1), 0, 0, 1)),
    ],
  ])("%s", (_name, message, build) => {
    using graph = newGraph();
    expect(() => build(graph)).toThrow(message);
  });

  test("ids that change after they were checked", async () => {
    using graph = newGraph();
    const rows = Int32Array.of(1);
    const picked = graph.getRows(matrix(graph), graph.input("i32", [1], rows));
    rows[0] = 1_000_000;
    expect(await graph.compute([picked])).toEqual([Float32Array.of(4, 5, 6, 7)]);
  });
});

describe("an operand that lies otherwise than its kernel reads it", () => {
  test.each<Case>([
    ["add", /add .*f32\[4, 3\]/, (g) => g.add(permuted(g), g.input("f32", [4, 3], data))],
    [
      "the second of add",
      /add .*f32\[4, 3\]/,
      (g) => g.add(g.input("f32", [4, 3], data), permuted(g)),
    ],
    ["multiply", /multiply .*f32\[4, 3\]/, (g) => g.multiply(permuted(g), permuted(g))],
    ["scale, permuted", /scale .*f32\[4, 3\]/, (g) => g.scale(permuted(g), 2)],
    ["scale, with gaps", /scale .*f32\[3, 2\]/, (g) => g.scale(withGaps(g), 2)],
    ["rmsNormalize", /rmsNormalize .*f32\[4, 3\]/, (g) => g.rmsNormalize(permuted(g), 1e-5)],
    ["normalize", /normalize .*f32\[4, 3\]/, (g) => g.normalize(permuted(g), 1e-5)],
    ["gelu, permuted", /gelu .*f32\[4, 3\]/, (g) => g.gelu(permuted(g))],
    ["gelu, with gaps", /gelu .*f32\[3, 2\]/, (g) => g.gelu(withGaps(g))],
    ["swiglu", /swiglu .*f32\[4, 3\]/, (g) => g.swiglu(permuted(g), permuted(g))],
    ["slice", /slice .*f32\[4, 3\]/, (g) => g.slice(permuted(g), 1, 0, 2)],
    [
      "splitRows",
      /splitRows .*f32\[3, 4\]/,
      (g) => g.splitRows(g.permute(g.input("f32", [4, 3], data), [1, 0]), [2, 2]),
    ],
    ["repeat", /repeat .*f32\[4, 3\]/, (g) => g.repeat(permuted(g), [8, 3])],
    [
      "the input of matmul",
      /matmul .*f32\[4, 3\]/,
      (g) => g.matmul(g.input("f32", [2, 3], counted(6)), permuted(g)),
    ],
    [
      "the weight of matmul",
      /matmul .*f32\[4, 3\]/,
      (g) => g.matmul(permuted(g), g.input("f32", [2, 3], counted(6))),
    ],
    ["getRows", /getRows .*f32\[4, 3\]/, (g) => g.getRows(permuted(g), ids(g, 0))],
    [
      "the rows of setRows",
      /setRows .*f32\[4, 3\]/,
      (g) => g.setRows(g.input("f32", [4, 3], data), permuted(g), longIds(g, 0, 1, 2, 3)),
    ],
    [
      "the table of setRows",
      /setRows .*f32\[4, 3\]/,
      (g) => g.setRows(permuted(g), g.input("f32", [1, 3], counted(3)), longIds(g, 0)),
    ],
    [
      "cast to a quantized dtype",
      /cast .*f32\[32, 32\]/,
      (g) => g.cast(g.permute(g.input("f32", [32, 32], counted(1024)), [1, 0]), "q4_0"),
    ],
  ])("%s", (_name, message, build) => {
    using graph = newGraph();
    expect(() => build(graph)).toThrow(message);
  });
});

describe("a dtype that the operator has no kernel for", () => {
  test.each<Case>([
    ["matmul by integers", /matmul .*i32\[3, 4\]/, (g) => g.matmul(integers(g), matrix(g))],
    ["cast from i32", /cast .*i32\[3, 4\]/, (g) => g.cast(integers(g), "f16")],
    ["cast from i64", /cast .*i64\[1\]/, (g) => g.cast(longIds(g, 0), "f32")],
    ["cast to i32", /cast .*f32\[3, 4\]/, (g) => g.cast(matrix(g), "i32")],
    ["cast to blocks longer than a row", /blocks/, (g) => g.cast(matrix(g), "q4_0")],
    ["getRows of integers", /getRows .*i32\[3, 4\]/, (g) => g.getRows(integers(g), ids(g, 0))],
    [
      "setRows into integers",
      /setRows .*i32/,
      (g) => g.setRows(integers(g), g.input("f32", [1, 4], counted(4)), longIds(g, 0)),
    ],
    ["copyInto ids", /copyInto .*i32/, (g) => g.copyInto(matrix(g), integers(g))],
    [
      "concat of blocks",
      /concat .*q4_0/,
      (g) => {
        const blocks = g.cast(g.input("f32", [2, 32], counted(64)), "q4_0");
        return g.concat(blocks, blocks, 1);
      },
    ],
    [
      "permute through blocks",
      /permute .*q4_0/,
      (g) => g.permute(g.cast(g.input("f32", [2, 32], counted(64)), "q4_0"), [1, 0]),
    ],
  ])("%s", (_name, message, build) => {
    using graph = newGraph();
    expect(() => build(graph)).toThrow(message);
  });
});

describe("memory that cannot be used so", () => {
  test.each<readonly [string, (g: Graph, table: Tensor) => unknown]>([
    ["copyInto a mapped tensor", (g, table) => g.copyInto(matrix(g), table)],
    [
      "copyInto a view of a mapped tensor",
      (g, table) =>
        g.copyInto(matrix(g), g.permute(g.reshape(g.slice(table, 0, 0, 3), [4, 3]), [1, 0])),
    ],
    [
      "setRows into a mapped tensor",
      (g, table) => g.setRows(table, g.input("f32", [1, 4], counted(4)), longIds(g, 0)),
    ],
  ])("%s", async (_name, build) => {
    using set = mapped();
    using graph = newGraph();
    expect(() => build(graph, set.get("table"))).toThrow(/cannot write .* mapped read only/);
    expect(await graph.compute([set.get("table")])).toEqual([data]);
  });

  test("a repacked weight anywhere but in matmul", async () => {
    const spec = { dtype: "q4_0", shape: [8, 32] } as const;
    using set = backend.allocateRepacked(new Map([["weight", spec]]));
    const weight = set.get("weight");
    if (weight.memory !== "repacked") return;
    using graph = newGraph();
    expect(() => graph.cast(weight, "f32")).toThrow(/repacked/);
    expect(() => graph.getRows(weight, ids(graph, 0))).toThrow(/repacked/);
    expect(() => graph.slice(weight, 0, 0, 1)).toThrow(/repacked/);
    expect(() => set.write(weight, new Uint8Array(18), 18)).toThrow(/do not fit/);
    const product = graph.matmul(weight, graph.input("f32", [1, 32], counted(32)));
    expect(await graph.compute([product])).toEqual([new Float32Array(8)]);
  });

  test.each([
    ["bf16", [8, 32]],
    ["q4_0", [3, 32]],
    ["q4_0", [2, 8, 32]],
  ] as const)("%s %j cannot be repacked", (dtype, shape) => {
    expect(() => backend.allocateRepacked(new Map([["weight", { dtype, shape }]]))).toThrow(
      /weight, .* cannot be repacked/,
    );
  });

  test("a set of more bytes than any memory holds", () => {
    const specs = new Map([["a", { dtype: "f32", shape: [2 ** 40, 2 ** 20] }]] as const);
    expect(() => backend.allocate(specs)).toThrow(/more elements/);
  });
});

describe("lives", () => {
  test("a tensor of a disposed graph", () => {
    const first = newGraph();
    const stale = matrix(first);
    first[Symbol.dispose]();
    using second = newGraph();
    expect(() => second.scale(stale, 2)).toThrow(/disposed/);
  });

  test("a tensor of another graph", async () => {
    using first = newGraph();
    const foreign = matrix(first);
    using second = newGraph();
    expect(() => second.scale(foreign, 2)).toThrow(/of another graph/);
    expect(() => second.require(foreign)).toThrow(/of another graph/);
    await expect(second.compute([foreign])).rejects.toThrow(/of another graph/);
  });

  test("a set that is disposed between use and computation", async () => {
    const set = backend.allocate(new Map([["cell", { dtype: "f32", shape: [3, 4] }]]));
    set.write(set.get("cell"), data);
    using graph = newGraph();
    const doubled = graph.scale(set.get("cell"), 2);
    set[Symbol.dispose]();
    expect(() => graph.scale(set.get("cell"), 2)).toThrow(/disposed/);
    expect(await graph.compute([doubled])).toEqual([data.map((x) => x * 2)]);
  });

  test("a graph is computed once", async () => {
    using graph = newGraph();
    const doubled = graph.scale(matrix(graph), 2);
    await graph.compute([doubled]);
    await expect(graph.compute([doubled])).rejects.toThrow(/computed already/);
  });

  test("a graph that computes cannot be disposed", async () => {
    const graph = newGraph();
    const computed = graph.compute([graph.scale(matrix(graph), 2)]);
    expect(() => graph[Symbol.dispose]()).toThrow(/while it computes/);
    await computed;
    graph[Symbol.dispose]();
  });
});

describe("graphs", () => {
  test("an input that no operator reads is left out", async () => {
    using graph = newGraph();
    graph.input("f32", [5], counted(5));
    expect(await graph.compute([graph.scale(matrix(graph), 2)])).toEqual([data.map((x) => x * 2)]);
  });

  test("a graph of nothing", async () => {
    using graph = newGraph();
    expect(await graph.compute([])).toEqual([]);
  });

  test("exactly maxNodes operators and inputs, and not one more", async () => {
    using graph = newGraph(8);
    let tensor = matrix(graph);
    for (let i = 0; i < 7; i++) tensor = graph.scale(tensor, 2);
    expect(() => graph.scale(tensor, 2)).toThrow(/maxNodes = 8/);
    expect(() => matrix(graph)).toThrow(/maxNodes = 8/);
    expect(await graph.compute([tensor])).toEqual([data.map((x) => x * 128)]);
  });

  test("more persistent operands than maxNodes", () => {
    const names = Array.from({ length: 9 }, (_, i) => `${i}`);
    using set = backend.allocate(
      new Map(names.map((name) => [name, { dtype: "f32", shape: [4] }])),
    );
    using graph = newGraph(8);
    const requireAll = (): void => {
      for (const name of names) graph.require(set.get(name));
    };
    expect(requireAll).toThrow(/maxNodes = 8/);
  });

  test("one that cannot be allocated, twice", async () => {
    for (let attempt = 0; attempt < 2; attempt++) {
      using graph = newGraph();
      const vast = graph.repeat(graph.input("f32", [1, 1], counted(1)), [2 ** 22, 2 ** 22]);
      graph.require(vast);
      await expect(graph.compute([])).rejects.toThrow(/no memory for the computation/);
    }
  });

  test("many computed at once take turns", async () => {
    const sizes = [64, 300, 80, 333, 96, 300];
    const start = performance.now();
    const times = await Promise.all(
      sizes.map(async (size, index) => {
        using graph = backend.newGraph({ kind: `size ${index}`, maxNodes: 64 });
        let rows = graph.input("f32", [size, size], new Float32Array(size * size).fill(1));
        const weight = graph.cast(rows, "f16");
        for (let i = 0; i < 16; i++) rows = graph.scale(graph.matmul(weight, rows), 1 / size);
        const [result] = await graph.compute([rows]);
        expect(result?.every((value) => Math.abs(value - 1) < 1e-3)).toBe(true);
        return graph.computeMs;
      }),
    );
    const elapsedMs = performance.now() - start;
    expect(times.reduce((sum, ms) => sum + ms)).toBeLessThanOrEqual(elapsedMs);
  });
});

describe("opening", () => {
  test.each([0, -1, 1.5, Number.NaN])("%d threads", (numThreads) => {
    expect(() => Backend.openCpu({ numThreads })).toThrow(/positive integer/);
  });

  test("more threads than the machine has are not started", () => {
    using open = Backend.openCpu({ numThreads: 1_024 });
    expect(open.numThreads).toBe(availableParallelism());
  });

  test("a library that the system refuses", () => {
    const file = join(folder, "libggml.so");
    writeFileSync(file, "no library");
    expect(() => openLibrary(file)).toThrow(
      expect.objectContaining({
        code: "engine_unavailable",
        message: expect.stringContaining(`${file} could not be loaded`),
      }),
    );
  });
});

describe.skipIf(process.platform !== "linux")("a tensor that lies outside of its file", () => {
  test("is refused, and the file is not kept mapped", () => {
    const path = join(folder, "short");
    writeFileSync(path, new Uint8Array(64));
    const inside = { dtype: "f32", shape: [4], path, offset: 0 } as const;
    const specs = new Map([
      ["inside", inside],
      ["outside", { ...inside, offset: 60 }],
    ]);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(() => backend.map(specs)).toThrow("outside lies outside of its file");
    }
    expect(readFileSync("/proc/self/maps", "utf8")).not.toContain(path);
    using whole = backend.map(new Map([["inside", inside]]));
    expect(readFileSync("/proc/self/maps", "utf8")).toContain(path);
    expect(whole.sizeBytes).toBe(16);
  });
});
