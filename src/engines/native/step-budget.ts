/** How many tokens one forward pass takes: from a launch's options to the engine's. */
import { PlatformError } from "../../base/errors.ts";
import type { EngineLoadOptions } from "../engine.ts";
import { MAX_BATCHED_TOKENS } from "../memory.ts";

/** A pass of more tokens is no faster for each, and its buffers grow with it. */
const MOST = 16_384;

/**
 * @param defaultNumSeqs answers at the same time, where the launch does not say
 * @throws PlatformError `invalid_request`
 */
export function stepBudget(
  { engineOptions = {}, maxNumSeqs }: EngineLoadOptions,
  defaultNumSeqs: number,
): number {
  const given = engineOptions["max_num_batched_tokens"];
  if (given === undefined) return Math.max(MAX_BATCHED_TOKENS, maxNumSeqs ?? 0);
  const refuse = (what: string): PlatformError =>
    new PlatformError("invalid_request", `--max-num-batched-tokens is ${shown(given)}${what}`, {
      details: { param: "max_num_batched_tokens" },
    });
  if (typeof given !== "number" || !Number.isInteger(given) || given < 1 || given > MOST) {
    throw refuse(`; it must be a whole number from 1 to ${MOST}.`);
  }
  const numSeqs = maxNumSeqs ?? defaultNumSeqs;
  if (given >= numSeqs) return given;
  throw refuse(
    `, and --max-num-seqs ${numSeqs}: each answer under way takes one token of a step. Raise the one or lower the other.`,
  );
}

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 40) ?? "missing";
