/** What a model is launched with. */
import type { EngineLoadOptions } from "../engines/engine.ts";
import type { LaunchWish } from "./launch.ts";

export type LaunchOptions = Omit<
  EngineLoadOptions,
  "directory" | "quantization" | "engineOptions" | "cacheDirectory"
> &
  LaunchWish & {
    /** The name it will answer to; made from the model's own when absent. */
    readonly uid: string | undefined;
    /** What the replicas are called, in order; the first has number 0. */
    readonly replicaAliases?: readonly (string | undefined)[];
    /** Answers at the same time, of each replica. */
    readonly requestLimit?: number | undefined;
    /** Whether a command line named it, or a request asked for it; the latter when absent. */
    readonly origin?: "command" | "request";
  };
