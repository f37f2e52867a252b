/**
 * Attention over cached keys and values by what they are kept in, at the 11B's size (32 heads, 8 of keys, 128 wide):
 * milliseconds of one layer, by the number of queries and of keys.
 *
 *     npx tsx bench/cached-attention.ts [--json FILE] [--threads N]
 *
 * `q8_0 as floats` turns the rows into float32 first, which the engine does where many queries read them.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { Backend } from "../src/ggml/backend.ts";
import { attention } from "../src/nn/attention.ts";

const { values } = parseArgs({
  options: { json: { type: "string" }, threads: { type: "string", default: "2" } },
});
const numThreads = Number(values.threads);
const [numHeads, numKvHeads, size] = [32, 8, 128];
const REPEATS = 5;
/** Layers that take turns, so that a small one's rows are not still in the processor's cache. */
const NUM_LAYERS = 8;

const kinds = [
  { name: "f16", dtype: "f16", asFloats: false },
  { name: "q8_0", dtype: "q8_0", asFloats: false },
  { name: "q8_0 as floats", dtype: "q8_0", asFloats: true },
] as const;

const backend = Backend.open({ numThreads, devices: [] });

async function measure(
  { dtype, asFloats }: (typeof kinds)[number],
  numKeys: number,
  numQueries: number,
): Promise<number> {
  const spec = { dtype, shape: [numKeys, numKvHeads * size] };
  using cache = backend.allocate(
    new Map(Array.from({ length: 2 * NUM_LAYERS }, (_, index) => [`${index}`, spec])),
  );
  const queries = Float32Array.from({ length: numQueries * numHeads * size }, (_, index) =>
    Math.sin(index),
  );
  const times: number[] = [];
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    using graph = backend.newGraph({ kind: "attention", maxNodes: 64 * NUM_LAYERS });
    const query = graph.permute(
      graph.input("f32", [numQueries, numHeads, size], queries),
      [1, 0, 2],
    );
    const mask = graph.input(
      "f16",
      [Math.ceil(numQueries / 64) * 64, numKeys],
      new Uint16Array(Math.ceil(numQueries / 64) * 64 * numKeys),
    );
    const heads = (name: string) => {
      const rows = cache.get(name);
      const read = asFloats ? graph.cast(rows, "f32") : rows;
      return graph.permute(graph.splitRows(read, [numKvHeads, size]), [1, 0, 2]);
    };
    for (let layer = 0; layer < NUM_LAYERS; layer++) {
      graph.require(
        attention(graph, {
          query,
          key: heads(`${2 * layer}`),
          value: heads(`${2 * layer + 1}`),
          mask: numQueries === 1 ? undefined : mask,
          scale: size ** -0.5,
        }),
      );
    }
    const start = performance.now();
    await graph.compute([]);
    // The first allocates.
    if (repeat > 0) times.push((performance.now() - start) / NUM_LAYERS);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

const rows = [];
for (const numKeys of [1_024, 4_096]) {
  for (const numQueries of [1, 4, 8, 16, 64, 256]) {
    const milliseconds: Record<string, number> = {};
    for (const kind of kinds) milliseconds[kind.name] = await measure(kind, numKeys, numQueries);
    rows.push({ numKeys, numQueries, milliseconds });
    const cells = Object.entries(milliseconds).map(([name, ms]) => `${name} ${ms.toFixed(2)}`);
    console.log(`${numKeys} keys, ${numQueries} queries: ${cells.join(", ")} ms`);
  }
}
if (values.json !== undefined) {
  const about = { cpu: cpus()[0]?.model, numThreads, ggml: backend.library.version };
  writeFileSync(values.json, `${JSON.stringify({ about, rows }, null, 1)}\n`);
}
backend[Symbol.dispose]();
