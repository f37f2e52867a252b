/**
 * Products with bf16 matrices of the 11B's size, by our own operators and by ggml's, in turns.
 *
 *     npx tsx bench/products.ts [--rows 8,16,32,64,256,2048] [--runs 5] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { Backend } from "../src/ggml/backend.ts";
import { findKernels } from "../src/ggml/kernels.ts";
import { loadGgml } from "../src/ggml/library.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "8,16,32,64,256,2048" },
    runs: { type: "string", default: "5" },
    json: { type: "string" },
  },
});
const width = 4_096;
const columns = 14_336;
const random = (length: number): Float32Array =>
  Float32Array.from({ length }, () => Math.random() - 0.5);

const found = findKernels(loadGgml());
if (found.kernels === undefined) throw new Error(`there is nothing to compare: ${found.why}`);
const backends = { ours: Backend.openCpu(), ggml: Backend.openCpu({ usesKernels: false }) };
const weights = Object.values(backends).map((backend) => ({
  backend,
  set: backend.allocate(new Map([["w", { dtype: "bf16", shape: [columns, width] }]])),
}));

/** GFLOP/s of one product, its copy of the inputs not counted. */
async function speed(index: number, rows: number): Promise<number> {
  const of = weights[index];
  if (of === undefined) throw new Error("no such back end");
  using graph = of.backend.newGraph({ kind: "product", maxNodes: 64 });
  // Several products, so that starting the threads does not count.
  const input = graph.input("f32", [rows, width], random(rows * width));
  const products = Array.from({ length: 4 }, () => graph.matmul(of.set.get("w"), input));
  await graph.compute(products.map((product) => graph.slice(product, 0, 0, 1)));
  return (4 * 2 * rows * width * columns) / graph.computeMs / 1e6;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
const byRows = [];
for (const rows of values.rows.split(",").map(Number)) {
  const speeds: [number[], number[]] = [[], []];
  for (let run = 0; run <= Number(values.runs); run++) {
    for (const [index, list] of speeds.entries()) {
      const measured = await speed(index, rows);
      // The first touches the weights' pages.
      if (run > 0) list.push(measured);
    }
  }
  const [ours, ggml] = [median(speeds[0]), median(speeds[1])];
  byRows.push({
    rows,
    oursGflops: Math.round(ours),
    ggmlGflops: Math.round(ggml),
    ratio: Number((ours / ggml).toFixed(2)),
  });
}
for (const { set } of weights) set[Symbol.dispose]();
for (const backend of Object.values(backends)) backend[Symbol.dispose]();
const result = {
  what: `products with a bf16 matrix [${columns}, ${width}], medians of ${values.runs} runs`,
  cpu: cpus()[0]?.model,
  threads: availableParallelism(),
  byRows,
};
console.log(JSON.stringify(result, null, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
