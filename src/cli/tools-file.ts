/** `--tools FILE.json`: functions that an answer may call, as OpenAI's clients describe them or by themselves. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import type { ToolDescription, ToolWish } from "../generation/tools.ts";

export type ToolFlags = {
  readonly tools?: string;
  readonly toolChoice?: string;
};

export type OfferedTools = {
  readonly tools: readonly ToolDescription[];
  readonly choice: ToolWish;
};

export function addToolOptions(command: Command): Command {
  return command
    .option(
      "--tools <file>",
      "JSON list of functions that the answer may call; calls are printed as JSON, a line each, and not run",
    )
    .option(
      "--tool-choice <choice>",
      "auto (default), none, required, or the name of the function that must be called (with --tools)",
    );
}

const description = z.object({
  name: z.string().min(1),
  description: z.string().optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  strict: z.boolean().optional(),
});
const file = z.array(
  z.union([
    z
      .object({ type: z.literal("function"), function: description })
      .transform((tool) => tool.function),
    description,
  ]),
);

/**
 * @returns `undefined` when nothing is offered
 * @throws PlatformError `invalid_request`
 */
export async function readTools(flags: ToolFlags): Promise<OfferedTools | undefined> {
  const { tools: path, toolChoice = "auto" } = flags;
  if (path === undefined) {
    if (flags.toolChoice === undefined) return undefined;
    throw new PlatformError("invalid_request", "--tool-choice goes with --tools.");
  }
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new PlatformError("invalid_request", `--tools names ${path}, which cannot be read.`, {
      cause,
    });
  });
  const tools = parsed(text, path);
  const isWord = toolChoice === "auto" || toolChoice === "none" || toolChoice === "required";
  if (!isWord && !tools.some(({ name }) => name === toolChoice)) {
    throw new PlatformError(
      "invalid_request",
      `--tool-choice is "${toolChoice}"; it must be auto, none, required, or a function of ${path}: ${tools.map(({ name }) => name).join(", ")}.`,
    );
  }
  return { tools, choice: isWord ? toolChoice : { name: toolChoice } };
}

function parsed(text: string, path: string): ToolDescription[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PlatformError("invalid_request", `${path} is not valid JSON.`, { cause });
  }
  const result = file.safeParse(value);
  if (!result.success) {
    throw new PlatformError(
      "invalid_request",
      `${path} must be a JSON list of functions, [{"name": "weather", "parameters": {…}}].`,
      { cause: result.error },
    );
  }
  return result.data.map(({ name, description: words, parameters, strict }) => ({
    name,
    ...(words !== undefined && { description: words }),
    ...(parameters !== undefined && { parameters }),
    ...(strict !== undefined && { strict }),
  }));
}
