/**
 * One file, from the hub into a partial file, whole and verified.
 *
 * Parts are fetched side by side, each tried again from where it stopped. What a part receives is
 * checked against the range that was asked for before the first byte is written.
 */
import type { LimitFunction } from "p-limit";
import { PlatformError } from "../base/errors.ts";
import { digestOf } from "./digest.ts";
import { diskError } from "./disk.ts";
import type { HubAnswer } from "./http.ts";
import type { HubLimits } from "./limits.ts";
import { shown } from "./names.ts";
import { type Part, PartialFile } from "./partial-file.ts";
import { type RetryNotice, retrying } from "./retry.ts";
import type { ByteRange, RemoteFile } from "./sources/source.ts";
import { networkError, TransferError } from "./transfer-error.ts";

export type FileDownload = {
  readonly file: RemoteFile;
  readonly partialPath: string;
  /** The hub, for the sentences. */
  readonly host: string;
  readonly open: (range: ByteRange | undefined, signal: AbortSignal) => Promise<HubAnswer>;
  /** Shared by all files: how many bodies are read at once. */
  readonly connections: LimitFunction;
  readonly limits: HubLimits;
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number) => void;
  readonly onVerify: () => void;
  readonly onRetry: (notice: RetryNotice) => void;
  readonly onStep?: ((step: string) => void) | undefined;
};

/** Wrong bytes are fetched anew this often before they are called wrong. */
const MAX_MISMATCHES = 2;
/** Once in one piece, where the server knows no ranges; and once more, should it be cut off then. */
const MAX_RESTARTS = 2;

/**
 * Afterwards the partial file is whole, verified and on the disk.
 *
 * @throws PlatformError `checksum_mismatch`, `hub_unavailable`, `invalid_hub_answer`, and whatever the
 *   source says
 */
export async function downloadFile(download: FileDownload): Promise<void> {
  const { file, partialPath, limits, onStep, signal } = download;
  const numParts = Math.min(
    limits.maxParts,
    Math.max(1, Math.floor(file.sizeBytes / limits.minPartBytes)),
  );
  await using partial = await PartialFile.open(partialPath, {
    sizeBytes: file.sizeBytes,
    digest: file.digest,
    numParts,
    syncBytes: limits.syncBytes,
    onStep,
  });
  for (let numMismatches = 0; ; ) {
    await fetchWhole(partial, download);
    download.onVerify();
    const { algorithm, hex } = file.digest;
    const { sizeBytes } = file;
    if ((await digestOf(partial.read(), { algorithm, sizeBytes, signal })) === hex) break;
    await partial.restart(numParts);
    numMismatches++;
    if (numMismatches >= MAX_MISMATCHES) {
      throw new PlatformError(
        "checksum_mismatch",
        `${shown(file.path)} came from ${download.host} ${MAX_MISMATCHES} times with other bytes than its ${algorithm === "sha256" ? "SHA-256" : "git SHA-1"} says. It was thrown away; a proxy or a mirror may be changing it.`,
      );
    }
  }
  onStep?.("verified");
}

/** Every part, and once more in one piece where the server knows no ranges. */
async function fetchWhole(partial: PartialFile, download: FileDownload): Promise<void> {
  for (let numRestarts = 0; !partial.isWhole; numRestarts++) {
    const restart = await fetchParts(partial, download);
    if (restart === undefined) break;
    if (numRestarts >= MAX_RESTARTS) {
      throw new PlatformError(
        "hub_unavailable",
        `${restart.message}; tried ${numRestarts + 1} times.`,
        { cause: restart },
      );
    }
    download.onRetry({ reason: restart.message, waitMs: 0 });
    await partial.restart(1);
  }
  await partial.sync().catch((cause: unknown) => {
    throw diskError(cause, partial.path);
  });
}

/** @returns why the file must be fetched from its start, or `undefined` when every part is there */
async function fetchParts(
  partial: PartialFile,
  download: FileDownload,
): Promise<TransferError | undefined> {
  const { connections, limits, onRetry } = download;
  const failed = new AbortController();
  const signal = AbortSignal.any([download.signal, failed.signal]);
  const results = await Promise.allSettled(
    partial.parts
      .filter(({ start, end, written }) => written < end - start)
      .map(async (part) => {
        try {
          await retrying(
            () => connections(() => fetchPart(part, { ...download, partial, signal })),
            { limits, signal, onRetry, progress: () => part.written },
          );
        } catch (error) {
          failed.abort(error);
          throw error;
        }
      }),
  );
  if (results.every(({ status }) => status === "fulfilled")) return undefined;
  // What is written counts, whatever happened to the rest.
  await partial.sync().catch(() => undefined);
  download.signal.throwIfAborted();
  const { reason } = failed.signal;
  if (reason instanceof RestartNeeded) return reason.cause;
  throw reason;
}

