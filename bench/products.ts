/**
 * Products with matrices of the 11B's size, by our own operators and by ggml's, in turns.
 *
 *     npx tsx bench/products.ts [--dtypes bf16,q8_0,q6_k,q5_k,q4_k,q4_0] [--rows 8,16,32,64,256,2048] [--runs 5] [--instructions avx2|avx512] [--variant haswell|skylakex] [--json FILE]
 *
 * --instructions takes our operators for older processors, --variant those of ggml.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { Backend } from "../src/ggml/backend.ts";
import { dtypeTraits } from "../src/ggml/dtype.ts";
import { findKernels } from "../src/ggml/kernels.ts";
import { loadGgml } from "../src/ggml/library.ts";
import type { Tensor } from "../src/ggml/tensor.ts";

const { values } = parseArgs({
  options: {
    dtypes: { type: "string", default: "bf16,q8_0,q6_k,q5_k,q4_k,q4_0" },
    rows: { type: "string", default: "8,16,32,64,256,2048" },
    runs: { type: "string", default: "5" },
    instructions: { type: "string" },
    variant: { type: "string" },
    json: { type: "string" },
  },
});
const width = 4_096;
const columns = 14_336;
const random = (length: number): Float32Array =>
  Float32Array.from({ length }, () => Math.random() - 0.5);

const { instructions } = values;
if (instructions !== undefined && instructions !== "avx2" && instructions !== "avx512") {
  throw new Error("--instructions is avx2 or avx512");
}
const found = findKernels(loadGgml(values.variant), instructions);
if (found.kernels === undefined) throw new Error(`there is nothing to compare: ${found.why}`);
const backends = {
  ours: Backend.openCpu({ instructions }),
  ggml: Backend.openCpu({ usesKernels: false }),
};
const dtypes = values.dtypes.split(",").map((name) => {
  const dtype = Object.keys(dtypeTraits).find((known) => known === name);
  if (dtype === undefined) throw new Error(`there is no dtype ${name}`);
  return dtype as keyof typeof dtypeTraits;
});

/** GFLOP/s of one product, its copy of the inputs not counted. */
async function speed(backend: Backend, weight: Tensor, rows: number): Promise<number> {
  using graph = backend.newGraph({ kind: "product", maxNodes: 64 });
  // Several products, so that starting the threads does not count.
  const input = graph.input("f32", [rows, width], random(rows * width));
  const products = Array.from({ length: 4 }, () => graph.matmul(weight, input));
  await graph.compute(products.map((product) => graph.slice(product, 0, 0, 1)));
  return (4 * 2 * rows * width * columns) / graph.computeMs / 1e6;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
const measured = [];
for (const dtype of dtypes) {
  const specs = new Map([["w", { dtype, shape: [columns, width] }]]);
  const contestants = Object.values(backends).map((backend) => ({
    backend,
    set: backend.allocate(specs),
    speeds: new Map<number, number[]>(),
  }));
  const rowCounts = values.rows.split(",").map(Number);
  for (const rows of rowCounts) {
    for (let run = 0; run <= Number(values.runs); run++) {
      for (const { backend, set, speeds } of contestants) {
        const gflops = await speed(backend, set.get("w"), rows);
        // The first touches the weights' pages.
        if (run > 0) speeds.set(rows, [...(speeds.get(rows) ?? []), gflops]);
      }
    }
    const [ours = Number.NaN, ggml = Number.NaN] = contestants.map(({ speeds }) =>
      median(speeds.get(rows) ?? []),
    );
    measured.push({
      dtype,
      rows,
      oursGflops: Math.round(ours),
      ggmlGflops: Math.round(ggml),
      ratio: Number((ours / ggml).toFixed(2)),
    });
    console.log(JSON.stringify(measured.at(-1)));
  }
  for (const { set } of contestants) set[Symbol.dispose]();
}
for (const backend of Object.values(backends)) backend[Symbol.dispose]();
const result = {
  what: `products with a matrix [${columns}, ${width}], medians of ${values.runs} runs`,
  cpu: cpus()[0]?.model,
  threads: availableParallelism(),
  measured,
};
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
