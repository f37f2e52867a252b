/**
 * What Xinference's command line has and ours has not by itself: short options of two letters, options
 * of two words, and options that only the engine knows. Pure.
 *
 * @see Xinference `deploy/cmdline.py`, `model_launch`, and `deploy/utils.py`, `handle_click_args_type`
 */
import { PlatformError } from "../base/errors.ts";

/** Of every command that talks to a server. */
const ofEvery: readonly (readonly [string, string])[] = [["-ak", "--api-key"]];

const ofLaunch: readonly (readonly [string, string])[] = [
  ["-en", "--model-engine"],
  ["-mp", "--model-path"],
  ["-lm", "--lora-modules"],
  ["-ld", "--image-lora-load-kwargs"],
  ["-fd", "--image-lora-fuse-kwargs"],
  ["-qc", "--quantization-config"],
  ["-vp", "--virtual-env-package"],
  ["-ev", "--env"],
];

/** Its exporter of metrics is another port there, and the same one here. */
const ofServers: readonly (readonly [string, string])[] = [
  ["-MH", "--metrics-exporter-host"],
  ["-mp", "--metrics-exporter-port"],
];

/** Short options by command; the same letters mean another thing in another one. */
function twoLettersOf(command: string): ReadonlyMap<string, string> {
  const isServer = ["serve", "local", "supervisor"].includes(command);
  const own = command === "launch" || command === "engine" ? ofLaunch : isServer ? ofServers : [];
  return new Map([...ofEvery, ...own]);
}

const twoWords: ReadonlySet<string> = new Set([
  "--lora-modules",
  "--image-lora-load-kwargs",
  "--image-lora-fuse-kwargs",
  "--quantization-config",
  "--env",
]);

/**
 * `-en vllm` → `--model-engine vllm`, and `--env KEY VALUE` → one word that `parsePair` reads.
 *
 * @throws PlatformError `invalid_request` for an option that lacks its second word
 */
export function withLongOptions(args: readonly string[]): string[] {
  const [command = ""] = args;
  const twoLetters = twoLettersOf(command);
  const words: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    const long = twoLetters.get(word) ?? word;
    if (command !== "launch" || !twoWords.has(long)) {
      words.push(long);
      continue;
    }
    const [key, value] = args.slice(index + 1, index + 3);
    if (key === undefined || value === undefined) {
      throw new PlatformError(
        "invalid_request",
        `${word} takes two words, such as ${word} NAME VALUE. Add what is missing.`,
      );
    }
    words.push(`${long}=${JSON.stringify([key, value])}`);
    index += 2;
  }
  return words;
}

/** For an option of two words, which may come several times. */
export function collectPair(
  word: string,
  previous: readonly (readonly string[])[] = [],
): (readonly string[])[] {
  const pair: unknown = JSON.parse(word);
  return Array.isArray(pair) ? [...previous, pair.map(String)] : [...previous];
}

/** Names as they stand on the wire → values. */
export type ExtraOptions = Readonly<Record<string, unknown>>;

/**
 * Options that the command line does not know: `--name value`, `--name=value`, and `--name` alone for
 * true. Dashes in a name become underscores.
 *
 * @param words what is left after the known options
 * @throws PlatformError `invalid_request` for a word where a name should be, in Xinference's words
 */
export function parseExtraOptions(words: readonly string[]): ExtraOptions {
  const options: [string, unknown][] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) throw notAnOption(word);
    const next = words[index + 1];
    let value: unknown = true;
    if (inline !== undefined) value = toValue(inline);
    else if (next !== undefined && !next.startsWith("--")) {
      value = toValue(next);
      index++;
    }
    options.push([name.replaceAll("-", "_"), value]);
  }
  return Object.fromEntries(options);
}

/** Text as Python's users mean it. */
function toValue(text: string): unknown {
  if (text === "None") return null;
  if (/^(true|True)$/.test(text)) return true;
  if (/^(false|False)$/.test(text)) return false;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^[[{]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
}

function notAnOption(word: string): PlatformError {
  return new PlatformError(
    "invalid_request",
    `You must specify extra kwargs with \`--\` prefix. There is an error in parameter passing that is ${word.slice(0, 60)}.`,
  );
}
