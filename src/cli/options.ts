/** Options that several commands share, with their checks. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseByteSize } from "../base/byte-size.ts";
import { parseDurationMs } from "../base/duration.ts";

const stateDtypes = ["f32", "f16", "q8_0"] as const;
type StateDtype = (typeof stateDtypes)[number];

/** How a model is loaded. */
export type LoadFlags = {
  /** The best that runs when absent. */
  readonly modelEngine?: string;
  /** `ref` when absent. */
  readonly profile?: "ref" | "hf";
  readonly maxModelLen?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly kvCacheDtype?: StateDtype;
  readonly numThreads?: number;
  /** As a shell leaves it when nothing follows: `true`. */
  readonly quantization?: string | true;
  readonly imatrix?: string;
  /** As it is typed: ids of devices. */
  readonly device?: string;
  readonly gpuLayers?: number | "all" | "auto";
  /** As it is typed: an amount of memory. */
  readonly pictureCacheMemory?: string;
  readonly pictureCacheDisk?: string;
  /** False: what is not on this machine is not fetched. */
  readonly download?: boolean;
  readonly hub?: "auto" | "huggingface" | "modelscope";
  readonly revision?: string;
};

/** As `LoadFlags` has it; `launch` words its own. */
export function addQuantizationOptions(command: Command): Command {
  return command
    .option(
      "-q, --quantization <name>",
      "what the engine makes of the weights: q8_0, q6_k, q5_k, q4_k, q4_0 (default: none)",
    )
    .option("--imatrix <file>", "importance matrix to quantize with, as llama.cpp makes it (GGUF)");
}

/** How tokens are chosen; what is absent is the model's default. */
export type SamplingFlags = {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly repetitionPenalty?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
};

export function addLoadOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--model-engine <name>",
        "engine that runs the model (default: the best that runs here)",
      ),
    )
    .addOption(
      new Option(
        "--profile <profile>",
        "ref: Meta's semantics (default); hf: Transformers as installed",
      ).choices(["ref", "hf"]),
    )
    .option("--max-model-len <tokens>", "prompt and answer together, at most", whole(1))
    .option("--max-num-seqs <count>", "requests answered at the same time, at most", whole(1))
    .option(
      "--max-num-batched-tokens <tokens>",
      "tokens of one forward pass, of prompts and answers together, at most (default: 512)",
      whole(1),
    )
    .option(
      "--kv-cache-dtype <dtype>",
      "what keys and values are kept in: f32, f16, or q8_0, which takes half of f16 (default: auto, f32 if the weights are, else f16)",
      stateDtype,
    )
    .option(
      "--num-threads <count>",
      "processor threads to use, of those there are",
      whole(1, 1_024),
    )
    .option(
      "--device <ids>",
      "what it runs on: cpu, or devices of `atalaya devices` with commas (default: auto)",
    )
    .option(
      "--gpu-layers <count>",
      "layers on cards, from the last one; all or auto (default: as many as fit)",
      layerCount,
    )
    .option(
      "--picture-cache-memory <size>",
      "memory for pictures seen before (default: 1GiB, a sixteenth of the memory at most)",
      byteSize,
    )
    .option(
      "--picture-cache-disk <size>",
      "disk for pictures seen before, kept across restarts; 0 keeps none (default: 4GiB)",
      byteSize,
    )
    .option("--no-download", "only launch what is on this machine")
    .addOption(
      new Option("--hub <name>", "hub to download from; auto takes the first that can be reached")
        .choices(["auto", "huggingface", "modelscope"])
        .default("auto"),
    )
    .option("--revision <name>", "branch, tag or commit on the hub");
}

/** What only some engines know, by its names on the wire. Paths stay as they were typed. */
export function engineOptionsOf(flags: Omit<LoadFlags, "quantization">): Record<string, unknown> {
  const { imatrix, maxNumBatchedTokens, pictureCacheMemory, pictureCacheDisk } = flags;
  const { device, gpuLayers } = flags;
  return {
    ...(maxNumBatchedTokens !== undefined && { max_num_batched_tokens: maxNumBatchedTokens }),
    ...(device !== undefined && { device }),
    ...(gpuLayers !== undefined && { gpu_layers: gpuLayers }),
    ...(imatrix !== undefined && { imatrix }),
    ...(pictureCacheMemory !== undefined && { picture_cache_memory: pictureCacheMemory }),
    ...(pictureCacheDisk !== undefined && { picture_cache_disk: pictureCacheDisk }),
  };
}

