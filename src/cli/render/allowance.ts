/** What a key or an account may take, in a cell of a table. Pure. */
import type { Allowance } from "../../platform.ts";

type Used = { readonly tokens: number; readonly images: number };

/** Such as `60 requests/min, 1200 of 100000 tokens/day`; `none` without limits. */
export function showLimits(allowance: Allowance, used?: Used): string {
  const { requestsPerMinute, maxConcurrent, tokensPerDay, imagesPerDay } = allowance;
  const day = (count: number, taken: number | undefined, what: string): string =>
    `${taken === undefined ? "" : `${taken} of `}${count} ${what}/day`;
  const limits = [
    ...(requestsPerMinute === undefined ? [] : [`${requestsPerMinute} requests/min`]),
    ...(maxConcurrent === undefined ? [] : [`${maxConcurrent} at once`]),
    ...(tokensPerDay === undefined ? [] : [day(tokensPerDay, used?.tokens, "tokens")]),
    ...(imagesPerDay === undefined ? [] : [day(imagesPerDay, used?.images, "pictures")]),
  ];
  return limits.join(", ") || "none";
}

/** As the HTTP API words them. */
export function limitsToJson(allowance: Allowance): object {
  return {
    requests_per_minute: allowance.requestsPerMinute ?? null,
    tokens_per_day: allowance.tokensPerDay ?? null,
    images_per_day: allowance.imagesPerDay ?? null,
    max_concurrent: allowance.maxConcurrent ?? null,
  };
}
