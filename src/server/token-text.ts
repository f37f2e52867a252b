/** A generated token as JSON can hold it. */

/** JSON has no infinities; OpenAI writes this for "never". */
const neverLogprob = -9999;

export function toLogprob(logprob: number | undefined): number {
  return logprob === undefined ? neverLogprob : Math.max(logprob, neverLogprob);
}

/** A token as text; bytes that are only part of a character show as �. */
export function tokenText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