/** Of `flags`, those that were typed, as they are typed. */
export function typedLoadOptions(flags: LoadFlags): string[] {
  const typed: Record<string, unknown> = {
    "--model-engine": flags.modelEngine,
    "--profile": flags.profile,
    "--max-model-len": flags.maxModelLen,
    "--max-num-seqs": flags.maxNumSeqs,
    "--max-num-batched-tokens": flags.maxNumBatchedTokens,
    "--kv-cache-dtype": flags.kvCacheDtype,
    "--num-threads": flags.numThreads,
    "--device": flags.device,
    "--gpu-layers": flags.gpuLayers,
    "--picture-cache-memory": flags.pictureCacheMemory,
    "--picture-cache-disk": flags.pictureCacheDisk,
    "--hub": flags.hub === "auto" ? undefined : flags.hub,
    "--revision": flags.revision,
  };
  return Object.keys(typed).filter((option) => typed[option] !== undefined);
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option("--max-tokens <count>", "tokens to generate, at most", whole(1))
    .option("--temperature <number>", "0 picks the most likely token every time", decimal(0, 2))
    .option("--top-p <number>", "keep the likeliest tokens up to this sum", decimal(0, 1))
    .option("--top-k <count>", "keep this many tokens; 0 keeps all", whole(0))
    .option("--min-p <number>", "drop tokens below this part of the likeliest", decimal(0, 1))
    .option("--presence-penalty <number>", "on tokens that came before", decimal(-2, 2))
    .option("--frequency-penalty <number>", "per time a token came before", decimal(-2, 2))
    .option("--repetition-penalty <number>", "1 is none", decimal(0.01, 10))
    .option("--seed <number>", "the same seed gives the same answer", whole(0, 2 ** 32 - 1))
    .option("--stop <text>", "text that ends the answer; may be repeated", collect);
}

export function addEndpointOption(command: Command): Command {
  return command
    .option(
      "-e, --endpoint <url>",
      "server to talk to (ATALAYA_ENDPOINT, XINFERENCE_ENDPOINT; default http://127.0.0.1:9997)",
    )
    .option(
      "--api-key <key>",
      "key for a server that asks for one (ATALAYA_API_KEY; else the login's token)",
    );
}

export function addListenOptions(command: Command): Command {
  return command
    .option(
      "-H, --host <address>",
      "address to listen on (ATALAYA_HOST; default 127.0.0.1); others than this machine need keys",
    )
    .option("-p, --port <number>", "port to listen on (ATALAYA_PORT; default 9997)");
}

/** Who may ask a server. */
export type AccessFlags = {
  readonly auth?: boolean;
  readonly authConfig?: string;
  readonly insecureWithoutAuth?: boolean;
  readonly serverName?: readonly string[];
  readonly corsOrigin?: readonly string[];
  readonly trustedProxy?: readonly string[];
};

export function addAccessOptions(command: Command): Command {
  return command
    .option("--auth", "ask for a key on this machine too")
    .option(
      "--auth-config <file>",
      "users and keys in the form of Xinference's file; asks for a key",
    )
    .option(
      "--insecure-without-auth",
      "let everybody who reaches the server do everything, from other machines too",
    )
    .option(
      "--server-name <name>",
      "a name that the server is reached by; may be repeated",
      collect,
    )
    .option(
      "--cors-origin <origin>",
      "origin whose web pages may ask, such as https://chat.example.org; may be repeated",
      collect,
    )
    .option(
      "--trusted-proxy <address>",
      "proxy in front, which speaks TLS and whose X-Forwarded-For is believed; may be repeated",
      collect,
    );
}

/** What a key or an account may take. */
export type AllowanceFlags = {
  readonly requestsPerMinute?: number;
  readonly tokensPerDay?: number;
  readonly imagesPerDay?: number;
  readonly maxConcurrent?: number;
};

