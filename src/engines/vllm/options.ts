/**
 * Options of a launch that go to vLLM, checked before anything is downloaded or started.
 *
 * What there is was written down from vLLM's own parser (`scripts/vllm/make_options.py`), which reads them
 * again when the engine starts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { didYouMean } from "../../base/nearest.ts";
import { packageRoot } from "../../base/package-root.ts";
import type { EngineOptions } from "../engine.ts";

const Table = z.object({
  options: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(["switch", "integer", "number", "text", "json", "list"]),
      choices: z.array(z.string()).optional(),
      /** Why a launch may not set it. */
      refused: z.string().optional(),
    }),
  ),
});
type Option = z.infer<typeof Table>["options"][number];

let known: ReadonlyMap<string, Option> | undefined;

function options(): ReadonlyMap<string, Option> {
  if (known === undefined) {
    const path = join(packageRoot(), "workers", "atalaya_vllm", "options.json");
    const table = Table.parse(JSON.parse(readFileSync(path, "utf8")));
    known = new Map(table.options.map((option) => [option.name, option]));
  }
  return known;
}

/** @throws PlatformError `unsupported_parameter` or `invalid_request` for the first that does not do */
export function checkOptions(given: EngineOptions): void {
  for (const [name, value] of Object.entries(given)) {
    const option = options().get(name);
    if (option === undefined) throw unknownOption(name);
    if (option.refused !== undefined && value !== false && value !== null) {
      throw refusal(
        "unsupported_parameter",
        name,
        `The engine vllm does not take "${name}": ${option.refused}. Leave it out.`,
      );
    }
    if (option.refused === undefined) checkValue(option, value);
  }
}

function unknownOption(name: string): PlatformError {
  const shown = /^[\w.-]{1,64}$/.test(name) ? `"${name}"` : "of that name";
  const usable = [...options().values()].flatMap((one) => (one.refused ? [] : [one.name]));
  const help = didYouMean(name, usable) || " docs/reference/engines.md lists those it has.";
  return refusal("unsupported_parameter", name, `The engine vllm has no option ${shown}.${help}`);
}

function checkValue({ name, kind, choices }: Option, value: unknown): void {
  if (value === null) return;
  const wanted = {
    switch: () => typeof value === "boolean" || "true or false",
    integer: () => Number.isInteger(value) || "a whole number",
    number: () => (typeof value === "number" && Number.isFinite(value)) || "a number",
    text: () => typeof value === "string" || typeof value === "number" || "a word",
    json: () => isJson(value) || 'JSON such as {"image": 4}',
    list: () => Array.isArray(value) || ["string", "number"].includes(typeof value) || "a list",
  }[kind]();
  const shown = JSON.stringify(value).slice(0, 60);
  if (wanted !== true) {
    throw refusal("invalid_request", name, `"${name}" takes ${wanted}, not ${shown}. Correct it.`);
  }
  const word = typeof value === "string" ? value : JSON.stringify(value);
  if (choices !== undefined && !choices.includes(word)) {
    throw refusal(
      "invalid_request",
      name,
      `"${name}" is one of ${choices.join(", ")}, not ${shown}. Choose one of them.`,
    );
  }
}

function isJson(value: unknown): boolean {
  if (typeof value === "object") return true;
  if (typeof value !== "string") return false;
  try {
    return typeof JSON.parse(value) === "object";
  } catch {
    return false;
  }
}

function refusal(
  code: "unsupported_parameter" | "invalid_request",
  param: string,
  message: string,
): PlatformError {
  return new PlatformError(code, message, { details: { param } });
}
