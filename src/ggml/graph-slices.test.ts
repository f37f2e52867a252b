import { afterAll, beforeAll, expect, test } from "vitest";
import { Backend } from "./backend.ts";
import type { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

let backend: Backend;
beforeAll(() => {
  backend = Backend.openCpu({ numThreads: 1 });
});
afterAll(() => backend[Symbol.dispose]());

const size = 256;
const numLayers = 24;
const waves = (step: number): Float32Array =>
  Float32Array.from({ length: size * size }, (_, index) => Math.sin(index * step) / 16);

/** Takes some hundred milliseconds, so that it is cut. */
function deep(graph: Graph): Tensor {
  let hidden = graph.input("f32", [size, size], waves(0.3));
  for (let layer = 0; layer < numLayers; layer++) {
    const weight = graph.input("f32", [size, size], waves(0.7 + layer));
    const wide = graph.concat(hidden, graph.gelu(graph.matmul(weight, hidden)), 0);
    hidden = graph.rmsNormalize(graph.slice(wide, 0, size / 2, size), 1e-5);
  }
  return hidden;
}

async function run(pause?: () => Promise<void>): Promise<Float32Array> {
  using graph = backend.newGraph({
    kind: "deep",
    maxNodes: 512,
    isPausable: pause !== undefined,
  });
  const [numbers] = await graph.compute([deep(graph)], { pause });
  if (numbers === undefined) throw new Error("no result");
  return numbers;
}

test("in parts it gives the numbers that it gives in one", async () => {
  let numPauses = 0;
  const inParts = await run(async () => {
    numPauses++;
  });
  expect(numPauses).toBeGreaterThan(1);
  expect(inParts).toEqual(await run());
});

test("others compute between the parts, in memory of their own", async () => {
  const expected = await run();
  const between: Float32Array[] = [];
  const inParts = await run(async () => {
    if (between.length < 3) between.push(await run());
  });
  expect(between.length).toBeGreaterThan(1);
  for (const numbers of between) expect(numbers).toEqual(expected);
  expect(inParts).toEqual(expected);
});

test("what a pause throws ends it, and the next graph is whole", async () => {
  let numPauses = 0;
  const stop = async (): Promise<void> => {
    if (++numPauses === 2) throw new Error("enough");
  };
  await expect(run(stop)).rejects.toThrow("enough");
  expect(await run(async () => {})).toEqual(await run());
});
