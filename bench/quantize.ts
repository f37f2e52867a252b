/**
 * Quantization at real size: time, memory beside mapped files, what a kill costs, and the launch after it.
 *
 * ```
 * atalaya dev make-checkpoint --size 11 --layers 6 ./six
 * npx tsx bench/quantize.ts ./six [--type q4_k] [--kills 5] [--json bench/results/quantize.json]
 * ```
 *
 * Writes beside the checkpoint and removes it at the end. Linux only: memory is read from `/proc`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ask, greedily, promptOf, startNativeEngine } from "../test/support/native-engine.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    type: { type: "string", default: "q4_k" },
    kills: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const directory = resolve(positionals[0] ?? "");
const home = `${directory}.quantized`;
const quantization = values.type;
const sourceBytes = readdirSync(directory)
  .filter((name) => name.endsWith(".safetensors"))
  .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** Bytes that are neither a file's nor shared with one. */
function anonymousBytes(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const of = (name: string): number =>
      1_024 * Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0);
    return of("RssAnon") + of("RssShmem");
  } catch {
    return 0;
  }
}

function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

type Run = {
  readonly made: string | undefined;
  readonly seconds: number;
  readonly peakAnonymousBytes: number;
  readonly cores: number;
  /** Tensors that are safely there when it ended, whichever way. */
  readonly numSafe: number;
  readonly lastFraction: number;
};

/** Lines of the journal, without the one of the file's head. */
function safeTensors(): number {
  const root = join(home, "quantized");
  const partial = readdirSync(root).find((name) => name.endsWith(".partial"));
  if (partial === undefined) return 0;
  const text = readFileSync(join(root, partial, "model.gguf.journal"), "utf8");
  return text.split("\n").length - 2;
}

/** @param killAfterMs `undefined`: it may finish */
async function quantize(killAfterMs?: number): Promise<Run> {
  const child: ChildProcess = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      fileURLToPath(new URL("support/quantize-child.ts", import.meta.url)),
      directory,
      quantization,
      home,
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())) },
    },
  );
  const startedAt = performance.now();
  let peak = 0;
  let cpu = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, anonymousBytes(child.pid ?? 0));
    cpu = Math.max(cpu, cpuSeconds(child.pid ?? 0));
  }, 20);
  const timer =
    killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  let made: string | undefined;
  let lastFraction = 0;
  if (child.stdout === null) throw new Error("the child has no output");
  for await (const line of createInterface(child.stdout)) {
    const told = JSON.parse(line) as { made?: string; fraction?: number };
    if (told.made !== undefined) made = told.made;
    if (told.fraction === undefined) continue;
    lastFraction = told.fraction;
  }
  clearInterval(watch);
  clearTimeout(timer);
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    made,
    seconds,
    peakAnonymousBytes: peak,
    cores: cpu / seconds,
    numSafe: safeTensors(),
    lastFraction,
  };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

const modelOf = (made: string): string => join(made, "model.gguf");

async function firstToken(): Promise<{ loadSeconds: number; firstTokenSeconds: number }> {
  const startedAt = performance.now();
  await using engine = await startNativeEngine(directory, {
    quantization,
    cacheDirectory: home,
    maxModelLen: 2_048,
    maxNumSeqs: 1,
    numThreads: undefined,
  });
  const loadSeconds = (performance.now() - startedAt) / 1_000;
  await ask(engine, promptOf([128_000, 300, 301, 302, 303, 304, 305, 306], []), greedily(1));
  return { loadSeconds, firstTokenSeconds: (performance.now() - startedAt) / 1_000 };
}

rmSync(home, { recursive: true, force: true });
const whole = await quantize();
if (whole.made === undefined) throw new Error("it was not made");
const digest = await digestOf(modelOf(whole.made));
const outputBytes = statSync(modelOf(whole.made)).size;
const launches = [];
for (let round = 0; round < 3; round++) launches.push(await firstToken());

let state = Number(values.seed);
const random = (): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
rmSync(home, { recursive: true, force: true });
const kills: Run[] = [];
for (let kill = 0; kill < Number(values.kills); kill++) {
  kills.push(await quantize(1_000 + random() * 1_000 * (whole.seconds / 3)));
}
const last = await quantize();
const isSame = last.made !== undefined && (await digestOf(modelOf(last.made))) === digest;
rmSync(home, { recursive: true, force: true });

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const result = {
  machine: { processor: cpus()[0]?.model, cores: availableParallelism() },
  command: `npx tsx bench/quantize.ts CHECKPOINT --type ${quantization} --kills ${values.kills}`,
  quantization,
  sourceGigabytes: round(sourceBytes / 1e9),
  outputGigabytes: round(outputBytes / 1e9),
  seconds: round(whole.seconds, 1),
  sourceGigabytesPerSecond: round(sourceBytes / 1e9 / whole.seconds),
  coresUsed: round(whole.cores),
  peakMegabytesBesideMappedFiles: Math.round(whole.peakAnonymousBytes / 1e6),
  launchAfterIt: launches.map(({ loadSeconds, firstTokenSeconds }) => ({
    loadSeconds: round(loadSeconds),
    firstTokenSeconds: round(firstTokenSeconds),
  })),
  killed: kills.map(({ seconds, numSafe, lastFraction }) => ({
    afterSeconds: round(seconds, 1),
    fractionDone: round(lastFraction, 3),
    tensorsSafe: numSafe,
  })),
  finishedAfterThemInSeconds: round(last.seconds, 1),
  sameBytesAfterKills: isSame,
};
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
}
