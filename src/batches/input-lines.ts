/** The lines of a batch's input file: checked before any is done, read again while they are done. */
import { z } from "zod";
import type { BatchError } from "./batch-record.ts";

export type InputLine = {
  /** From 0; empty lines are not counted. */
  readonly line: number;
  readonly customId: string;
  readonly url: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Lines of one batch, as at OpenAI. */
const maxLines = 50_000;

/** A body with pictures, as a route takes it. */
const maxLineBytes = 32 * 1024 * 1024;

/** So many are told; somebody who has more has one reason for all. */
const maxErrors = 50;

const Line = z.looseObject({
  custom_id: z.string().min(1).max(512),
  method: z.literal("POST"),
  url: z.string(),
  body: z.record(z.string(), z.unknown()),
});

const lineFeed = 0x0a;

/** @yields each line that is not empty, without its end */
export async function* splitLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const take = (): string => {
    const text = Buffer.concat(pending).toString("utf8").trim();
    pending = [];
    pendingBytes = 0;
    return text;
  };
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      pending.push(chunk.subarray(start, end));
      const text = take();
      if (text !== "") yield text;
      start = end + 1;
    }
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > maxLineBytes) throw new LineTooLong();
  }
  const text = take();
  if (text !== "") yield text;
}

class LineTooLong extends Error {}

/**
 * Check all lines: JSON of the right form, addressed to `endpoint`, each with an id of its own.
 *
 * @returns how many there are, and what is wrong; with a fault none is done
 */
export async function checkInput(
  bytes: AsyncIterable<Uint8Array>,
  endpoint: string,
): Promise<{ readonly total: number; readonly errors: readonly BatchError[] }> {
  const errors: BatchError[] = [];
  const ids = new Set<string>();
  let total = 0;
  try {
    for await (const text of splitLines(bytes)) {
      total += 1;
      if (total > maxLines) {
        errors.push({
          code: "too_many_lines",
          message: `The file has more than ${maxLines.toLocaleString("en-US")} lines. Make several batches of it.`,
        });
        break;
      }
      const fault = faultIn(text, { endpoint, ids });
      if (fault !== undefined) errors.push({ ...fault, line: total });
      if (errors.length >= maxErrors) break;
    }
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    errors.push({
      code: "line_too_long",
      message: `A line is longer than ${maxLineBytes / 2 ** 20} MiB, which is what a request may have.`,
      line: total + 1,
    });
  }
  if (total === 0) {
    errors.push({ code: "empty_file", message: "The file has no lines. Send JSON Lines." });
  }
  return { total, errors };
}

/** @yields the lines of a file that was checked */
export async function* readInput(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<InputLine, void> {
  let line = 0;
  for await (const text of splitLines(bytes)) {
    const { custom_id: customId, url, body } = Line.parse(JSON.parse(text));
    yield { line, customId, url, body };
    line += 1;
  }
}

function faultIn(
  text: string,
  { endpoint, ids }: { readonly endpoint: string; readonly ids: Set<string> },
): BatchError | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { code: "invalid_json_line", message: "The line is not valid JSON." };
  }
  const parsed = Line.safeParse(json);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") ?? "";
    return {
      code: "invalid_line",
      message: `The line must be {"custom_id": …, "method": "POST", "url": …, "body": {…}}${field === "" ? "" : `; "${field}" is not usable`}.`,
    };
  }
  const { custom_id: id, url, body } = parsed.data;
  if (url !== endpoint) {
    return {
      code: "mismatched_url",
      message: `The line's "url" must be the batch's endpoint, ${endpoint}.`,
    };
  }
  if (ids.has(id)) {
    return { code: "duplicate_custom_id", message: 'The line\'s "custom_id" came before.' };
  }
  ids.add(id);
  if (body["stream"] === true) {
    return { code: "invalid_line", message: 'A batch does not stream: leave out "stream".' };
  }
  if (body["background"] === true) {
    return { code: "invalid_line", message: 'A batch waits for answers: leave out "background".' };
  }
  return undefined;
}
