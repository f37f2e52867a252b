/** Who asks, as far as we know. */
import type { Permission } from "./permissions.ts";

/** What one key or account may take; `undefined` is without limit. */
export type Allowance = {
  readonly requestsPerMinute: number | undefined;
  /** Prompt and answer together, in a day of UTC. */
  readonly tokensPerDay: number | undefined;
  readonly imagesPerDay: number | undefined;
  /** Requests under way at one time, waiting ones too. */
  readonly maxConcurrent: number | undefined;
};

/** What is left out, or `undefined`, stays; `null` takes the limit away. */
export type AllowanceChange = {
  readonly [Limit in keyof Allowance]?: Allowance[Limit] | null;
};

export type Principal = {
  readonly kind: "key" | "account" | "anonymous";
  /** The same for every request of one key or account; what is counted is counted, and what is kept is kept, under it. */
  readonly id: string;
  /** For people and logs; never the secret. */
  readonly name: string;
  readonly permissions: readonly Permission[];
  /** Uids that it may ask; all when absent. */
  readonly models: readonly string[] | undefined;
  readonly allowance: Allowance;
};

export const unlimited: Allowance = {
  requestsPerMinute: undefined,
  tokensPerDay: undefined,
  imagesPerDay: undefined,
  maxConcurrent: undefined,
};

/** Everybody, where no key is needed. */
export const anonymous: Principal = {
  kind: "anonymous",
  id: "anonymous",
  name: "anonymous",
  permissions: ["admin"],
  models: undefined,
  allowance: unlimited,
};

/** Whether there is something that it may not ask, or only so often. */
export function isLimited({ models, allowance }: Principal): boolean {
  return models !== undefined || Object.values(allowance).some((limit) => limit !== undefined);
}
