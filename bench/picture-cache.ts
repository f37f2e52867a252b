/**
 * The second question about a picture beside the first: out of memory, and after a restart out of what is on disk.
 *
 * ```
 * atalaya dev make-checkpoint --size 11 --layers 10 ./ten
 * npx tsx bench/picture-cache.ts ./ten [--width 560] [--height 560] [--note TEXT] [--json FILE]
 * ```
 *
 * Times are those to the first token of an answer to a short question. `demo` names the bundled model.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { demoCheckpoint } from "../src/config/package.ts";
import { openCheckpoint } from "../src/models/mllama/checkpoint.ts";
import { ask, greedily, promptOf, startNativeEngine } from "../test/support/native-engine.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: "string", default: "560" },
    height: { type: "string", default: "560" },
    json: { type: "string" },
    note: { type: "string" },
  },
});
const [name = "demo"] = positionals;
const directory = name === "demo" ? demoCheckpoint() : resolve(name);
const [width, height] = [Number(values.width), Number(values.height)];
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 37) % 251);
const { config } = await openCheckpoint(directory);
const home = mkdtempSync(join(name === "demo" ? tmpdir() : dirname(directory), "picture-cache-"));

const start = () =>
  startNativeEngine(directory, {
    cacheDirectory: home,
    maxModelLen: 1_024,
    maxNumSeqs: 1,
    numThreads: undefined,
  });

/** The weights' pages come at the first use, which is no picture's doing. */
async function questions(engine: Awaited<ReturnType<typeof start>>) {
  const { bosTokenId, imageTokenId } = engine.model;
  await ask(engine, promptOf([bosTokenId, 40, 41], []), greedily(2));
  return async (question: number): Promise<{ ms: number; from: string }> => {
    const prompt = promptOf(
      [bosTokenId, imageTokenId, question, 31, 32, 33],
      [{ width, height, pixels }],
    );
    const startedAt = performance.now();
    const { events } = await ask(engine, prompt, greedily(1));
    const image = events.find((event) => event.type === "image");
    const from = image?.type === "image" ? (image.cachedIn ?? "encoded") : "nowhere";
    return { ms: Number((performance.now() - startedAt).toFixed(1)), from };
  };
}

try {
  const told = [];
  {
    await using engine = await start();
    const question = await questions(engine);
    for (const id of [20, 21, 22, 23]) told.push(await question(id));
    const isKept = (): boolean =>
      existsSync(join(home, "pictures")) &&
      readdirSync(join(home, "pictures")).some((file) => file.endsWith(".picture"));
    while (!isKept()) await sleep(50);
  }
  {
    await using engine = await start();
    const question = await questions(engine);
    told.push(await question(24));
  }
  const [first, ...others] = told;
  const inMemory = others.filter(({ from }) => from === "memory").map(({ ms }) => ms);
  const onDisk = others.find(({ from }) => from === "disk")?.ms ?? Number.NaN;
  const ratio = (ms: number): number => Number((ms / (first?.ms ?? Number.NaN)).toFixed(4));
  const result = {
    machine: { processor: cpus()[0]?.model, cores: availableParallelism() },
    command: `npx tsx bench/picture-cache.ts ${name === "demo" ? "demo" : "CHECKPOINT"} --width ${width} --height ${height}`,
    ...(values.note !== undefined && { note: values.note }),
    crossLayers: config.text.crossLayers.length,
    selfLayers: config.text.numLayers - config.text.crossLayers.length,
    questions: told,
    memoryOverFirst: ratio(Math.min(...inMemory)),
    diskOverFirst: ratio(onDisk),
  };
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