/** Not a `TransferError`: the part alone cannot be tried again. */
class RestartNeeded extends Error {
  override readonly name = "RestartNeeded";
  override readonly cause: TransferError;

  constructor(cause: TransferError) {
    super(cause.message);
    this.cause = cause;
  }
}

type PartDownload = FileDownload & { readonly partial: PartialFile };

async function fetchPart(part: Part, download: PartDownload): Promise<void> {
  const { file, open, partial, signal, host } = download;
  const range = { start: part.start + part.written, end: part.end };
  if (range.start >= range.end) return;
  const isWholeFile = range.start === 0 && range.end === file.sizeBytes;
  signal.throwIfAborted();
  try {
    const answer = await open(isWholeFile ? undefined : range, signal);
    try {
      checkAnswer(answer, { range, isWholeFile, file, host });
      await copyBody(answer, part, download);
    } finally {
      answer.body.on("error", () => undefined).destroy();
    }
  } catch (error) {
    const hasOtherBytes = partial.parts.length > 1 || partial.writtenBytes > 0;
    if (error instanceof TransferError && error.restartsFile && hasOtherBytes) {
      throw new RestartNeeded(error);
    }
    throw error;
  }
}

/**
 * The answer must be the range that was asked for; what the body then brings is counted.
 *
 * @throws PlatformError `invalid_hub_answer`; TransferError
 */
export function checkAnswer(
  { status, headers }: Pick<HubAnswer, "status" | "headers">,
  {
    range,
    isWholeFile,
    file,
    host,
  }: {
    readonly range: ByteRange;
    readonly isWholeFile: boolean;
    readonly file: Pick<RemoteFile, "path" | "sizeBytes">;
    readonly host: string;
  },
): void {
  const name = shown(file.path);
  if (/^text\/html\b/i.test(headers["content-type"] ?? "") && !/\.html?$/i.test(file.path)) {
    throw invalid(
      `${host} answers with a web page where ${name} should be. A proxy or a login page may stand in between.`,
    );
  }
  if ((headers["content-encoding"] ?? "identity") !== "identity") {
    throw invalid(
      `${host} sends ${name} packed (${shown(headers["content-encoding"] ?? "")}), which was not asked for.`,
    );
  }
  if (status === 200 && !isWholeFile) {
    throw new TransferError(`${host} sends ${name} from its start instead of the missing range`, {
      restartsFile: true,
    });
  }
  if (status === 206) checkContentRange(headers["content-range"], { range, file, host });
  const expected = range.end - range.start;
  const length = headers["content-length"];
  if (length !== undefined && Number(length) !== expected) {
    throw new TransferError(
      `${host} sends ${shown(length)} bytes of ${name} instead of ${expected}`,
    );
  }
}

function checkContentRange(
  header: string | undefined,
  {
    range,
    file,
    host,
  }: {
    readonly range: ByteRange;
    readonly file: Pick<RemoteFile, "path" | "sizeBytes">;
    readonly host: string;
  },
): void {
  const found = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header ?? "");
  const [, start, last, total] = found ?? [];
  const name = shown(file.path);
  if (Number(start) !== range.start || Number(last) !== range.end - 1) {
    throw new TransferError(
      `${host} sends another range of ${name} than was asked for (${shown(header ?? "none named")} instead of ${range.start}-${range.end - 1})`,
    );
  }
  if (total !== "*" && Number(total) !== file.sizeBytes) {
    throw invalid(
      `${host} says that ${name} has ${total} bytes, and its list says ${file.sizeBytes}. It changed meanwhile: try again.`,
    );
  }
}

/** Write what comes, count it, and give up a connection that brings next to nothing. */
async function copyBody(
  answer: HubAnswer,
  part: Part,
  { partial, file, limits, onProgress, signal }: PartDownload,
): Promise<void> {
  const { body, url } = answer;
  const length = part.end - part.start;
  let numReceived = 0;
  let numBefore = 0;
  const watch = setInterval(() => {
    if (numReceived - numBefore < limits.minBytesPerStall) {
      body.destroy(new TransferError(`${url.host} stopped sending`));
    }
    numBefore = numReceived;
  }, limits.stallMs);
  try {
    for await (const chunk of body) {
      signal.throwIfAborted();
      const bytes = chunk as Buffer;
      numReceived += bytes.length;
      if (part.written + bytes.length > length) {
        throw new TransferError(`${url.host} sends more of ${shown(file.path)} than there is`, {
          restartsFile: true,
        });
      }
      await partial.write(part, bytes).catch((cause: unknown) => {
        throw diskError(cause, partial.path);
      });
      onProgress(partial.writtenBytes);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw networkError(error, url.host);
  } finally {
    clearInterval(watch);
  }
  if (part.written < length) {
    throw new TransferError(`${url.host} ended ${shown(file.path)} too early`);
  }
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_hub_answer", message);
}
