/** `run --raw`: a bare prompt for scripts, answered as text or as one JSON object. */
import type { Settings } from "../config/settings.ts";
import type { ImageReport } from "../generation/engine-prompt.ts";
import type { GeneratedToken, GenerateEvent } from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import { readPicture } from "./ask.ts";
import { toLaunchable } from "./find-model.ts";
import { loadLocally, toSampling } from "./local-source.ts";
import type { LoadFlags, SamplingFlags } from "./options.ts";
import { printable, type Terminal } from "./terminal.ts";

export type RawFlags = LoadFlags &
  SamplingFlags & {
    readonly image?: readonly string[];
    readonly json?: boolean;
    /** Number of alternatives with each token. */
    readonly logprobs?: number;
  };

export type RawRun = {
  readonly model: string;
  readonly prompt: string;
  readonly flags: RawFlags;
  readonly settings: Settings;
};

/** What `--json` prints. */
type RawResult = {
  readonly prompt_token_ids: readonly number[];
  readonly token_ids: readonly number[];
  readonly text: string;
  readonly finish_reason: string;
  /** One a token, when asked for. */
  readonly logprobs: readonly RawLogprob[] | null;
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly image_tokens: number;
  };
  readonly images: readonly RawImage[];
};

type RawLogprob = {
  readonly id: number;
  readonly logprob: number | null;
  /** Likeliest first. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
};

type RawImage = {
  readonly width: number;
  readonly height: number;
  readonly grid: { readonly rows: number; readonly columns: number };
  readonly resized: { readonly width: number; readonly height: number };
  readonly aspect_ratio_id: number;
  readonly source: "cached" | "encoded";
  readonly milliseconds: number;
};

/** @throws PlatformError `model_not_found`, `invalid_image`, and whatever the model says */
export async function runRaw(
  { model, prompt, flags, settings }: RawRun,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const launchable = toLaunchable(model, terminal.cwd);
  const images = await Promise.all((flags.image ?? []).map(readPicture));
  await using loaded = await loadLocally({ model: launchable, flags, settings }, terminal, signal);
  const { platform, uid } = loaded;
  const request: GenerateRequest = {
    prompt: { type: "raw", text: prompt, images, bos: "never" },
    sampling: { ...toSampling(flags, platform.router.defaultsOf(uid)), logprobs: flags.logprobs },
  };
  const events = platform.router.generate(uid, request, { signal });
  if (flags.json === true) {
    const result = await collectRaw(events, flags.logprobs !== undefined);
    terminal.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  for await (const event of events) {
    if (event.type === "text-delta") terminal.stdout.write(printable(terminal, event.text));
  }
  terminal.stdout.write("\n");
}

async function collectRaw(
  events: AsyncIterable<GenerateEvent>,
  wantsLogprobs: boolean,
): Promise<RawResult> {
  let promptTokenIds: readonly number[] = [];
  let text = "";
  const tokens: GeneratedToken[] = [];
  const images: RawImage[] = [];
  for await (const event of events) {
    switch (event.type) {
      case "started":
        promptTokenIds = event.promptTokenIds;
        break;
      case "image":
        images[event.report.imageIndex] = toRawImage(event.report);
        break;
      case "text-delta":
        text += event.text;
        tokens.push(...event.tokens);
        break;
      case "finish":
        return {
          prompt_token_ids: promptTokenIds,
          token_ids: tokens.map(({ tokenId }) => tokenId),
          text,
          finish_reason: event.reason,
          logprobs: wantsLogprobs ? tokens.map(toRawLogprob) : null,
          usage: {
            prompt_tokens: event.usage.promptTokens,
            completion_tokens: event.usage.completionTokens,
            image_tokens: event.usage.imageTokens,
          },
          images,
        };
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

function toRawLogprob({ tokenId, logprob, topLogprobs }: GeneratedToken): RawLogprob {
  return {
    id: tokenId,
    logprob: logprob ?? null,
    top: topLogprobs.map((top) => ({ id: top.tokenId, logprob: top.logprob })),
  };
}

function toRawImage(report: ImageReport): RawImage {
  const { width, height, grid, resized, aspectRatioId, cached, encodeMs } = report;
  return {
    width,
    height,
    grid,
    resized,
    aspect_ratio_id: aspectRatioId,
    source: cached ? "cached" : "encoded",
    milliseconds: encodeMs,
  };
}