export function addAllowanceOptions(command: Command): Command {
  return command
    .option("--requests-per-minute <count>", "requests in a minute, at most", whole(1))
    .option("--tokens-per-day <count>", "tokens of prompts and answers in a day (UTC)", whole(1))
    .option("--images-per-day <count>", "pictures in a day (UTC)", whole(1))
    .option("--max-concurrent <count>", "requests at one time", whole(1));
}

/** What of that changes; `none` takes a limit away. */
export type AllowanceChangeFlags = {
  readonly [Limit in keyof AllowanceFlags]?: AllowanceFlags[Limit] | "none";
};

export function addAllowanceChangeOptions(command: Command): Command {
  const limit = (text: string): number | "none" => (text === "none" ? text : whole(1)(text));
  return command
    .option("--requests-per-minute <count>", "requests in a minute, at most, or none", limit)
    .option(
      "--tokens-per-day <count>",
      "tokens of prompts and answers in a day (UTC), or none",
      limit,
    )
    .option("--images-per-day <count>", "pictures in a day (UTC), or none", limit)
    .option("--max-concurrent <count>", "requests at one time, or none", limit);
}

export function allowanceChangeOf(flags: AllowanceChangeFlags): {
  readonly [Limit in keyof AllowanceFlags]-?: number | null | undefined;
} {
  const orNone = (limit: number | "none" | undefined) => (limit === "none" ? null : limit);
  return {
    requestsPerMinute: orNone(flags.requestsPerMinute),
    tokensPerDay: orNone(flags.tokensPerDay),
    imagesPerDay: orNone(flags.imagesPerDay),
    maxConcurrent: orNone(flags.maxConcurrent),
  };
}

export type SwitchFlags = { readonly enable?: boolean; readonly disable?: boolean };

export function addSwitchOptions(command: Command): Command {
  return command
    .addOption(new Option("--enable", "let it in again").conflicts("disable"))
    .addOption(new Option("--disable", "let it in no more; it is kept"));
}

/** @returns whether it shall be let in, when either was said */
export function isSwitchedOn({ enable, disable }: SwitchFlags): boolean | undefined {
  return enable === true ? true : disable === true ? false : undefined;
}

export function addMediaOptions(command: Command): Command {
  return command
    .option("--no-fetch-media", "refuse pictures given as http: or https: addresses")
    .option(
      "--media-root <directory>",
      "folder whose files may be named as file: addresses (ATALAYA_MEDIA_ROOT)",
    );
}

export function addLogOption(command: Command): Command {
  return command.option(
    "--log-level <level>",
    "debug, info, warn, error or silent (ATALAYA_LOG_LEVEL; default warn)",
  );
}

/** For an option that may come several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** A whole number within bounds. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        max === Number.MAX_SAFE_INTEGER
          ? `It must be a whole number, ${min} or more.`
          : `It must be a whole number from ${min} to ${max}.`,
      );
    }
    return value;
  };
}

function decimal(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Kept as it was typed, once it is known to be an amount of memory. */
function byteSize(text: string): string {
  if (parseByteSize(text) === undefined) {
    throw new InvalidArgumentError("It must be an amount of memory, such as 512MB, 4GiB or 0.");
  }
  return text;
}

function stateDtype(text: string): StateDtype | undefined {
  const found = stateDtypes.find((dtype) => dtype === text);
  if (found !== undefined || text === "auto") return found;
  throw new InvalidArgumentError(`Allowed choices are auto, ${stateDtypes.join(", ")}.`);
}

function layerCount(text: string): number | "all" | "auto" {
  if (text === "all" || text === "auto") return text;
  if (text === "-1") return "all";
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number, all or auto.");
}

const longestMs = 36_500 * 24 * 60 * 60 * 1_000;

/** Milliseconds, more than none, and no more than a calendar has. */
export function duration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms <= 0 || ms > longestMs) {
    throw new InvalidArgumentError(
      "It must be a duration of at most 36500d, such as 90s, 30m, 12h or 90d.",
    );
  }
  return ms;
}
